/**
 * A cursor over the keys of a memtable as they were at one instant: one entry a key, its newest
 * version below the limit. Reads the arena in place; never blocks.
 */
import { headOf } from "./base/bytes.ts";
import { atEnd, atEntry, type Cursor } from "./cursor.ts";
import { keyLengthMask, keyOffset } from "./log/operation.ts";
import { wordsOf } from "./log/sort-operations.ts";
import type { Memtable } from "./memtable.ts";
import type { MemtableOrder } from "./memtable-order.ts";
import { emptyFound } from "./table/found.ts";

const noKeys: Int32Array = new Int32Array(0);

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
  readonly #order: MemtableOrder;
  readonly #limit: number;
  readonly #skip: number;
  readonly #found = emptyFound();
  /** The keys of one bucket: the one that the cursor stands in. */
  #keys = noKeys;
  #position = 0;

  /** `limit` is the offset below which operations are visible. */
  constructor(memtable: Memtable, limits: { readonly limit: number; readonly skip: number }) {
    this.#memtable = memtable;
    this.bytes = memtable.arena;
    this.#words = wordsOf(memtable.arena);
    this.#order = memtable.order(limits.limit);
    this.#limit = limits.limit;
    this.#skip = limits.skip;
  }

  first(): void {
    this.#keys = this.#order.edge(1);
    this.#settle(0, 1);
  }

  last(): void {
    this.#keys = this.#order.edge(-1);
    this.#settle(this.#keys.length - 1, -1);
  }

  seek(key: Uint8Array, at: number, length: number): void {
    this.#keys = this.#order.around(key, at, length);
    this.#settle(this.#order.below(this.#keys, key, at, length, 0), 1);
  }

  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    this.#keys = this.#order.around(key, at, length);
    this.#settle(this.#order.below(this.#keys, key, at, length, orEqual ? 1 : 0) - 1, -1);
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
    this.#keys = noKeys;
  }

  /** The share of keys in [low, high), from 0 to 1. */
  shareWithin(low: Uint8Array | undefined, high: Uint8Array | undefined): number {
    const all = this.#memtable.keyCount;
    const from = low === undefined ? 0 : this.#order.rank(low);
    const to = high === undefined ? all : this.#order.rank(high);
    return Math.max(0, to - from) / all;
  }

  /** Shows the nearest key from that position on, in that direction, that is visible. */
  #settle(from: number, step: 1 | -1): void {
    let keys = this.#keys;
    for (let i = from; ; i += step) {
      if (i < 0 || i >= keys.length) {
        const beside = this.#order.beside(keys, step);
        if (beside === undefined) break;
        keys = beside;
        this.#keys = keys;
        i = step > 0 ? 0 : keys.length - 1;
      }
      const at = this.#memtable.newestOf(keys[i]!, this.#limit);
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
}
