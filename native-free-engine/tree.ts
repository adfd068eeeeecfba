/**
 * What a reader sees: the memtable that takes writes, those waiting for their flush, and the set
 * of tables. A view pins one such state, so that scans and checkpoints are of one instant while
 * flushes and compactions go on.
 */

import type { Memtable } from "./memtable.ts";
import type { Segment } from "./segment.ts";
import type { TableSet } from "./table-set.ts";

/** A state of the tree at one instant. Must be released. */
export interface View {
  /** Newest first. */
  readonly memtables: readonly Memtable[];
  readonly set: TableSet;
  /** Operations below this sequence are visible. */
  readonly sequence: number;
  release(): void;
}

export class Tree {
  active: Segment;
  /** Full segments whose flush is not done, newest first. */
  sealed: readonly Segment[];
  set: TableSet;
  /** Everything below is written to the log and may be read. */
  sequence: number;

  constructor(active: Segment, sealed: readonly Segment[], set: TableSet, sequence: number) {
    this.active = active;
    this.sealed = sealed;
    this.set = set;
    this.sequence = sequence;
  }

  view(): View {
    const set = this.set.retain();
    const memtables = [this.active.memtable, ...this.sealed.map((segment) => segment.memtable)];
    for (const memtable of memtables) memtable.retain();
    let held = true;
    const release = (): void => {
      if (!held) return;
      held = false;
      set.release();
      for (const memtable of memtables) memtable.release();
    };
    return { memtables, set, sequence: this.sequence, release };
  }

  /** Makes the set current and lets go of the one before. */
  replaceSet(set: TableSet): void {
    const before = this.set;
    this.set = set;
    before.release();
  }

  /** Bytes in memory that wait for a flush. */
  get sealedBytes(): number {
    return this.sealed.reduce((sum, segment) => sum + segment.memtable.end, 0);
  }
}
