/**
 * The data blocks of one open table: from the cache, or read, verified and decompressed. Nothing
 * enters the cache or leaves this file before its checksum was right. Also owns the file: counted
 * by its users, and closed when the last is gone, since a read under way must not meet a reused
 * file descriptor.
 */
import { assert } from "../base/assert.ts";
import { readU32 } from "../base/bytes.ts";
import { placeSeed } from "../base/hash.ts";
import { type Disk, type DiskFile, readFully, readFullySync } from "../disk/disk.ts";
import type { ReadPace } from "../disk/read-pace.ts";
import { corruption, type EngineError } from "../errors.ts";
import { tableName } from "../files.ts";
import { damaged, entriesAt } from "./block.ts";
import type { BlockCache } from "./block-cache.ts";
import { inflate } from "./codec.ts";
import { blockDamage, codecNone, trailerBytes } from "./format.ts";
import { freshBytes, type RunBuffers } from "./run-buffers.ts";
import { openTableFile, readFailure } from "./tail.ts";

/** While the cache has room, a miss reads its neighbours too: that warms it 16 times faster. */
const aroundBytes = 64 << 10;

/** The body of a block: `bytes[at, end)`. */
export interface Body {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
}

/** Stored blocks as they stand in the file. */
export interface Run {
  readonly bytes: Uint8Array;
  readonly first: number;
  /** The block behind the last one. */
  readonly end: number;
}

/** Shared by all tables of a thread: what stands in it holds until the next synchronous read. */
const scratch = new Uint8Array(aroundBytes);

export interface BlockReaderOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly number: number;
  readonly cache: BlockCache;
  /** Told how long reads take; without one, nobody wants to know. */
  readonly pace?: ReadPace | undefined;
}

export class BlockReader {
  readonly count: number;
  readonly offsets: Uint32Array;
  /** Where `use` left a body. */
  bytes: Uint8Array = scratch;
  at = 0;
  end = 0;
  readonly #options: BlockReaderOptions;
  readonly #cache: BlockCache;
  readonly #slots: Int32Array;
  #file: DiskFile | undefined;
  #users = 1;
  #whenClosed: (() => void) | undefined;

  /** Without an open file, the first read opens it. */
  constructor(options: BlockReaderOptions, offsets: Uint32Array, file: DiskFile | undefined) {
    this.#options = options;
    this.#cache = options.cache;
    this.#file = file;
    this.offsets = offsets;
    this.count = offsets.length - 1;
    this.#slots = new Int32Array(this.count);
  }

  isCached(block: number): boolean {
    return this.#slots[block] !== 0;
  }

  /**
   * Leaves the body in `bytes[at, end)` until the next call for any table; false when it is not
   * in memory and reading is not allowed.
   */
  use(block: number, mayRead: boolean): boolean {
    const slot = this.#slots[block]!;
    const cache = this.#cache;
    if (slot !== 0) {
      cache.hits++;
      this.bytes = cache.bytesAt(slot);
      this.at = cache.offsetAt(slot);
      this.end = this.at + cache.touch(slot);
      return true;
    }
    if (!mayRead) return false;
    cache.misses++;
    this.#keep(this.#readIntoCache(block));
    return true;
  }

  /**
   * Reads a block that `use` did not find. The body is in a private buffer: what stands in the
   * cache may be gone by the time a promise has settled.
   */
  async load(block: number): Promise<Body> {
    this.#cache.misses++;
    const body = this.unpack(await this.loadRun(block, block + 1), block);
    // The table may have been let go of meanwhile; its slots are then no longer looked after.
    if (this.#users > 0) this.#insert(block, body);
    return body;
  }

  /** Blocks [first, end) in a private buffer, past the cache. */
  readRun(first: number, end: number, buffers?: RunBuffers): Run {
    const at = this.offsets[first]!;
    const length = this.offsets[end]! - at;
    const bytes = buffers?.take(length) ?? freshBytes(length);
    this.#readSync(bytes, length, at);
    return { bytes, first, end };
  }

  async loadRun(first: number, end: number): Promise<Run> {
    const at = this.offsets[first]!;
    const length = this.offsets[end]! - at;
    const bytes = freshBytes(length);
    this.retain();
    try {
      const read = () => readFully(this.#open(), bytes, length, at);
      const { pace } = this.#options;
      const got = await (pace === undefined ? read() : pace.timed(read));
      if (got !== length) throw this.damage(first, "the file ends inside of a block");
    } catch (cause) {
      throw readFailure(this.#options.number, at, cause);
    } finally {
      this.release();
    }
    return { bytes, first, end };
  }

  /** Verifies a block of a run and decompresses it where needed; throws what is wrong with it. */
  unpack(run: Run, block: number): Body {
    const { bytes } = run;
    const at = this.offsets[block]! - this.offsets[run.first]!;
    const length = this.offsets[block + 1]! - this.offsets[block]!;
    const seed = placeSeed(this.#options.number, this.offsets[block]!);
    const what = blockDamage(bytes, at, length, seed);
    if (what !== undefined) throw this.damage(block, what);
    const end = at + length - trailerBytes;
    if (bytes[end] === codecNone) return this.#approve({ bytes, at, end }, block);
    const raw = inflate(bytes, at, end - at, readU32(bytes, end + 1));
    if (raw === undefined) throw this.damage(block, "a block does not decompress");
    return this.#approve({ bytes: raw, at: 0, end: raw.length }, block);
  }

  damage(block: number, what: string): EngineError {
    const file = tableName(this.#options.number);
    return corruption({ file, offset: this.offsets[block]! }, what);
  }

  retain(): void {
    assert(this.#users > 0, "a closed table is not used again");
    this.#users++;
  }

  release(): void {
    assert(this.#users > 0, "a table is released as often as it was retained");
    this.#users--;
    if (this.#users > 0) return;
    this.#cache.forget(this.#slots);
    this.#file?.closeSync();
    this.#file = undefined;
    this.#whenClosed?.();
  }

  /** To be called once the file is closed. */
  onClosed(callback: () => void): void {
    this.#whenClosed = callback;
  }

  #readIntoCache(wanted: number): Body {
    const end = this.#cache.hasRoom ? this.#aroundEnd(wanted) : wanted + 1;
    const at = this.offsets[wanted]!;
    const length = this.offsets[end]! - at;
    if (length > scratch.length) {
      const run = this.readRun(wanted, end);
      return this.#admit(run, wanted);
    }
    this.#readSync(scratch, length, at);
    const run = { bytes: scratch, first: wanted, end };
    for (let block = wanted + 1; block < end; block++) {
      // A neighbour may be damaged: that is for those to say who ask for it.
      const seed = placeSeed(this.#options.number, this.offsets[block]!);
      const bytes = this.offsets[block + 1]! - this.offsets[block]!;
      if (blockDamage(scratch, this.offsets[block]! - at, bytes, seed) !== undefined) break;
      this.#admit(run, block);
    }
    return this.#admit(run, wanted);
  }

  #admit(run: Run, block: number): Body {
    const body = this.unpack(run, block);
    this.#insert(block, body);
    return body;
  }

  #insert(block: number, body: Body): void {
    this.#cache.insert(this.#slots, block, body.bytes, body.at, body.end - body.at);
  }

  /** The block behind the last one that is worth reading together with this one. */
  #aroundEnd(block: number): number {
    const limit = this.offsets[block]! + aroundBytes;
    let end = block + 1;
    while (end < this.count && this.offsets[end + 1]! <= limit && !this.isCached(end)) end++;
    return end;
  }

  #approve(body: Body, block: number): Body {
    if (entriesAt(body.bytes, body.at, body.end) !== damaged) return body;
    throw this.damage(block, "block header does not fit the block");
  }

  #keep(body: Body): void {
    this.bytes = body.bytes;
    this.at = body.at;
    this.end = body.end;
  }

  #readSync(target: Uint8Array, length: number, position: number): void {
    const { number, pace } = this.#options;
    const begun = pace === undefined ? 0 : pace.begin();
    let got = 0;
    try {
      got = readFullySync(this.#open(), target, 0, length, position);
    } catch (cause) {
      throw readFailure(number, position, cause);
    } finally {
      pace?.end(begun);
    }
    if (got === length) return;
    throw corruption({ file: tableName(number), offset: position }, "the file ends early");
  }

  #open(): DiskFile {
    assert(this.#users > 0, "a closed table is not read");
    const { disk, path, number } = this.#options;
    this.#file ??= openTableFile(disk, path, number);
    return this.#file;
  }
}
