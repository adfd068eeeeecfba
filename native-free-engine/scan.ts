/**
 * A scan: entries of one view in key order, a batch at a time. The work is synchronous in slices
 * of about a millisecond, so that a long scan never holds up the loop; where the disk has proved
 * slow, it waits for asynchronous reads instead. The walk begins with the first batch, because a
 * large memtable that nobody has scanned yet has to be put in order before, in slices too.
 */
import type { Pair, Scan } from "./api.ts";
import { compareBytes } from "./base/bytes.ts";
import { atEnd, blocked } from "./cursor.ts";
import { EngineError } from "./errors.ts";
import { register, takeKey } from "./key-register.ts";
import type { Turn } from "./turn.ts";
import type { EntryShown, Walk } from "./walk.ts";

/**
 * Keys, and values that cannot be views, are packed into buffers of this size. Scans share them, as
 * gets share theirs (copy-out.ts): with own ones, 5,000 scans of 50 entries took 8 major
 * collections, and 1 with these.
 */
const packBytes = 32 << 10;
let pack = new Uint8Array(0);
let packed = 0;
/** A scan that yields little still makes cursors and seeks: as much work as so many gets. */
const unitsPerCall = 8;
/** As much work as makes the turn look at the clock. */
const unitsPerLook = 16;
/** Entries between two looks at the clock. */
const entriesPerLook = 64;
const nothing = new Uint8Array(0);

export interface ScanBounds {
  /** First key that belongs to the scan; absent for the very first. */
  readonly low: Uint8Array | undefined;
  /** First key that no longer does. */
  readonly high: Uint8Array | undefined;
}

export interface ScanParts {
  /** Makes the walk; undefined when the sources need another slice of work before. */
  begin(): Walk | undefined;
  readonly bounds: ScanBounds;
  readonly reverse: boolean;
  readonly limit: number;
  readonly values: boolean;
  readonly turn: Turn;
  /** Lets go of the view. Called once. */
  readonly onClose: () => void;
}

export class EngineScan implements Scan {
  readonly #parts: ScanParts;
  #walk: Walk | undefined;
  /** Where the walk will begin, when it was told before there was one. */
  #sought: Uint8Array | undefined;
  #left: number;
  #started = false;
  #busy = false;
  #closed = false;
  #ended = false;

  constructor(parts: ScanParts) {
    this.#parts = parts;
    this.#left = parts.limit;
  }

  async nextMany(count: number): Promise<Pair[]> {
    if (!Number.isInteger(count) || count < 1) {
      throw new TypeError(`count must be a whole number above 0, got ${String(count)}`);
    }
    if (this.#closed) throw new EngineError("CLOSED", "the scan is closed");
    if (this.#busy) throw new TypeError("the previous nextMany of this scan has not finished");
    this.#busy = true;
    try {
      // Many short scans are one long one to the loop. They wait before the work: with what 128 of
      // them had read waiting for the turn, collecting garbage took a third of the time, and 50
      // entries cost 60 us instead of 25.
      const { turn } = this.#parts;
      if (turn.isOver(unitsPerCall)) await turn.admission();
      this.#walk ??= this.#parts.begin();
      while (this.#walk === undefined && !this.#closed) {
        if (turn.isOver(unitsPerLook)) await turn.later(undefined);
        this.#walk = this.#parts.begin();
      }
      const walk = this.#walk;
      if (this.#closed || walk === undefined) {
        throw new EngineError("CLOSED", "the scan was closed while it waited");
      }
      const pairs: Pair[] = [];
      const want = Math.min(count, this.#left);
      while (pairs.length < want && !this.#ended) {
        this.#fill(walk, pairs, want);
        if (pairs.length === want || this.#ended) break;
        if (walk.state === blocked) await walk.load();
        if (turn.isOver(entriesPerLook)) await turn.later(undefined);
        if (this.#closed) throw new EngineError("CLOSED", "the scan was closed while reading");
      }
      turn.isOver(pairs.length >>> 1);
      this.#left -= pairs.length;
      return pairs;
    } finally {
      this.#busy = false;
      if (this.#closed) this.#release();
    }
  }

  seek(key: string | Uint8Array): void {
    if (this.#closed) throw new EngineError("CLOSED", "the scan is closed");
    if (this.#busy) throw new TypeError("a scan cannot seek while nextMany runs");
    const length = takeKey(key);
    this.#ended = false;
    if (this.#walk === undefined) this.#sought = register.slice(0, length);
    else this.#seek(this.#walk, register, length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Pair, void, undefined> {
    try {
      for (let size = 16; ; size = Math.min(size * 2, 1024)) {
        const pairs = await this.nextMany(size);
        if (pairs.length === 0) return;
        yield* pairs;
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended = true;
    if (!this.#busy) this.#release();
  }

  #release(): void {
    this.#parts.onClose();
  }

  #seek(walk: Walk, key: Uint8Array, length: number): void {
    const { reverse, bounds } = this.#parts;
    const edge = reverse ? bounds.high : bounds.low;
    const side = edge === undefined ? 0 : compareBytes(key, 0, length, edge, 0, edge.length);
    this.#started = true;
    if (edge !== undefined && (reverse ? side >= 0 : side < 0)) this.#start(walk);
    else walk.seek(key, 0, length, true);
  }

  #start(walk: Walk): void {
    const { reverse, bounds } = this.#parts;
    this.#started = true;
    const { low, high } = bounds;
    const from = reverse ? high : low;
    if (from === undefined) walk.start();
    else walk.seek(from, 0, from.length, !reverse);
  }

  /** Adds entries until there are enough, the turn is over, or a read is needed. */
  #fill(walk: Walk, pairs: Pair[], want: number): void {
    const { turn } = this.#parts;
    if (!this.#started) {
      const sought = this.#sought;
      if (sought === undefined) this.#start(walk);
      else this.#seek(walk, sought, sought.length);
    }
    for (let looked = 0; pairs.length < want && walk.state !== blocked; looked++) {
      if (looked === entriesPerLook) {
        if (turn.isOver(entriesPerLook >> 1)) return;
        looked = 0;
      }
      if (walk.state === atEnd || this.#isOutside(walk.current)) {
        this.#ended = true;
        return;
      }
      pairs.push(this.#pairOf(walk.current));
      walk.next();
    }
  }

  #isOutside(cursor: EntryShown): boolean {
    const { bounds, reverse } = this.#parts;
    if (reverse) return bounds.low !== undefined && compareTo(cursor, bounds.low) < 0;
    return bounds.high !== undefined && compareTo(cursor, bounds.high) >= 0;
  }

  #pairOf(cursor: EntryShown): Pair {
    const keyLength = cursor.prefixLength + cursor.suffixLength;
    const copied = cursor.stable || !this.#parts.values ? 0 : cursor.valueLength;
    if (packed + keyLength + copied > pack.length) newPack(keyLength + copied);
    const into = pack;
    const { bytes, prefixAt, suffixAt } = cursor;
    let at = packed;
    for (let i = 0; i < cursor.prefixLength; i++) into[at++] = bytes[prefixAt + i]!;
    for (let i = 0; i < cursor.suffixLength; i++) into[at++] = bytes[suffixAt + i]!;
    const key = new Uint8Array(into.buffer, packed, keyLength);
    packed = at;
    return [key, this.#parts.values ? this.#valueOf(cursor) : nothing];
  }

  #valueOf(cursor: EntryShown): Uint8Array {
    const { bytes, valueAt, valueLength } = cursor;
    const at = bytes.byteOffset + valueAt;
    if (cursor.stable) return new Uint8Array(bytes.buffer, at, valueLength);
    const value = new Uint8Array(pack.buffer, packed, valueLength);
    value.set(new Uint8Array(bytes.buffer, at, valueLength));
    packed += valueLength;
    return value;
  }
}

function newPack(atLeast: number): void {
  // Not zeroed: every byte that is handed out is written first.
  pack = new Uint8Array(Buffer.allocUnsafeSlow(Math.max(packBytes, atLeast)).buffer);
  packed = 0;
}

function compareTo(cursor: EntryShown, key: Uint8Array): number {
  const { bytes, prefixAt, prefixLength } = cursor;
  const head = Math.min(prefixLength, key.length);
  const order = compareBytes(bytes, prefixAt, head, key, 0, head);
  if (order !== 0) return order;
  if (prefixLength > key.length) return 1;
  const rest = key.length - prefixLength;
  return compareBytes(bytes, cursor.suffixAt, cursor.suffixLength, key, prefixLength, rest);
}
