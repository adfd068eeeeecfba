/**
 * A position in one sorted source of entries: a table, or a memtable. Order is key ascending by
 * bytes, then newest first. Entries carry their kind, sequence and expiry; what of them is visible
 * is decided above (visible.ts).
 */

/** What an entry says. Part of the file format. */
export const kindTombstone = 0;
export const kindValue = 1;
export const kindExpiring = 2;

/** States of a cursor. `blocked`: the move needs a disk read that should not block the loop. */
export const atEnd = 0;
export const atEntry = 1;
export const blocked = 2;

/**
 * The fields describe the entry under the cursor and hold until it moves. The key is
 * `bytes[prefixAt, +prefixLength]` followed by `bytes[suffixAt, +suffixLength]`; the value is
 * `bytes[valueAt, +valueLength]`. `head` is headOf() of the key behind its first `skip` bytes
 * (`skip` is given when the cursor is made; all keys that will be compared share those bytes), so
 * that most comparisons are of two numbers. A value may be kept as a view of `bytes` only where
 * `stable` says that the buffer is never written again.
 */
export interface Cursor {
  state: number;
  bytes: Uint8Array;
  prefixAt: number;
  prefixLength: number;
  suffixAt: number;
  suffixLength: number;
  valueAt: number;
  valueLength: number;
  kind: number;
  /** 0 when it is below every snapshot that could ask. */
  sequence: number;
  /** Absolute expiry in milliseconds, 0 for never. */
  expiry: number;
  head: number;
  readonly stable: boolean;
  /** To the first entry, the last one, or the first at or after a key. */
  first(): void;
  last(): void;
  seek(key: Uint8Array, at: number, length: number): void;
  /** To the last entry with a key below (or, if `orEqual`, at) the key given. */
  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void;
  next(): void;
  previous(): void;
  /** Finishes the move that left the cursor blocked. */
  load(): Promise<void>;
  /** Lets go of buffers and files. Idempotent. */
  close(): void;
}
