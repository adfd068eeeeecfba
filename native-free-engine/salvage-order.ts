/**
 * Which tables are newer, without a manifest to say so. What a table knows of itself: the
 * sequences its entries came from, the level it was written for, and its number. Where two tables
 * reach over a common key:
 *
 * - stretches of sequences that do not meet decide for certain: the later one is newer;
 * - else one of the two is a merge of old and new, and the one written for a shallower level is
 *   newer, at one level the higher number. That is right as long as no table was moved down twice
 *   without being rewritten: then something that came later may have been merged above it. Such
 *   answers are marked as inferred.
 */
import { compare } from "./base/bytes.ts";
import type { TableMeta } from "./table/meta.ts";

export interface Aged {
  readonly meta: TableMeta;
  /** Its own, or that of the table which it is a copy of. */
  readonly number: number;
  /** The level it was written for. */
  readonly level: number;
  /** Whether its tail could be read; otherwise level and sequences are unknown. */
  readonly isKnown: boolean;
}

export interface AgeOrder {
  /** Runs of disjoint tables in key order; what a run says is newer than what later ones say. */
  readonly runs: readonly (readonly TableMeta[])[];
  /** Whether some of the order is a guess. */
  readonly inferred: boolean;
}

export function orderByAge(tables: readonly Aged[]): AgeOrder {
  const count = tables.length;
  const sorted = [...tables].sort(byGuess);
  const newerThan = new Int32Array(count);
  const older: number[][] = sorted.map(() => []);
  let inferred = false;
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const a = sorted[i]!;
      const b = sorted[j]!;
      if (!meet(a.meta, b.meta)) continue;
      const certain = certainOrder(a, b);
      if (certain === 0) inferred = true;
      const [first, second] = certain < 0 ? [j, i] : [i, j];
      older[first]!.push(second);
      newerThan[second]! += 1;
    }
  }
  const order: Aged[] = [];
  const taken = new Set<number>();
  while (order.length < count) {
    // Guesses may contradict what is certain: then the best guess goes first.
    const free = sorted.findIndex((_, i) => !taken.has(i) && newerThan[i] === 0);
    const next = free === -1 ? sorted.findIndex((_, i) => !taken.has(i)) : free;
    taken.add(next);
    order.push(sorted[next]!);
    for (const i of older[next]!) newerThan[i]! -= 1;
  }
  return { runs: runsOf(order.map(({ meta }) => meta)), inferred };
}

/** Neighbours in age that are disjoint make one run: a merge of few runs is a fast one. */
function runsOf(newestFirst: readonly TableMeta[]): TableMeta[][] {
  const runs: TableMeta[][] = [];
  for (const table of newestFirst) {
    const last = runs.at(-1);
    if (last !== undefined && !last.some((other) => meet(other, table))) last.push(table);
    else runs.push([table]);
  }
  for (const run of runs) run.sort((a, b) => compare(a.smallest, b.smallest));
  return runs;
}

/** Above 0 when `a` is newer for certain, below when `b` is, 0 when nobody knows. */
function certainOrder(a: Aged, b: Aged): number {
  if (!a.isKnown || !b.isKnown) return 0;
  if (a.meta.minSequence >= b.meta.maxSequence) return 1;
  return b.meta.minSequence >= a.meta.maxSequence ? -1 : 0;
}

function byGuess(a: Aged, b: Aged): number {
  if (a.isKnown && b.isKnown && a.level !== b.level) return a.level - b.level;
  return b.number - a.number;
}

function meet(a: TableMeta, b: TableMeta): boolean {
  return compare(a.smallest, b.largest) <= 0 && compare(b.smallest, a.largest) <= 0;
}
