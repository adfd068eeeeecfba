/**
 * Which compaction comes next: pure functions from a version to a plan. Leveled: level 0 holds
 * what was flushed, and goes down together when there are enough tables of it; each deeper level
 * has a size, ten times that of the one above, and sheds tables when it is exceeded. Three rules
 * keep the tree right: of tables at level 0 that share keys, an older one goes down no later than
 * a newer one; a merge takes every table of its output level that lies within its inputs' reach;
 * and a table is moved, unread, only to where it overlaps nothing.
 */
import { compare } from "../base/bytes.ts";
import { levelCount } from "../base/limits.ts";
import type { TableMeta } from "../table/meta.ts";
import {
  bytesOf,
  overlapping,
  overlapSpan,
  overlaps,
  type RemovedTable,
  type Version,
} from "../version.ts";
import type { KeyRange } from "./job.ts";

export interface LevelLimits {
  /** Tables at level 0 that start a compaction; slow writes down; nearly stop them. */
  readonly l0Trigger: number;
  readonly l0SlowAt: number;
  readonly l0StopAt: number;
  /** Size of level 1; each deeper one is `growth` times the one above. */
  readonly baseBytes: number;
  readonly growth: number;
  /** Size of the tables written. */
  readonly tableBytes: number;
}

/** Where each level's last pick ended: the next one goes on behind it. */
export interface PickState {
  readonly cursors: (Uint8Array | undefined)[];
}

export type Plan =
  | {
      readonly kind: "merge";
      readonly from: number;
      readonly to: number;
      /** Newest first. */
      readonly runs: readonly (readonly TableMeta[])[];
      readonly removed: readonly RemovedTable[];
      readonly deeper: readonly KeyRange[];
    }
  | {
      readonly kind: "move";
      readonly from: number;
      readonly to: number;
      readonly table: TableMeta;
    };

/** From this share of deletions on a table counts twice: sending it down gives space back. */
const tombstoneShare = 0.3;
/** What one step of a compaction on demand reads at most, if one table does not read more. */
const stepBytesMax = 256 << 20;
/** Bytes above the levels' sizes, in level 1's, at which writes are slowed, and nearly stopped. */
const debtSlowAt = 16;
const debtStopAt = 64;

/** The most urgent compaction, if anything is out of shape. Remembers where it picked. */
export function pickCompaction(
  version: Version,
  limits: LevelLimits,
  state: PickState,
): Plan | undefined {
  let urgent = -1;
  let highest = 0;
  for (let level = 0; level < levelCount - 1; level++) {
    const score = scoreOf(version, level, limits);
    if (score < 1 || score <= highest) continue;
    urgent = level;
    highest = score;
  }
  if (urgent === -1) return undefined;
  return urgent === 0 ? pickFresh(version, version.levels[0]!) : pickFrom(version, urgent, state);
}

/** How full a level is: from 1 on it should shed something. */
export function scoreOf(version: Version, level: number, limits: LevelLimits): number {
  const tables = version.levels[level]!;
  if (level === 0) return tables.length / limits.l0Trigger;
  let bytes = 0;
  for (const table of tables) bytes += weightOf(table);
  return bytes / targetBytes(level, limits);
}

/**
 * When nobody writes: empty level 0, because each table in it costs every read; then bring
 * deletions to what they delete.
 */
export function pickIdle(version: Version): Plan | undefined {
  const fresh = version.levels[0]!;
  if (fresh.length > 0) return pickFresh(version, fresh);
  for (let level = 1; level < levelCount - 1; level++) {
    const below = version.levels[level + 1]!;
    if (below.length === 0) continue;
    const useful = version.levels[level]!.find((table) => {
      if (!isDense(table)) return false;
      const [from, to] = overlapSpan(below, table);
      return from < to;
    });
    if (useful !== undefined) return descend(version, level, [useful]);
  }
  return undefined;
}

/**
 * One step of compacting a range on demand; undefined when it is done. What overlaps the range
 * goes down level by level; what lay lowest before is rewritten once if it holds something that a
 * rewrite may drop. `before` is a file number given out at the start: level 0 is done when nothing
 * older is left in it, and a newer table below is an output, so this ends while writes go on.
 */
export function pickRange(
  version: Version,
  bounds: { readonly low: Uint8Array | undefined; readonly high: Uint8Array | undefined },
  state: { readonly now: number; readonly before: number },
): Plan | undefined {
  const within = { smallest: bounds.low, largest: bounds.high };
  const fresh = version.levels[0]!.filter((table) => table.number < state.before);
  if (fresh.some((table) => overlaps(table, within))) {
    const inside = fresh.findLast((table) => overlaps(table, within))!;
    return pickFresh(version, fresh, inside, mayLose);
  }
  const touched = version.levels.map((tables, level) =>
    level === 0 ? [] : overlapping(tables, within.smallest, within.largest),
  );
  const highest = touched.findIndex((tables) => tables.length > 0);
  const lowest = touched.findLastIndex((tables) => tables.length > 0);
  if (highest === -1) return undefined;
  if (highest < lowest) {
    const step = firstStep(touched[highest]!, version.levels[highest + 1]!);
    return descend(version, highest, step, mayLose);
  }
  const stale = touched[lowest]!.find(
    (table) =>
      table.number < state.before &&
      (table.tombstones > 0 || (table.firstExpiry > 0 && table.firstExpiry <= state.now)),
  );
  return stale === undefined ? undefined : merge(version, lowest, lowest, [[stale]], []);
}

/**
 * How much writes should be slowed: 0 while level 0 is short, 1 where it is far too long. What
 * waits for its flush is level 0's next; deeper levels count once they are far out of shape.
 */
export function pressure(version: Version, limits: LevelLimits, waitingFlushes: number): number {
  const fresh = version.levels[0]!.length;
  const excess = fresh < limits.l0SlowAt ? 0 : fresh + waitingFlushes - limits.l0SlowAt;
  const length = excess / (limits.l0StopAt - limits.l0SlowAt);
  let debtBytes = 0;
  for (let level = 1; level < levelCount - 1; level++) {
    debtBytes += Math.max(0, bytesOf(version.levels[level]!) - targetBytes(level, limits));
  }
  const debt = (debtBytes / limits.baseBytes - debtSlowAt) / (debtStopAt - debtSlowAt);
  return Math.min(1, Math.max(0, length, debt));
}

/**
 * Sends tables of level 0 down: of `fresh`, newest first, `first` (the oldest unless given) and
 * all that are connected with it by overlaps. Any table older than `fresh` must be in it.
 */
function pickFresh(
  version: Version,
  fresh: readonly TableMeta[],
  first = fresh.at(-1)!,
  mustRead = wouldLose,
): Plan {
  const group = connectedWith(fresh, first);
  const below = version.levels[1]!;
  const { smallest, largest } = hull(group);
  const reached = overlapping(below, smallest, largest);
  const alone = group.length === 1 && reached.length === 0;
  if (alone && !mustRead(version, 1, first)) return { kind: "move", from: 0, to: 1, table: first };
  const runs = group.map((table) => [table]);
  return merge(version, 0, 1, runs, reached);
}

/** The table of a deeper level that rewrites least below it; among equals, go round. */
function pickFrom(version: Version, level: number, state: PickState): Plan {
  const tables = version.levels[level]!;
  const overlapBytes = bytesBelow(tables, version.levels[level + 1]!);
  const cursor = state.cursors[level];
  const [start] =
    cursor === undefined ? [0] : overlapSpan(tables, { smallest: cursor, largest: undefined });
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < tables.length; i++) {
    const at = (start + i) % tables.length;
    const ratio = overlapBytes[at]! / Math.max(1, weightOf(tables[at]!));
    if (ratio >= least) continue;
    least = ratio;
    best = at;
  }
  const table = tables[best]!;
  // The next round begins at the table behind this one.
  state.cursors[level] = tables[(best + 1) % tables.length]!.smallest;
  return descend(version, level, [table]);
}

/** Neighbours of a deeper level go down by one: moved if that loses nothing, else merged. */
function descend(
  version: Version,
  level: number,
  tables: readonly TableMeta[],
  mustRead = wouldLose,
): Plan {
  const { smallest, largest } = hull(tables);
  const reached = overlapping(version.levels[level + 1]!, smallest, largest);
  const table = tables[0]!;
  if (tables.length === 1 && reached.length === 0 && !mustRead(version, level + 1, table)) {
    return { kind: "move", from: level, to: level + 1, table };
  }
  return merge(version, level, level + 1, [tables], reached);
}

function merge(
  version: Version,
  from: number,
  to: number,
  upper: readonly (readonly TableMeta[])[],
  reached: readonly TableMeta[],
): Plan {
  const above = upper.flat();
  return {
    kind: "merge",
    from,
    to,
    runs: reached.length === 0 ? upper : [...upper, reached],
    removed: [
      ...above.map(({ number }) => ({ level: from, number })),
      ...reached.map(({ number }) => ({ level: to, number })),
    ],
    deeper: rangesBelow(version, to, hull([...above, ...reached])),
  };
}

/** A move would carry deletions to where nothing is left to delete: merging drops them. */
function wouldLose(version: Version, to: number, table: TableMeta): boolean {
  return isDense(table) && rangesBelow(version, to, table).length === 0;
}

/** On demand, whatever a merge could drop is worth reading. */
function mayLose(_version: Version, _to: number, table: TableMeta): boolean {
  return table.tombstones > 0 || table.firstExpiry > 0;
}

/** The table and all that overlaps it, or overlaps what overlaps it, and so on; newest first. */
function connectedWith(fresh: readonly TableMeta[], first: TableMeta): readonly TableMeta[] {
  let group: readonly TableMeta[] = [first];
  for (;;) {
    // A connected group covers its hull without a gap, so the hull stands for all of it.
    const reach = hull(group);
    const wider = fresh.filter((table) => overlaps(table, reach));
    if (wider.length === group.length) return wider;
    group = wider;
  }
}

/** As many tables from the left as one job should read, with what they overlap below. */
function firstStep(
  tables: readonly TableMeta[],
  below: readonly TableMeta[],
): readonly TableMeta[] {
  const overlapBytes = bytesBelow(tables, below);
  // One that overlaps nothing goes by itself, because it can be moved.
  if (overlapBytes[0] === 0) return tables.slice(0, 1);
  let bytes = 0;
  let end = 0;
  while (end < tables.length && overlapBytes[end]! > 0) {
    bytes += tables[end]!.bytes + overlapBytes[end]!;
    if (end > 0 && bytes > stepBytesMax) break;
    end += 1;
  }
  return tables.slice(0, end);
}

/** For each table, the bytes of those in the level below that it overlaps, in one pass of both. */
function bytesBelow(tables: readonly TableMeta[], below: readonly TableMeta[]): Float64Array {
  const sums = new Float64Array(tables.length);
  let at = 0;
  for (let i = 0; i < tables.length; i++) {
    const { smallest, largest } = tables[i]!;
    while (at < below.length && compare(below[at]!.largest, smallest) < 0) at += 1;
    // The last one reached may reach on into the next table, so `at` stays in front of it.
    for (let next = at; next < below.length; next++) {
      if (compare(below[next]!.smallest, largest) > 0) break;
      sums[i]! += below[next]!.bytes;
      at = next;
    }
  }
  return sums;
}

/** Ranges of the tables below a level within the bounds, ascending, overlapping ones joined. */
function rangesBelow(version: Version, level: number, bounds: KeyRange): readonly KeyRange[] {
  const tables = version.levels
    .slice(level + 1)
    .flatMap((below) => overlapping(below, bounds.smallest, bounds.largest))
    .sort((a, b) => compare(a.smallest, b.smallest));
  const joined: { smallest: Uint8Array; largest: Uint8Array }[] = [];
  for (const { smallest, largest } of tables) {
    const last = joined.at(-1);
    if (last === undefined || compare(last.largest, smallest) < 0) {
      joined.push({ smallest, largest });
    } else if (compare(last.largest, largest) < 0) {
      last.largest = largest;
    }
  }
  return joined;
}

function hull(tables: readonly TableMeta[]): KeyRange {
  let { smallest, largest } = tables[0]!;
  for (const table of tables) {
    if (compare(table.smallest, smallest) < 0) smallest = table.smallest;
    if (compare(table.largest, largest) > 0) largest = table.largest;
  }
  return { smallest, largest };
}

function isDense(table: TableMeta): boolean {
  return table.tombstones > tombstoneShare * table.entries;
}

function weightOf(table: TableMeta): number {
  return isDense(table) ? 2 * table.bytes : table.bytes;
}

function targetBytes(level: number, limits: LevelLimits): number {
  return limits.baseBytes * limits.growth ** (level - 1);
}
