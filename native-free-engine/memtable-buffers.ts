/**
 * The memory of a memtable. It is handed on from one to the next, because fresh pages cost a fault
 * each, and because a worker thread keeps the arenas it has seen alive until its own next
 * collection. Nothing relies on zeros but the index.
 */
import { fileHeaderBytes } from "./log/record.ts";

export interface MemtableBuffers {
  readonly arena: SharedArrayBuffer;
  readonly index: Int32Array;
  readonly keys: Int32Array;
}

/**
 * Beyond these, memory grows to its full size at once. To rearrange a large index or to copy a
 * large arena takes several milliseconds each time, while pages that nobody writes cost nothing.
 */
const stepArenaBytes = 1 << 20;
const stepIndexSlots = 1 << 14;

/** Arenas start small, because a program may open a thousand databases and write to few. */
const firstArenaBytes = 64 << 10;
const firstIndexSlots = 1 << 10;

/** `full`: at the size that it may grow to, else small. */
export function newBuffers(size: {
  readonly bytesMax: number;
  readonly full: boolean;
}): MemtableBuffers {
  const bytes = size.full ? size.bytesMax : Math.min(size.bytesMax, firstArenaBytes);
  const slots = size.full ? slotsFor(size.bytesMax) : firstIndexSlots;
  return { arena: new SharedArrayBuffer(arenaBytesFor(bytes)), ...indexOf(slots) };
}

/** The index of a log that is there already: as large as it will be needed, if keys are small. */
export function indexForLog(bytes: number): Omit<MemtableBuffers, "arena"> {
  return indexOf(slotsFor(bytes));
}

/**
 * It may fill up to five eighths. With half, an arena full of entries of 128 bytes just exceeded
 * it, and the memtable's last write rearranged all of it: 10 ms and more.
 */
export function indexOf(slots: number): Omit<MemtableBuffers, "arena"> {
  return { index: new Int32Array(2 * slots), keys: new Int32Array((slots * 5) / 8) };
}

/** To what an arena of so many bytes grows. */
export function grownArena(bytes: number, need: number, bytesMax: number): number {
  let grown = bytes;
  while (grown < need) grown *= 4;
  return arenaBytesFor(grown > stepArenaBytes ? bytesMax : Math.min(grown, bytesMax));
}

/** To how many slots an index of so many grows. */
export function grownSlots(slots: number, bytesMax: number): number {
  return slots < stepIndexSlots ? 2 * slots : Math.max(2 * slots, slotsFor(bytesMax));
}

/** Bytes of an arena that holds so many. */
export function arenaBytesFor(bytes: number): number {
  return (Math.max(bytes, fileHeaderBytes) + 7) & ~7;
}

/** Slots for a full arena of entries of some 64 bytes at half load, a power of two. */
function slotsFor(bytes: number): number {
  let slots = firstIndexSlots;
  while (slots < bytes >>> 6) slots *= 2;
  return slots;
}
