/**
 * What EverwriteLevel understands beyond abstract-level, and how classic-level's names of things
 * become the engine's. Options that only make sense for LevelDB are accepted and change nothing.
 */
import type {
  AbstractBatchOperation,
  AbstractBatchOptions,
  AbstractChainedBatchDelOptions,
  AbstractChainedBatchPutOptions,
  AbstractChainedBatchWriteOptions,
  AbstractDatabaseOptions,
  AbstractDelOptions,
  AbstractGetManyOptions,
  AbstractGetOptions,
  AbstractHasManyOptions,
  AbstractHasOptions,
  AbstractIteratorOptions,
  AbstractKeyIteratorOptions,
  AbstractOpenOptions,
  AbstractPutOptions,
  AbstractValueIteratorOptions,
  Transcoder,
} from "abstract-level";
import type { Compression, Durability, EngineOptions } from "../api.ts";
import { cacheBytesMax, memtableBytesMax, memtableBytesMin } from "../base/limits.ts";

export interface OpenOptions extends AbstractOpenOptions {
  /** `true` stands for deflate on all levels. Default `false`: values are stored as they are. */
  compression?: boolean | Compression | undefined;
  /** Most bytes of the block cache. Default: an eighth of memory, at most 256 MiB. */
  cacheSize?: number | undefined;
  /** Bytes that are gathered in memory and one log before they become a table. Default 16 MiB. */
  writeBufferSize?: number | undefined;
  /** Open without the lock, beside a live writer; sees the state at opening. */
  readOnly?: boolean | undefined;
  /** When a write without `sync` is acknowledged. Default `os`. */
  durability?: Durability | undefined;
  /** No effect: one instance of one thread holds a database. */
  multithreading?: boolean | undefined;
  /** No effect, as for the three below: the engine chooses. */
  blockSize?: number | undefined;
  maxOpenFiles?: number | undefined;
  blockRestartInterval?: number | undefined;
  maxFileSize?: number | undefined;
}

export interface ReadOptions {
  /** No effect: what is read once seldom displaces what is read often. */
  fillCache?: boolean | undefined;
}

export interface WriteOptions {
  /** Resolve only when the write survives a power cut. Default `false`. */
  sync?: boolean | undefined;
}

export interface ExpiryOptions {
  /** The entry disappears this many milliseconds from now. */
  ttlMs?: number | undefined;
}

export interface AdditionalIteratorOptions extends ReadOptions {
  /** `nextv()` stops once its entries exceed this many bytes. Default 16 KiB. */
  highWaterMarkBytes?: number | undefined;
}

export interface StartEndOptions<K> {
  /** Encoding of `start` and `end`. */
  keyEncoding?: string | Transcoder.PartialEncoder<K> | undefined;
}

export interface DatabaseOptions<K, V>
  extends AbstractDatabaseOptions<K, V>,
    Omit<OpenOptions, "passive"> {}
export interface GetOptions<K, V> extends AbstractGetOptions<K, V>, ReadOptions {}
export interface GetManyOptions<K, V> extends AbstractGetManyOptions<K, V>, ReadOptions {}
export interface HasOptions<K> extends AbstractHasOptions<K>, ReadOptions {}
export interface HasManyOptions<K> extends AbstractHasManyOptions<K>, ReadOptions {}
export interface PutOptions<K, V> extends AbstractPutOptions<K, V>, WriteOptions, ExpiryOptions {}
export interface DelOptions<K> extends AbstractDelOptions<K>, WriteOptions {}
export interface BatchOptions<K, V>
  extends AbstractBatchOptions<K, V>,
    WriteOptions,
    ExpiryOptions {}
export type BatchOperation<TDatabase, K, V> = AbstractBatchOperation<TDatabase, K, V> &
  ExpiryOptions;
export interface ChainedBatchPutOptions<TDatabase, K, V>
  extends AbstractChainedBatchPutOptions<TDatabase, K, V>,
    ExpiryOptions {}
export type ChainedBatchDelOptions<TDatabase, K> = AbstractChainedBatchDelOptions<TDatabase, K>;
export interface ChainedBatchWriteOptions extends AbstractChainedBatchWriteOptions, WriteOptions {}
export type IteratorOptions<K, V> = AbstractIteratorOptions<K, V> & AdditionalIteratorOptions;
export type KeyIteratorOptions<K> = AbstractKeyIteratorOptions<K> & AdditionalIteratorOptions;
export type ValueIteratorOptions<K, V> = AbstractValueIteratorOptions<K, V> &
  AdditionalIteratorOptions;

/** Sizes beyond what the engine allows are brought into its range, as LevelDB does. */
export function engineOptionsOf(options: OpenOptions): EngineOptions {
  const { createIfMissing, errorIfExists, readOnly, durability } = options;
  const { compression, cacheSize, writeBufferSize } = options;
  return {
    ...(createIfMissing !== undefined && { createIfMissing }),
    ...(errorIfExists !== undefined && { errorIfExists }),
    ...(readOnly !== undefined && { readOnly }),
    ...(durability !== undefined && { durability }),
    ...(compression !== undefined && { compression: compressionOf(compression) }),
    ...(cacheSize !== undefined && { cacheBytes: within(cacheSize, 0, cacheBytesMax) }),
    ...(writeBufferSize !== undefined && {
      memtableBytes: within(writeBufferSize, memtableBytesMin, memtableBytesMax),
    }),
  };
}

function compressionOf(choice: boolean | Compression): Compression {
  if (typeof choice !== "boolean") return choice;
  return choice ? "deflate" : "none";
}

/** Anything but a number passes, and the engine's refusal names the option. */
function within(size: number, min: number, max: number): number {
  return typeof size === "number" ? Math.floor(Math.min(Math.max(size, min), max)) : size;
}
