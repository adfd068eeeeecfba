/**
 * Which compaction comes next: pure functions from a version to a plan. Leveled: level 0 holds
 * what was flushed, and goes down together when there are enough tables of it; each deeper level
 * has a size, ten times that of the one above, and sheds tables when it is exceeded.
 */
import { compare } from "../base/bytes.ts";
import { levelCount } from "../base/limits.ts";
import type { TableMeta } from "../table/meta.ts";
import { bytesOf, overlapping, overlaps, type RemovedTable, type Version } from "../version.ts";
import type { KeyRange, SnapshotMark } from "./job.ts";

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

/** A level is full at 1; deletions make it fuller than its bytes. */
const tombstoneShare = 0.3;

/** The most urgent compaction, if anything is out of shape. Remembers where it picked. */
export function pickCompaction(
  version: Version,
  limits: LevelLimits,
  state: PickState,
): Plan | undefined {
  let urgent = -1;
  let highest = 1;
  for (let level = 0; level < levelCount - 1; level++) {
    const score = scoreOf(version, level, limits);
    if (score >= highest) {
      urgent = level;
      highest = score;
    }
  }
  if (urgent === -1) return undefined;
  return urgent === 0 ? pickFresh(version) : pickFrom(version, urgent, state);
}

/** When nobody writes: empty level 0, because each table in it costs every read. */
export function pickIdle(version: Version): Plan | undefined {
  const fresh = version.levels[0]!;
  return fresh.length === 0 ? undefined : pickFresh(version);
}

/** Level 0 goes down as a whole: its tables overlap, and a newer one must not pass an older. */
function pickFresh(version: Version): Plan {
  const fresh = version.levels[0]!;
  const below = version.levels[1]!;
  const oldest = fresh.at(-1)!;
  const alone = !fresh.slice(0, -1).some((table) => overlaps(table, oldest));
  if (alone && overlapping(below, oldest.smallest, oldest.largest).length === 0) {
    return { kind: "move", from: 0, to: 1, table: oldest };
  }
  return merge(version, 0, fresh);
}

/** The table of a deeper level that rewrites least below it; among equals, go round. */
function pickFrom(version: Version, level: number, state: PickState): Plan {
  const tables = version.levels[level]!;
  const below = version.levels[level + 1]!;
  const cursor = state.cursors[level];
  let best: TableMeta | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const table of tables) {
    const overlapBytes = bytesOf(overlapping(below, table.smallest, table.largest));
    const dense = table.tombstones > tombstoneShare * table.entries;
    const behind = cursor === undefined || compare(table.smallest, cursor) > 0;
    const ratio = overlapBytes / table.bytes / (dense ? 2 : 1) + (behind ? 0 : 0.01);
    if (ratio >= least) continue;
    least = ratio;
    best = table;
  }
  const table = best!;
  state.cursors[level] = table.largest;
  if (overlapping(below, table.smallest, table.largest).length === 0) {
    return { kind: "move", from: level, to: level + 1, table };
  }
  return merge(version, level, [table]);
}

/** Tables of one level and what they overlap in the next. */
function merge(version: Version, from: number, tables: readonly TableMeta[]): Plan {
  const to = from + 1;
  const { smallest, largest } = hull(tables);
  const below = overlapping(version.levels[to]!, smallest, largest);
  const upper = from === 0 ? tables.map((table) => [table]) : [tables];
  const all = [...tables, ...below];
  return {
    kind: "merge",
    from,
    to,
    runs: below.length === 0 ? upper : [...upper, below],
    removed: [
      ...tables.map(({ number }) => ({ level: from, number })),
      ...below.map(({ number }) => ({ level: to, number })),
    ],
    deeper: rangesBelow(version, to, hull(all)),
  };
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

function scoreOf(version: Version, level: number, limits: LevelLimits): number {
  const tables = version.levels[level]!;
  if (level === 0) return tables.length / limits.l0Trigger;
  return bytesOf(tables) / targetBytes(level, limits);
}

function targetBytes(level: number, limits: LevelLimits): number {
  return limits.baseBytes * limits.growth ** (level - 1);
}

/**
 * One step of compacting a range on demand: what overlaps it goes down level by level, and what is
 * lowest is rewritten once if it holds something that a rewrite would drop. `rewritten` collects
 * the highest file number given out before, so that outputs are not rewritten again.
 */
export function pickRange(
  version: Version,
  bounds: { readonly low: Uint8Array | undefined; readonly high: Uint8Array | undefined },
  state: { readonly now: number; readonly marks: readonly SnapshotMark[]; readonly before: number },
): Plan | undefined {
  const within = { smallest: bounds.low, largest: bounds.high };
  const touched = version.levels.map((tables) => tables.filter((table) => overlaps(table, within)));
  const lowest = touched.findLastIndex((tables) => tables.length > 0);
  const highest = touched.findIndex((tables) => tables.length > 0);
  if (highest === -1) return undefined;
  if (highest === 0) return lowest === 0 || lowest > 0 ? pickFresh(version) : undefined;
  if (highest < lowest) {
    const tables = touched[highest]!;
    const { smallest, largest } = hull(tables);
    if (overlapping(version.levels[highest + 1]!, smallest, largest).length === 0) {
      return { kind: "move", from: highest, to: highest + 1, table: tables[0]! };
    }
    return merge(version, highest, tables);
  }
  const droppable = touched[lowest]!.filter(
    (table) =>
      table.number < state.before &&
      (table.tombstones > 0 || (table.firstExpiry > 0 && table.firstExpiry <= state.now)),
  );
  const table = droppable[0];
  if (table === undefined) return undefined;
  return {
    kind: "merge",
    from: lowest,
    to: lowest,
    runs: [[table]],
    removed: [{ level: lowest, number: table.number }],
    deeper: rangesBelow(version, lowest, table),
  };
}

/** How much writes should be slowed: 0 while level 0 is short, 1 where it is far too long. */
export function pressure(version: Version, limits: LevelLimits, _waiting: number): number {
  const fresh = version.levels[0]!.length;
  const span = limits.l0StopAt - limits.l0SlowAt;
  return Math.min(1, Math.max(0, (fresh - limits.l0SlowAt) / span));
}
