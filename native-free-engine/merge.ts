/**
 * A k-way merge of all entries of several sources, versions and all, for compactions: by key, and
 * of one key the newest source first. K is small, so the minimum is found by a scan of numbers;
 * bytes are compared only where heads tie.
 */
import { assert } from "./base/assert.ts";
import { atEnd, atEntry, blocked, type Cursor } from "./cursor.ts";
import { compareKeys } from "./key-order.ts";

export class Merge {
  state = atEnd;
  current: Cursor;
  readonly #cursors: readonly Cursor[];

  /** Newest source first. Reads must be allowed: a merge never waits. */
  constructor(cursors: readonly Cursor[]) {
    assert(cursors.length > 0, "a merge has sources");
    this.#cursors = cursors;
    this.current = cursors[0]!;
  }

  first(): void {
    for (const cursor of this.#cursors) cursor.first();
    this.#settle();
  }

  next(): void {
    this.current.next();
    this.#settle();
  }

  #settle(): void {
    const cursors = this.#cursors;
    let best: Cursor | undefined;
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[i]!;
      if (cursor.state === atEnd) continue;
      assert(cursor.state !== blocked, "a merge may read");
      if (best === undefined || cursor.head < best.head) best = cursor;
      else if (cursor.head === best.head && compareKeys(cursor, best) < 0) best = cursor;
    }
    this.state = best === undefined ? atEnd : atEntry;
    if (best !== undefined) this.current = best;
  }
}
