/**
 * The engine's public methods. Arguments are checked here; then a write goes to commit.ts, which
 * fills the active segment (segments.ts) that background.ts flushes when it is full; a point read
 * goes to reader.ts, a scan to open-scan.ts. Async methods never throw: they reject.
 */
import type {
  BatchOperation,
  BytesInput,
  Engine,
  EngineStats,
  PutOptions,
  Range,
  ReadOptions,
  Scan,
  ScanOptions,
  Snapshot,
  WriteOptions,
} from "./api.ts";
import { describe } from "./base/text.ts";
import { checkpoint } from "./checkpoint.ts";
import type { SnapshotMark } from "./compaction/job.ts";
import { pickRange } from "./compaction/pick.ts";
import { kindExpiring, kindTombstone, kindValue } from "./cursor.ts";
import { coded, EngineError } from "./errors.ts";
import { expiryOf } from "./expiry.ts";
import { approximateBytes, openScan } from "./open-scan.ts";
import type { EngineParts } from "./parts.ts";
import { boundsOf } from "./range.ts";
import { statsOf } from "./stats.ts";

const nothing = new Uint8Array(0);
const noOptions = {};

export class LsmEngine implements Engine {
  readonly #parts: EngineParts;
  readonly #syncs: boolean;
  #closing: Promise<void> | undefined;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#syncs = parts.settings.durability === "sync";
  }

  get(key: BytesInput, options: ReadOptions = noOptions): Promise<Uint8Array | undefined> {
    try {
      return this.#parts.reader.get(key, this.#readable(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  getSync(key: BytesInput, options: ReadOptions = noOptions): Uint8Array | undefined {
    return this.#parts.reader.getSync(key, this.#readable(options));
  }

  async getMany(
    keys: readonly BytesInput[],
    options: ReadOptions = noOptions,
  ): Promise<(Uint8Array | undefined)[]> {
    const mark = this.#readable(options);
    if (!Array.isArray(keys)) throw new TypeError(`keys must be an array, got ${describe(keys)}`);
    return this.#parts.reader.getMany(keys, mark);
  }

  has(key: BytesInput, options: ReadOptions = noOptions): Promise<boolean> {
    try {
      return this.#parts.reader.has(key, this.#readable(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  put(key: BytesInput, value: BytesInput, options: PutOptions = noOptions): Promise<void> {
    try {
      this.#checkWritable();
      const sync = options.sync ?? this.#syncs;
      const { ttlMs } = options;
      if (ttlMs === undefined) return this.#parts.commit.write(kindValue, key, value, 0, sync);
      const expiry = expiryOf(ttlMs, this.#parts.clock.now());
      return this.#parts.commit.write(kindExpiring, key, value, expiry, sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  delete(key: BytesInput, options: WriteOptions = noOptions): Promise<void> {
    try {
      this.#checkWritable();
      const sync = options.sync ?? this.#syncs;
      return this.#parts.commit.write(kindTombstone, key, nothing, 0, sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  batch(operations: readonly BatchOperation[], options: WriteOptions = noOptions): Promise<void> {
    try {
      this.#checkWritable();
      if (!Array.isArray(operations)) {
        throw new TypeError(`operations must be an array, got ${describe(operations)}`);
      }
      const sync = options.sync ?? this.#syncs;
      return this.#parts.commit.writeBatch(operations, this.#parts.clock.now(), sync);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  scan(options: ScanOptions = noOptions): Scan {
    return openScan(this.#parts, options, this.#readable(options));
  }

  snapshot(): Snapshot {
    this.#checkOpen();
    return this.#parts.snapshots.take(this.#parts.tree.sequence, this.#parts.clock.now());
  }

  async flush(): Promise<void> {
    this.#checkWritable();
    const { commit, tree, segments, background } = this.#parts;
    while (!commit.flushGroup()) await commit.settled();
    if (commit.failure !== undefined) throw commit.failure;
    if (tree.active.memtable.keyCount > 0 && !segments.sealActive(0)) throw commit.failure;
    await background.flushed();
  }

  async compact(range: Range = noOptions): Promise<void> {
    const bounds = boundsOf(range);
    await this.flush();
    const { background, tree, snapshots, clock, takeNumber } = this.#parts;
    const before = takeNumber();
    await background.compactBy(() => {
      const state = { before, now: clock.now(), marks: snapshots.marks() };
      return pickRange(tree.set.version, bounds, state);
    });
    if (background.failure !== undefined) throw background.failure;
  }

  async checkpoint(directory: string): Promise<void> {
    if (typeof directory !== "string" || directory === "") {
      throw new TypeError(`directory must be a path, got ${describe(directory)}`);
    }
    this.#checkWritable();
    try {
      await checkpoint(this.#parts, directory);
    } catch (error) {
      throw coded(error, "checkpoint");
    }
  }

  approximateBytes(range: Range = noOptions): number {
    this.#checkOpen();
    return approximateBytes(this.#parts, range);
  }

  stats(): EngineStats {
    return statsOf(this.#parts);
  }

  close(): Promise<void> {
    this.#closing ??= this.#parts.shutDown();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #readable(options: ReadOptions): SnapshotMark | undefined {
    if (this.#closing !== undefined) throw closed();
    const { snapshot } = options;
    return snapshot === undefined ? undefined : this.#parts.snapshots.markOf(snapshot);
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw closed();
  }

  #checkWritable(): void {
    if (this.#closing !== undefined) throw closed();
    const { settings, space } = this.#parts;
    if (settings.readOnly) {
      throw new EngineError("READ_ONLY", "the engine was opened with readOnly: true");
    }
    const refusal = space.refusal;
    if (refusal !== undefined) throw refusal;
  }
}

function closed(): EngineError {
  return new EngineError("CLOSED", "the engine is closed");
}
