/**
 * What stands between an iterator of abstract-level and a scan of the engine: entries are read
 * ahead in small chunks, handed out in the form asked for, and a call stops where the bytes it
 * has gathered exceed the high-water mark. The limit is the iterator's business, because entries
 * that were read ahead and then dropped by a seek do not count.
 */
import type { Pair, Scan } from "../api.ts";
import { abortError, levelError } from "./errors.ts";
import { type FormatName, type Show, type Shown, showShared } from "./formats.ts";

export type Entry = [key: Shown | undefined, value: Shown | undefined];

export interface EntryOptions {
  readonly keys: boolean;
  readonly values: boolean;
  readonly keyEncoding: FormatName;
  readonly valueEncoding: FormatName;
  readonly highWaterMarkBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const defaultHighWaterMarkBytes = 16 << 10;
/**
 * Most entries of one read ahead. The engine counts entries, not bytes, so this bounds how far a
 * read can overshoot where small entries are followed by large ones.
 */
const chunkEntries = 128;
/** all() keeps everything anyway. */
const wholeChunkEntries = 1024;
/** Assumed before the first entry is seen. */
const firstEntryBytes = 2 << 10;
const none: readonly Pair[] = [];

/**
 * The scan, or one that fails when it is read: abstract-level's iterators of keys and values could
 * no longer be closed if making the iterator inside of them threw.
 */
export function scanOrFailure(open: () => Scan): Scan {
  try {
    return open();
  } catch (error) {
    return failedScan(error);
  }
}

export class EntryReader {
  readonly #scan: Scan;
  readonly #showKey: Show | undefined;
  readonly #showValue: Show | undefined;
  readonly #highWaterMarkBytes: number;
  readonly #signal: AbortSignal | undefined;
  #ahead = none;
  #taken = 0;
  #entryBytes = firstEntryBytes;
  /** Nobody has read since the start or the last seek: then one entry is often all they want. */
  #untouched = true;
  #ended = false;

  constructor(scan: Scan, options: EntryOptions) {
    this.#scan = scan;
    this.#showKey = options.keys ? showShared(options.keyEncoding) : undefined;
    this.#showValue = options.values ? showShared(options.valueEncoding) : undefined;
    // As classic-level reads it: an unsigned 32-bit integer, so that Infinity means 0.
    this.#highWaterMarkBytes = (options.highWaterMarkBytes ?? defaultHighWaterMarkBytes) >>> 0;
    this.#signal = options.signal;
  }

  /** How many entries were read and not yet handed out. */
  get ahead(): number {
    return this.#ahead.length - this.#taken;
  }

  /** Not a promise where the entry is already here. `room` is how many the limit still allows. */
  next(room: number): Entry | undefined | Promise<Entry | undefined> {
    if (this.#taken < this.#ahead.length) return this.#take();
    return this.#ended ? undefined : this.#nextFromScan(room);
  }

  async nextMany(count: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    let bytes = 0;
    while (entries.length < count && bytes <= this.#highWaterMarkBytes) {
      if (this.#taken === this.#ahead.length) {
        if (this.#ended) break;
        await this.#readAhead(count - entries.length, this.#highWaterMarkBytes - bytes);
        continue;
      }
      bytes += this.#bytesOf(this.#ahead[this.#taken]!);
      entries.push(this.#take());
    }
    return entries;
  }

  /** Everything that is left, whatever its size. */
  async all(room: number): Promise<Entry[]> {
    const entries: Entry[] = [];
    while (entries.length < room) {
      if (this.#taken === this.#ahead.length) {
        if (this.#ended) break;
        await this.#read(Math.min(wholeChunkEntries, room - entries.length));
        continue;
      }
      entries.push(this.#take());
    }
    return entries;
  }

  seek(target: string | Uint8Array): void {
    this.#ahead = none;
    this.#taken = 0;
    this.#ended = false;
    this.#untouched = true;
    try {
      this.#scan.seek(target);
    } catch (error) {
      throw levelError(error);
    }
  }

  close(): Promise<void> {
    this.#ahead = none;
    this.#taken = 0;
    return this.#scan.close();
  }

  async #nextFromScan(room: number): Promise<Entry | undefined> {
    if (this.#untouched) await this.#read(1);
    else await this.#readAhead(room, this.#highWaterMarkBytes);
    return this.#taken < this.#ahead.length ? this.#take() : undefined;
  }

  /** As many entries as will about reach the bytes left. */
  #readAhead(room: number, bytesLeft: number): Promise<void> {
    const fitting = Math.floor(bytesLeft / this.#entryBytes) + 1;
    return this.#read(Math.min(room, fitting, chunkEntries));
  }

  async #read(count: number): Promise<void> {
    this.#untouched = false;
    let pairs: readonly Pair[];
    try {
      pairs = await this.#scan.nextMany(count);
    } catch (error) {
      throw levelError(error);
    }
    // The signal may have come while the read was under way, or in the caller's same turn.
    if (this.#signal?.aborted) throw abortError(this.#signal.reason);
    this.#ahead = pairs;
    this.#taken = 0;
    if (pairs.length < count) this.#ended = true;
    if (pairs.length === 0) return;
    const bytes = pairs.reduce((sum, pair) => sum + this.#bytesOf(pair), 0);
    this.#entryBytes = Math.max(1, bytes / pairs.length);
  }

  #take(): Entry {
    const [key, value] = this.#ahead[this.#taken++]!;
    return [this.#showKey?.(key), this.#showValue?.(value)];
  }

  /** What counts is what the caller gets. */
  #bytesOf([key, value]: Pair): number {
    const keyBytes = this.#showKey === undefined ? 0 : key.length;
    return this.#showValue === undefined ? keyBytes : keyBytes + value.length;
  }
}

function failedScan(error: unknown): Scan {
  const fail = () => Promise.reject(error);
  return {
    nextMany: fail,
    seek: () => {},
    close: async () => {},
    [Symbol.asyncIterator]: () => ({ next: fail }),
  };
}
