/**
 * The door for users of Level: `import { EverwriteLevel } from "everwrite/level"` takes the place
 * of classic-level's class. abstract-level does encodings, sublevels, hooks and states; here its
 * private methods become calls of the engine. Reads call the engine synchronously, so that they
 * see the state at the call whatever is written while they settle.
 */
import { resolve } from "node:path";
import {
  type AbstractIterator,
  type AbstractIteratorOptions,
  type AbstractKeyIterator,
  AbstractLevel,
  type AbstractValueIterator,
  type Transcoder,
} from "abstract-level";
import type { Engine, BatchOperation as EngineOperation } from "./api.ts";
import { destroyEngine, openEngine, type SalvageReport, salvageEngine } from "./index.ts";
import { type EntryOptions, EntryReader, scanOrFailure } from "./level/entry-reader.ts";
import { levelError, notOpen, rethrow } from "./level/errors.ts";
import { bytesOf, copyOf, type Shown, showFound } from "./level/formats.ts";
import {
  type BatchOperation,
  type BatchOptions,
  type DatabaseOptions,
  type DelOptions,
  engineOptionsOf,
  type GetManyOptions,
  type GetOptions,
  type HasManyOptions,
  type HasOptions,
  type IteratorOptions,
  type KeyIteratorOptions,
  type OpenOptions,
  type PutOptions,
  type StartEndOptions,
  type ValueIteratorOptions,
  type WriteOptions,
} from "./level/options.ts";
import { propertyOf } from "./level/properties.ts";
import { clearRange, hasMany } from "./level/ranges.ts";
import {
  type Operation,
  type RangeRequest,
  type ReadRequest,
  rangeOf,
  readOf,
  refuseNoBounds,
  refuseNoLocation,
} from "./level/requests.ts";
import {
  type ChainedBatch,
  LevelBatch,
  LevelIterator,
  LevelSnapshot,
  snapshotIn,
} from "./level/resources.ts";

export type { AbstractSnapshot as Snapshot } from "abstract-level";
export type { SalvageReport } from "./index.ts";
export { type LevelCode, LevelError } from "./level/errors.ts";
export type * from "./level/options.ts";
export type { ChainedBatch } from "./level/resources.ts";
export type Iterator<TDatabase, K, V> = AbstractIterator<TDatabase, K, V>;
export type KeyIterator<TDatabase, K> = AbstractKeyIterator<TDatabase, K>;
export type ValueIterator<TDatabase, K, V> = AbstractValueIterator<TDatabase, K, V>;

const manifest = {
  encodings: { utf8: true, buffer: true, view: true },
  has: true,
  getSync: true,
  createIfMissing: true,
  errorIfExists: true,
  explicitSnapshots: true,
  signals: { iterators: true },
  additionalMethods: { approximateSize: true, compactRange: true, flush: true, checkpoint: true },
};

/** Typings only: the methods of abstract-level with the options that are ours. */
export interface EverwriteLevel<KDefault = string, VDefault = string> {
  open(): Promise<void>;
  open(options: OpenOptions): Promise<void>;
  get(key: KDefault): Promise<VDefault | undefined>;
  get<K = KDefault, V = VDefault>(key: K, options: GetOptions<K, V>): Promise<V | undefined>;
  getSync(key: KDefault): VDefault | undefined;
  getSync<K = KDefault, V = VDefault>(key: K, options: GetOptions<K, V>): V | undefined;
  getMany(keys: KDefault[]): Promise<(VDefault | undefined)[]>;
  getMany<K = KDefault, V = VDefault>(
    keys: K[],
    options: GetManyOptions<K, V>,
  ): Promise<(V | undefined)[]>;
  has(key: KDefault): Promise<boolean>;
  has<K = KDefault>(key: K, options: HasOptions<K>): Promise<boolean>;
  hasMany(keys: KDefault[]): Promise<boolean[]>;
  hasMany<K = KDefault>(keys: K[], options: HasManyOptions<K>): Promise<boolean[]>;
  put(key: KDefault, value: VDefault): Promise<void>;
  put<K = KDefault, V = VDefault>(key: K, value: V, options: PutOptions<K, V>): Promise<void>;
  del(key: KDefault): Promise<void>;
  del<K = KDefault>(key: K, options: DelOptions<K>): Promise<void>;
  batch(): ChainedBatch<this, KDefault, VDefault>;
  batch(operations: BatchOperation<this, KDefault, VDefault>[]): Promise<void>;
  batch<K = KDefault, V = VDefault>(
    operations: BatchOperation<this, K, V>[],
    options: BatchOptions<K, V>,
  ): Promise<void>;
  iterator(): Iterator<this, KDefault, VDefault>;
  iterator<K = KDefault, V = VDefault>(options: IteratorOptions<K, V>): Iterator<this, K, V>;
  keys(): KeyIterator<this, KDefault>;
  keys<K = KDefault>(options: KeyIteratorOptions<K>): KeyIterator<this, K>;
  values(): ValueIterator<this, KDefault, VDefault>;
  values<K = KDefault, V = VDefault>(
    options: ValueIteratorOptions<K, V>,
  ): ValueIterator<this, K, V>;
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: inherited methods implement it.
export class EverwriteLevel<KDefault = string, VDefault = string> extends AbstractLevel<
  string | Buffer | Uint8Array,
  KDefault,
  VDefault
> {
  readonly #location: string;
  #engine: Engine | undefined;
  /** Operations of several steps, which close() lets finish. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(location: string, options?: DatabaseOptions<KDefault, VDefault> | undefined) {
    refuseNoLocation(location);
    super(manifest, options);
    this.#location = location;
  }

  /** As it was passed to the constructor. */
  get location(): string {
    return this.#location;
  }

  /** About how many bytes on disk the keys from `start` up to and without `end` take. */
  async approximateSize<K = KDefault>(
    start: K,
    end: K,
    options?: StartEndOptions<K>,
  ): Promise<number> {
    refuseNoBounds(start, end);
    return this.#whenOpen(async (engine) => {
      const [gte, lt] = this.#bounds(start, end, options);
      return engine.approximateBytes({ gte, lt });
    });
  }

  /** Merges the keys from `start` to `end` down to their lowest level. */
  async compactRange<K = KDefault>(start: K, end: K, options?: StartEndOptions<K>): Promise<void> {
    refuseNoBounds(start, end);
    return this.#whenOpen((engine) => {
      const [gte, lte] = this.#bounds(start, end, options);
      return engine.compact({ gte, lte });
    });
  }

  /** Writes what is in memory into tables. */
  async flush(): Promise<void> {
    return this.#whenOpen((engine) => engine.flush());
  }

  /** A consistent copy in a new directory, made of links where the file system can. */
  async checkpoint(directory: string): Promise<void> {
    return this.#whenOpen((engine) => engine.checkpoint(directory));
  }

  /** Numbers under LevelDB's names for them, the empty string for others. */
  getProperty(property: string): string {
    if (typeof property !== "string") {
      throw new TypeError("property must be a string, as in 'leveldb.stats'");
    }
    if (this.status !== "open") throw notOpen();
    return propertyOf(this.#opened().stats(), property);
  }

  /** Removes a closed database: its own files, and the directory if nothing else is in it. */
  static async destroy(location: string): Promise<void> {
    refuseNoLocation(location);
    await destroyEngine(resolve(location)).catch(rethrow);
  }

  /** Makes a damaged, closed database openable again with everything that can still be read. */
  static async repair(location: string): Promise<SalvageReport> {
    refuseNoLocation(location);
    return salvageEngine(resolve(location)).catch(rethrow);
  }

  async _open(options: OpenOptions): Promise<void> {
    // Absolute, so that process.chdir() does not move the database.
    const directory = resolve(this.#location);
    this.#engine = await openEngine(directory, engineOptionsOf(options)).catch(rethrow);
  }

  async _close(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#engine?.close().catch(rethrow);
    this.#engine = undefined;
  }

  _get(key: Shown, options: ReadRequest): Promise<Shown | undefined> {
    const found = this.#opened().get(bytesOf(key), readOf(options));
    return found.then(showFound(options.valueEncoding), rethrow);
  }

  _getSync(key: Shown, options: ReadRequest): Shown | undefined {
    try {
      const found = this.#opened().getSync(bytesOf(key), readOf(options));
      return showFound(options.valueEncoding)(found);
    } catch (error) {
      throw levelError(error);
    }
  }

  _getMany(keys: readonly Shown[], options: ReadRequest): Promise<(Shown | undefined)[]> {
    const found = this.#opened().getMany(keys.map(bytesOf), readOf(options));
    const show = showFound(options.valueEncoding);
    return found.then((values) => values.map(show), rethrow);
  }

  _has(key: Shown, options: ReadRequest): Promise<boolean> {
    return this.#opened().has(bytesOf(key), readOf(options)).catch(rethrow);
  }

  async _hasMany(keys: readonly Shown[], options: ReadRequest): Promise<boolean[]> {
    const { snapshot } = options;
    // The caller's hold on the snapshot ends with this call's first wait.
    snapshot?.ref();
    try {
      const answers = hasMany(this.#opened(), keys.map(copyOf), snapshotIn(options));
      return await this.#finish(answers);
    } finally {
      snapshot?.unref();
    }
  }

  _put(key: Shown, value: Shown, options: PutOptions<unknown, unknown>): Promise<void> {
    return this.#opened().put(bytesOf(key), bytesOf(value), options).catch(rethrow);
  }

  _del(key: Shown, options: WriteOptions): Promise<void> {
    return this.#opened().delete(bytesOf(key), options).catch(rethrow);
  }

  _batch(operations: Operation[], options: WriteOptions): Promise<void> {
    for (const operation of operations) {
      operation.key = bytesOf(operation.key);
      if (operation.type === "put") operation.value = bytesOf(operation.value);
    }
    const ready: readonly EngineOperation[] = operations;
    return this.#opened().batch(ready, options).catch(rethrow);
  }

  _chainedBatch(): LevelBatch<this, KDefault, VDefault> {
    return new LevelBatch(this, this.#opened());
  }

  _clear(options: RangeRequest): Promise<void> {
    const { reverse, limit } = options;
    const range = { ...rangeOf(options), ...readOf(options), reverse, limit };
    return this.#finish(clearRange(this.#opened(), range));
  }

  _iterator(
    options: RangeRequest & EntryOptions & AbstractIteratorOptions<KDefault, VDefault>,
  ): LevelIterator<this, KDefault, VDefault> {
    const { reverse, values } = options;
    const scan = scanOrFailure(() =>
      this.#opened().scan({ ...rangeOf(options), ...readOf(options), reverse, values }),
    );
    return new LevelIterator(this, options, new EntryReader(scan, options));
  }

  _snapshot(options: { owner: object }): LevelSnapshot {
    return new LevelSnapshot(this.#opened().snapshot(), options);
  }

  #opened(): Engine {
    if (this.#engine === undefined) throw notOpen();
    return this.#engine;
  }

  /** Runs once the database is open, and before it closes. */
  async #whenOpen<T>(operation: (engine: Engine) => Promise<T>): Promise<T> {
    if (this.status === "opening") return this.deferAsync(() => this.#whenOpen(operation));
    if (this.status !== "open") throw notOpen();
    return this.#finish(operation(this.#opened()));
  }

  async #finish<T>(operation: Promise<T>): Promise<T> {
    this.#running.add(operation);
    try {
      return await operation;
    } catch (error) {
      throw levelError(error);
    } finally {
      this.#running.delete(operation);
    }
  }

  #bounds<K>(
    start: K,
    end: K,
    options: StartEndOptions<K> | undefined,
  ): [start: string | Uint8Array, end: string | Uint8Array] {
    // The typings know names and objects apart, and that leaving it out stands for the default.
    const given = options?.keyEncoding as Transcoder.MixedEncoding<K, Shown, K>;
    const encoding = this.keyEncoding(given);
    return [bytesOf(encoding.encode(start)), bytesOf(encoding.encode(end))];
  }
}
