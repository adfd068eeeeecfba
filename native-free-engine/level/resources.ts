/**
 * What a user of EverwriteLevel holds besides the database: iterators, snapshots, chained batches.
 * abstract-level does the book-keeping (busy, closed, reference counts) and calls the methods with
 * an underscore.
 */
import {
  AbstractChainedBatch,
  AbstractIterator,
  type AbstractIteratorOptions,
  AbstractSnapshot,
} from "abstract-level";
import type { BatchOperation, Engine, Snapshot, WriteOptions } from "../api.ts";
import type { Entry, EntryReader } from "./entry-reader.ts";
import { rethrow } from "./errors.ts";
import { copyOf, type Shown } from "./formats.ts";
import type { ChainedBatchPutOptions, ChainedBatchWriteOptions, ExpiryOptions } from "./options.ts";

export class LevelIterator<TDatabase, K, V> extends AbstractIterator<TDatabase, K, V> {
  readonly #reader: EntryReader;

  constructor(db: TDatabase, options: AbstractIteratorOptions<K, V>, reader: EntryReader) {
    super(db, options);
    this.#reader = reader;
  }

  /** How many entries have been read ahead of next(). */
  get cached(): number {
    return this.#reader.ahead;
  }

  _next(): Entry | undefined | Promise<Entry | undefined> {
    return this.#reader.next(this.limit - this.count);
  }

  _nextv(size: number): Promise<Entry[]> {
    return this.#reader.nextMany(size);
  }

  _all(): Promise<Entry[]> {
    return this.#reader.all(this.limit - this.count);
  }

  _seek(target: Shown): void {
    this.#reader.seek(copyOf(target));
  }

  _close(): Promise<void> {
    return this.#reader.close();
  }
}

export class LevelSnapshot extends AbstractSnapshot {
  readonly inner: Snapshot;

  constructor(inner: Snapshot, options: { owner: object }) {
    // The typings leave out the constructor's argument: the database that will close it.
    super(...([options] as unknown as []));
    this.inner = inner;
  }

  _close(): Promise<void> {
    return this.inner.close();
  }
}

/** The engine's side of the snapshot in read options. */
export function snapshotIn(options: {
  snapshot?: AbstractSnapshot | undefined;
}): Snapshot | undefined {
  const { snapshot } = options;
  if (snapshot === undefined || snapshot === null) return undefined;
  if (snapshot instanceof LevelSnapshot) return snapshot.inner;
  throw new TypeError("options.snapshot must come from snapshot() of this database");
}

/** Holds operations until write(), so their bytes are copied: callers reuse buffers. */
export class LevelBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  readonly #engine: Engine;
  #operations: BatchOperation[] = [];

  constructor(db: TDatabase, engine: Engine) {
    super(db);
    this.#engine = engine;
  }

  _put(key: Shown, value: Shown, { ttlMs }: ExpiryOptions): void {
    this.#operations.push({ type: "put", key: copyOf(key), value: copyOf(value), ttlMs });
  }

  _del(key: Shown): void {
    this.#operations.push({ type: "del", key: copyOf(key) });
  }

  _clear(): void {
    this.#operations = [];
  }

  _write(options: WriteOptions): Promise<void> {
    return this.#engine.batch(this.#operations, options).catch(rethrow);
  }
}

/** Typings only: the options that are ours. */
export interface ChainedBatch<TDatabase, K, V> extends AbstractChainedBatch<TDatabase, K, V> {
  put(key: K, value: V): this;
  put<KGiven = K, VGiven = V>(
    key: KGiven,
    value: VGiven,
    options: ChainedBatchPutOptions<TDatabase, KGiven, VGiven>,
  ): this;
  write(): Promise<void>;
  write(options: ChainedBatchWriteOptions): Promise<void>;
}
