/**
 * The public shapes of the embedded engine. Names are fixed: other programs are written against
 * them. Keys and values are bytes; a string stands for its UTF-8 bytes; an absent key is
 * `undefined`, never an exception. Wrong types throw a `TypeError`, everything else that can go
 * wrong rejects with an `EngineError` (see errors.ts).
 */

/** Bytes going in: copied before the call returns, so the caller may reuse them. */
export type BytesInput = string | Uint8Array;

/**
 * When a write is acknowledged. `os`: once the operating system has it (survives a killed
 * process); `interval`: the same, with an fdatasync every 100 ms (a power cut loses at most that);
 * `sync`: after fdatasync (survives a power cut).
 */
export type Durability = "os" | "interval" | "sync";

/** `none`, or deflateRaw for all levels, or one choice per level from 0 down (the last repeats). */
export type Compression = "none" | "deflate" | readonly ("none" | "deflate")[];

export interface EngineOptions {
  /** Make the database if there is none. Default true. */
  readonly createIfMissing?: boolean;
  /** Refuse an existing database. Default false. */
  readonly errorIfExists?: boolean;
  /** Open without the lock, beside a live writer; sees the state at opening. Default false. */
  readonly readOnly?: boolean;
  readonly durability?: Durability;
  /** Bytes of one memtable and of its commit log. Default 16 MiB. */
  readonly memtableBytes?: number;
  /** Most bytes of the block cache. Default: an eighth of memory, at most 128 MiB. */
  readonly cacheBytes?: number;
  readonly compression?: Compression;
  /** `false` runs flush and compaction in slices on this thread. Default true. */
  readonly workers?: boolean;
}

export interface ReadOptions {
  /** Read the state at the time of this snapshot. */
  readonly snapshot?: Snapshot | undefined;
}

export interface WriteOptions {
  /** Resolve only after fdatasync, whatever the engine's durability. */
  readonly sync?: boolean | undefined;
}

export interface PutOptions extends WriteOptions {
  /** The entry disappears this many milliseconds from now. Above 0, at most ten years. */
  readonly ttlMs?: number | undefined;
}

export type BatchOperation =
  | {
      readonly type: "put";
      readonly key: BytesInput;
      readonly value: BytesInput;
      readonly ttlMs?: number | undefined;
    }
  | { readonly type: "del"; readonly key: BytesInput };

/** Bounds in byte order; without any, everything. */
export interface Range {
  readonly gt?: BytesInput | undefined;
  readonly gte?: BytesInput | undefined;
  readonly lt?: BytesInput | undefined;
  readonly lte?: BytesInput | undefined;
}

export interface ScanOptions extends Range, ReadOptions {
  readonly reverse?: boolean | undefined;
  /** At most this many entries; -1 or absent means all. */
  readonly limit?: number | undefined;
  /** `false` yields empty values and reads less. Default true. */
  readonly values?: boolean | undefined;
}

export type Pair = [key: Uint8Array, value: Uint8Array];

/**
 * Entries in key order, of one instant: the state when the scan was made.
 * Keys and values are views of larger buffers: one kept value can pin 128 KiB, so copy what you
 * keep for long. One call at a time; a scan that was not read to its end must be closed.
 */
export interface Scan extends AsyncIterable<Pair> {
  /** The next entries, at most `count`; fewer or none only at the end. */
  nextMany(count: number): Promise<Pair[]>;
  /** Continue at the first entry at or after this key (in the direction of the scan). */
  seek(key: BytesInput): void;
  /** Idempotent. */
  close(): Promise<void>;
}

/** The state at one instant, also for expiry. Holds back clean-up until closed. */
export interface Snapshot extends AsyncDisposable {
  /** Idempotent. */
  close(): Promise<void>;
}

export interface LevelStats {
  readonly level: number;
  readonly tables: number;
  readonly bytes: number;
  readonly entries: number;
  readonly tombstones: number;
}

export interface EngineStats {
  readonly levels: readonly LevelStats[];
  /** Bytes in the memtable that takes writes, and in those waiting for their flush. */
  readonly memtableBytes: number;
  readonly flushQueueBytes: number;
  readonly logBytes: number;
  /** Bytes the caller wrote, and what reached the disk: log, flush, compaction. */
  readonly userBytes: number;
  readonly logBytesWritten: number;
  readonly flushBytesWritten: number;
  readonly compactionBytesRead: number;
  readonly compactionBytesWritten: number;
  /** (log + flush + compaction) / user; 0 before the first write. */
  readonly writeAmplification: number;
  readonly flushes: number;
  readonly compactions: number;
  readonly trivialMoves: number;
  /** Flushes and compactions that run or are due: 0 once the tree is in shape. */
  readonly backgroundJobs: number;
  readonly cacheBytes: number;
  readonly cacheBytesMax: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  /** Tables that a read did not have to look into, because their filter said no. */
  readonly filterSkips: number;
  /** Milliseconds that writes were held back because flush or compaction was behind. */
  readonly stallMs: number;
  readonly openScans: number;
  readonly openSnapshots: number;
  readonly readOnly: boolean;
  /** The failure that made the engine refuse writes, if there was one. */
  readonly backgroundError: Error | undefined;
  /** What opening found: records replayed, and bytes of an unfinished tail that were dropped. */
  readonly recovery: {
    readonly records: number;
    readonly entries: number;
    readonly droppedBytes: number;
  };
}

export interface Engine extends AsyncDisposable {
  get(key: BytesInput, options?: ReadOptions): Promise<Uint8Array | undefined>;
  getSync(key: BytesInput, options?: ReadOptions): Uint8Array | undefined;
  /** In the order of the keys. */
  getMany(keys: readonly BytesInput[], options?: ReadOptions): Promise<(Uint8Array | undefined)[]>;
  has(key: BytesInput, options?: ReadOptions): Promise<boolean>;
  /** Resolves when the write is as durable as asked (see `Durability`). */
  put(key: BytesInput, value: BytesInput, options?: PutOptions): Promise<void>;
  /** Deleting an absent key is fine. */
  delete(key: BytesInput, options?: WriteOptions): Promise<void>;
  /** All or nothing, also across a crash. */
  batch(operations: readonly BatchOperation[], options?: WriteOptions): Promise<void>;
  scan(options?: ScanOptions): Scan;
  snapshot(): Snapshot;
  /** Writes what is in memory into tables; resolves when they are durable. */
  flush(): Promise<void>;
  /** Merges the range down to its lowest level, which also drops deleted entries. */
  compact(range?: Range): Promise<void>;
  /** A consistent copy in a new directory: tables linked, the log copied. */
  checkpoint(directory: string): Promise<void>;
  /** About how many bytes on disk the range takes, memtables included. */
  approximateBytes(range?: Range): number;
  stats(): EngineStats;
  /** Idempotent. Lets running calls finish, then seals the log. */
  close(): Promise<void>;
}
