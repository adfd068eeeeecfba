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
  readonly isOpen: boolean;
  table(): Table;
  tableSlowly(): Promise<Table>;
}

/** A move within one table. */
type Move = (cursor: Cursor) => void;

export class RunCursor implements Cursor {
  readonly #tables: readonly RunTable[];
  readonly #options: TableCursorOptions;
  #inner: Cursor;
  #position = -1;
  /** The direction of the last move: where to go on when a table ends. */
  #forward = true;
  /** The move that waits for a table to be opened, while `#inner` is `unopened`. */
  #waiting: Move = toFirst;

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
    this.#enter(0, toFirst);
    this.#skipEmpty();
  }

  last(): void {
    this.#forward = false;
    this.#enter(this.#tables.length - 1, toLast);
    this.#skipEmpty();
  }

  seek(key: Uint8Array, at: number, length: number): void {
    this.#forward = true;
    const position = this.#floor(key, at, length, true);
    if (this.#open(position)) this.#inner.seek(key, at, length);
    else {
      const copy = key.slice(at, at + length);
      this.#waiting = (cursor) => cursor.seek(copy, 0, length);
    }
    this.#skipEmpty();
  }

  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    this.#forward = false;
    const position = this.#floor(key, at, length, orEqual);
    if (position < 0) {
      this.close();
      return;
    }
    if (this.#open(position)) this.#inner.seekBelow(key, at, length, orEqual);
    else {
      const copy = key.slice(at, at + length);
      this.#waiting = (cursor) => cursor.seekBelow(copy, 0, length, orEqual);
    }
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
      if (this.#inner === unopened) await this.#openSlowly();
      else await this.#inner.load();
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
      this.#enter(neighbour, this.#forward ? toFirst : toLast);
    }
  }

  #enter(position: number, move: Move): void {
    if (this.#open(position)) move(this.#inner);
    else this.#waiting = move;
  }

  /**
   * Stands in the table at that position; below the first one it is the first. False when the
   * table must be opened and nothing may be read now: the move then waits for `load`.
   */
  #open(position: number): boolean {
    const target = Math.max(0, position);
    const table = this.#tables[target];
    if (table === undefined) return true;
    const isThere = target === this.#position && this.#inner !== unopened;
    if (isThere) return true;
    this.#inner.close();
    this.#position = target;
    const mayOpen = table.isOpen || this.#options.mayRead();
    this.#inner = mayOpen ? table.table().cursor(this.#options) : unopened;
    return mayOpen;
  }

  async #openSlowly(): Promise<void> {
    const position = this.#position;
    const table = await this.#tables[position]?.tableSlowly();
    // Closed meanwhile: there is nothing to show any more.
    if (table === undefined || this.#position !== position) return;
    this.#inner = table.cursor(this.#options);
    this.#waiting(this.#inner);
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

/** In a table that is not open yet. */
const unopened: Cursor = { ...nowhere, state: blocked };

const toFirst: Move = (cursor) => cursor.first();
const toLast: Move = (cursor) => cursor.last();
