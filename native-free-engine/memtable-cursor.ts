/**
 * A cursor over the keys of a memtable as they were at one instant: one entry a key, its newest
 * version below the limit. Reads the arena in place; never blocks.
 */
import { compareBytes, headOf } from "./base/bytes.ts";
import { atEnd, atEntry, type Cursor } from "./cursor.ts";
import { keyLengthMask, keyOffset } from "./log/operation.ts";
import { wordsOf } from "./log/sort-operations.ts";
import type { Memtable } from "./memtable.ts";
import { emptyFound } from "./table/found.ts";

export class MemtableCursor implements Cursor {
  state = atEnd;
  bytes: Uint8Array;
  prefixAt = 0;
  prefixLength = 0;
  suffixAt = 0;
  suffixLength = 0;
  valueAt = 0;
  valueLength = 0;
  kind = 0;
  sequence = 0;
  expiry = 0;
  head = 0;
  /** The arena may be reused once its flush is done, so values must be copied. */
  readonly stable = false;
  readonly #memtable: Memtable;
  readonly #words: Int32Array;
  readonly #ordered: Int32Array;
  readonly #limit: number;
  readonly #skip: number;
  readonly #found = emptyFound();
  #position = 0;

  /** `limit` is the offset below which operations are visible. */
  constructor(memtable: Memtable, limits: { readonly limit: number; readonly skip: number }) {
    this.#memtable = memtable;
    this.bytes = memtable.arena;
    this.#words = wordsOf(memtable.arena);
    this.#ordered = memtable.ordered();
    this.#limit = limits.limit;
    this.#skip = limits.skip;
  }

  first(): void {
    this.#settle(0, 1);
  }

  last(): void {
    this.#settle(this.#ordered.length - 1, -1);
  }

  seek(key: Uint8Array, at: number, length: number): void {
    this.#settle(this.#lowerBound(key, at, length, 0), 1);
  }

  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    this.#settle(this.#lowerBound(key, at, length, orEqual ? 1 : 0) - 1, -1);
  }

  next(): void {
    this.#settle(this.#position + 1, 1);
  }

  previous(): void {
    this.#settle(this.#position - 1, -1);
  }

  load(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    this.state = atEnd;
  }

  /** The share of keys in [low, high), from 0 to 1. */
  shareWithin(low: Uint8Array | undefined, high: Uint8Array | undefined): number {
    const all = this.#ordered.length;
    const from = low === undefined ? 0 : this.#lowerBound(low, 0, low.length, 0);
    const to = high === undefined ? all : this.#lowerBound(high, 0, high.length, 0);
    return Math.max(0, to - from) / all;
  }

  /** Shows the nearest key from that position on, in that direction, that is visible. */
  #settle(from: number, step: number): void {
    const ordered = this.#ordered;
    for (let i = from; i >= 0 && i < ordered.length; i += step) {
      const first = ordered[i]!;
      const at = this.#memtable.newestOf(first, this.#limit);
      if (at === 0) continue;
      this.#position = i;
      this.#show(at);
      return;
    }
    this.state = atEnd;
  }

  #show(at: number): void {
    const found = this.#found;
    this.#memtable.describe(at, found);
    const kindAndKey = this.#words[(at >>> 2) + 1]!;
    this.suffixAt = keyOffset(at, found.kind);
    this.suffixLength = kindAndKey & keyLengthMask;
    this.valueAt = found.at;
    this.valueLength = found.length;
    this.kind = found.kind;
    this.expiry = found.expiry;
    this.sequence = found.sequence;
    this.head = headOf(this.bytes, this.suffixAt + this.#skip, this.suffixLength - this.#skip);
    this.state = atEntry;
  }

  /** The first position whose key compares with the given one at `order` or above. */
  #lowerBound(key: Uint8Array, at: number, length: number, order: 0 | 1): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const operation = this.#ordered[middle]!;
      const kindAndKey = this.#words[(operation >>> 2) + 1]!;
      const keyAt = keyOffset(operation, kindAndKey >>> 24);
      const side = compareBytes(this.bytes, keyAt, kindAndKey & keyLengthMask, key, at, length);
      if (side < 0 || (order === 1 && side === 0)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
