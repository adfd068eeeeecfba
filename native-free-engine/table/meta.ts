/**
 * What the manifest knows of a table, and the form in which a finished table is handed over.
 */

export interface TableMeta {
  /** Names the file; from the one counter that numbers all files of a database. */
  readonly number: number;
  readonly bytes: number;
  /** First and last key in the table. */
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  readonly entries: number;
  readonly tombstones: number;
  /** Lowest and highest sequence of the entries when they were written. */
  readonly minSequence: number;
  readonly maxSequence: number;
  /** Earliest expiry among the entries, 0 when none expires. */
  readonly firstExpiry: number;
}

/** A table as its writer leaves it: the tail is every byte of the file from `tailAt` to its end. */
export interface BuiltTable extends TableMeta {
  readonly tailAt: number;
  /** A SharedArrayBuffer, so that it crosses threads without a copy. */
  readonly tail: Uint8Array;
}
