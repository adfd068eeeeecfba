/**
 * Flush and compaction as plain, clonable jobs: functions of a Disk and one of these records.
 * The same code runs in a Piscina thread and, in slices, on the caller's thread.
 */
import type { BuiltTable, TableMeta } from "../table/meta.ts";

/** A live snapshot: what it may see, and the time at which it judges expiry. */
export interface SnapshotMark {
  readonly sequence: number;
  readonly time: number;
}

/** How tables are to be written. */
export interface TableShape {
  readonly hashSeed: number;
  readonly blockBytes: number;
  readonly compression: "none" | "deflate";
  /** The level they are written for, 0 unless said: all that salvage has to tell old from new. */
  readonly level?: number;
}

export interface KeyRange {
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
}

interface JobBase {
  readonly directory: string;
  readonly shape: TableShape;
  /** Ascending by sequence. */
  readonly snapshots: readonly SnapshotMark[];
  readonly now: number;
}

/** Writes one memtable, given as the image of its log, into one table (none if nothing is left). */
export interface FlushJob extends JobBase {
  readonly kind: "flush";
  readonly number: number;
  /** Over a SharedArrayBuffer: crosses threads without a copy. */
  readonly arena: Uint8Array;
  /** Records to flush stand in [fileHeaderBytes, end). */
  readonly end: number;
  readonly firstSequence: number;
}

/** Merges sorted runs of tables, newest run first, into tables of about `tableBytes`. */
export interface CompactionJob extends JobBase {
  readonly kind: "compaction";
  readonly runs: readonly (readonly TableMeta[])[];
  /** File numbers for the outputs, more than can be needed. */
  readonly numbers: readonly number[];
  readonly tableBytes: number;
  /** Ranges of the tables below the output level, ascending: where a tombstone must stay. */
  readonly deeper: readonly KeyRange[];
}

export type Job = FlushJob | CompactionJob;

export interface JobResult {
  readonly tables: readonly BuiltTable[];
  readonly entriesIn: number;
  readonly entriesOut: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}
