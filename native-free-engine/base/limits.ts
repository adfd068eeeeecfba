/**
 * Hard ceilings of the engine and how they relate. Configuration may lower one, never raise it.
 */
import { assert } from "./assert.ts";

/** Longest key. A key may also be empty. */
export const keyBytesMax = 64 << 10;
/** Longest value. A value may also be empty. */
export const valueBytesMax = 16 << 20;
/** Largest atomic batch, counted as its bytes in the commit log. */
export const batchBytesMax = 128 << 20;
/** Largest memtable that an option may ask for. */
export const memtableBytesMax = 128 << 20;
/** Smallest memtable that an option may ask for. */
export const memtableBytesMin = 1 << 10;
/** Largest block cache: offsets into it must stay small integers in V8. */
export const cacheBytesMax = 1 << 30;
/** Levels of the tree; 0 holds flushed memtables, newest first. */
export const levelCount = 7;
/** Tables kept open at once; the least recently used is closed first. */
export const openTablesMax = 512;

assert(keyBytesMax + valueBytesMax < batchBytesMax, "one entry must fit into one batch");
assert(batchBytesMax < 2 ** 31, "an offset in a log must stay a small integer");
