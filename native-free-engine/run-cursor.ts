/**
 * A cursor over tables that follow each other in key order: one deeper level, or one table of
 * level 0. Tables are opened as the cursor reaches them. The entry shown is that of the cursor of
 * the table it stands in, read through getters: copying a dozen fields at each step costs more.
 */
import { compareBytes } from "./base/bytes.ts";
import { atEnd, blocked, type Cursor } from "./cursor.ts";
import type { TableMeta } from "./table/meta.ts";
import type { Table } from "./table/table.ts";
import type { TableCursorOptions } from "./table/table-cursor.ts";

/** A table that can be opened; the engine's handles are that. */
export interface RunTable {
  readonly meta: TableMeta;
  table(): Table;
}

export class RunCursor implements Cursor {
  readonly #tables: readonly RunTable[];
  readonly #options: TableCursorOptions;
  #inner: Cursor;
  #position = -1;
  /** The direction of the last move: where to go on when a table ends. */
  #forward = true;

  constructor(tables: readonly RunTable[], options: TableCursorOptions) {
    this.#tables = tables;
    this.#options = options;
    this.#inner = nowhere;
  }

  get state(): number {
    return this.#inner.state;
  }

  get bytes(): Uint8Array {
    return this.#inner.bytes;
  }

  get prefixAt(): number {
    return this.#inner.prefixAt;
  }

  get prefixLength(): number {
    return this.#inner.prefixLength;
  }

  get suffixAt(): number {
    return this.#inner.suffixAt;
  }

  get suffixLength(): number {
    return this.#inner.suffixLength;
  }

  get valueAt(): number {
    return this.#inner.valueAt;
  }

  get valueLength(): number {
    return this.#inner.valueLength;
  }

  get kind(): number {
    return this.#inner.kind;
  }

  get sequence(): number {
    return this.#inner.sequence;
  }

  get expiry(): number {
    return this.#inner.expiry;
  }

  get head(): number {
    return this.#inner.head;
  }

  get stable(): boolean {
    return this.#inner.stable;
  }

  first(): void {
    this.#forward = true;
    this.#enter(0);
    this.#inner.first();
    this.#skipEmpty();
  }

  last(): void {
    this.#forward = false;
    this.#enter(this.#tables.length - 1);
    this.#inner.last();
    this.#skipEmpty();
  }

  seek(key: Uint8Array, at: number, length: number): void {
    this.#forward = true;
    this.#enter(this.#floor(key, at, length, true));
    this.#inner.seek(key, at, length);
    this.#skipEmpty();
  }

  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    this.#forward = false;
    const position = this.#floor(key, at, length, orEqual);
    if (position < 0) {
      this.close();
      return;
    }
    this.#enter(position);
    this.#inner.seekBelow(key, at, length, orEqual);
    this.#skipEmpty();
  }

  next(): void {
    this.#forward = true;
    this.#inner.next();
    if (this.#inner.state === atEnd) this.#skipEmpty();
  }

  previous(): void {
    this.#forward = false;
    this.#inner.previous();
    if (this.#inner.state === atEnd) this.#skipEmpty();
  }

  async load(): Promise<void> {
    while (this.#inner.state === blocked) {
      await this.#inner.load();
      this.#skipEmpty();
    }
  }

  close(): void {
    this.#inner.close();
    this.#inner = nowhere;
    this.#position = -1;
  }

  /** Goes on in the neighbouring table while the one entered has nothing in that direction. */
  #skipEmpty(): void {
    while (this.#inner.state === atEnd && this.#position >= 0) {
      const neighbour = this.#position + (this.#forward ? 1 : -1);
      if (neighbour < 0 || neighbour >= this.#tables.length) return;
      this.#enter(neighbour);
      if (this.#forward) this.#inner.first();
      else this.#inner.last();
    }
  }

  /** Opens the table at that position; below the first one it is the first. */
  #enter(position: number): void {
    const target = Math.max(0, position);
    if (target === this.#position || target >= this.#tables.length) return;
    this.#inner.close();
    this.#position = target;
    this.#inner = this.#tables[target]!.table().cursor(this.#options);
  }

  /** The last table that begins below the key (or at it, if `orEqual`); -1 for none. */
  #floor(key: Uint8Array, at: number, length: number, orEqual: boolean): number {
    let low = 0;
    let high = this.#tables.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { smallest } = this.#tables[middle]!.meta;
      const side = compareBytes(smallest, 0, smallest.length, key, at, length);
      if (side < 0 || (orEqual && side === 0)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Before the first table and behind the last. */
const nowhere: Cursor = {
  state: atEnd,
  bytes: new Uint8Array(0),
  prefixAt: 0,
  prefixLength: 0,
  suffixAt: 0,
  suffixLength: 0,
  valueAt: 0,
  valueLength: 0,
  kind: 0,
  sequence: 0,
  expiry: 0,
  head: 0,
  stable: true,
  first: () => {},
  last: () => {},
  seek: () => {},
  seekBelow: () => {},
  next: () => {},
  previous: () => {},
  load: () => Promise.resolve(),
  close: () => {},
};
