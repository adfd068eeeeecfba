/**
 * A version: which tables make up the tree, by level. It is immutable; an edit makes the next one.
 * Invariants, checked with every edit: a table stands in one level; level 0 is ordered by number,
 * newest first, and its tables may overlap; each deeper level is ordered by key and its tables are
 * disjoint, so that at most one of them can hold a key. What a shallower level says is newer.
 */
import { assert } from "./base/assert.ts";
import { compare } from "./base/bytes.ts";
import { levelCount } from "./base/limits.ts";
import type { SealedLog } from "./log/replay.ts";
import type { TableMeta } from "./table/meta.ts";

export interface Version {
  /** `levelCount` of them. */
  readonly levels: readonly (readonly TableMeta[])[];
}

export interface AddedTable {
  readonly level: number;
  readonly table: TableMeta;
}

export interface RemovedTable {
  readonly level: number;
  readonly number: number;
}

/** One change of the database's state. Absent numbers stay as they are; none ever decreases. */
export interface Edit {
  readonly added: readonly AddedTable[];
  readonly removed: readonly RemovedTable[];
  /** The oldest log that is still needed. */
  readonly logNumber?: number;
  /** Below every file number that is yet to be given out. */
  readonly nextFile?: number;
  /** Everything below this sequence is in tables: where the oldest log needed begins at most. */
  readonly lastSequence?: number;
  /** Logs that a clean close sealed and synced: they must be readable up to their end. */
  readonly sealedLogs?: readonly SealedLog[];
}

/** Inclusive bounds; an absent one is open. */
export interface KeyBounds {
  readonly smallest?: Uint8Array | undefined;
  readonly largest?: Uint8Array | undefined;
}

export type Edited =
  | { readonly kind: "version"; readonly version: Version }
  /** The edit does not fit the version: damage if it came from a disk, else a bug. */
  | { readonly kind: "refused"; readonly what: string };

export const emptyVersion: Version = { levels: Array.from({ length: levelCount }, () => []) };

/** The version after an edit that this program made: one that does not fit is a bug. */
export function applyEdit(version: Version, edit: Edit): Version {
  const edited = tryEdit(version, edit);
  assert(edited.kind === "version", edited.kind === "refused" ? edited.what : "");
  return edited.version;
}

/** The version after an edit that may be wrong. */
export function tryEdit(version: Version, edit: Edit): Edited {
  const levels = [...version.levels];
  const touched = new Set<number>();
  for (const { level } of [...edit.removed, ...edit.added]) {
    if (levels[level] === undefined) return refused(`there is no level ${level}`);
    touched.add(level);
  }
  for (const level of touched) {
    const numbers = new Set<number>();
    for (const gone of edit.removed) if (gone.level === level) numbers.add(gone.number);
    if (numbers.size === 0) continue;
    levels[level] = levels[level]!.filter((table) => !numbers.delete(table.number));
    for (const number of numbers) {
      return refused(`removes table ${number}, which is not at level ${level}`);
    }
  }
  const twice = numberInUse(levels, edit.added);
  if (twice !== undefined) return refused(`adds table ${twice}, which is in the version already`);
  for (const level of touched) {
    const added = edit.added.filter((entry) => entry.level === level).map((entry) => entry.table);
    if (added.length === 0) continue;
    const tables = [...levels[level]!, ...added].sort(level === 0 ? newestFirst : byKey);
    const disorder = level === 0 ? undefined : disorderIn(tables);
    if (disorder !== undefined) return refused(`${disorder} at level ${level}`);
    levels[level] = tables;
  }
  return { kind: "version", version: { levels } };
}

export function levelBytes(version: Version, level: number): number {
  return bytesOf(version.levels[level] ?? []);
}

export function bytesOf(tables: readonly TableMeta[]): number {
  let bytes = 0;
  for (const table of tables) bytes += table.bytes;
  return bytes;
}

/** Whether a table's range and the bounds have a key in common. */
export function overlaps(table: TableMeta, bounds: KeyBounds): boolean {
  const { smallest, largest } = bounds;
  if (largest !== undefined && compare(table.smallest, largest) > 0) return false;
  return smallest === undefined || compare(table.largest, smallest) >= 0;
}

/** The tables of a deeper level (ordered, disjoint) that reach into the bounds. */
export function overlapping(
  tables: readonly TableMeta[],
  smallest: Uint8Array | undefined,
  largest: Uint8Array | undefined,
): readonly TableMeta[] {
  const [from, to] = overlapSpan(tables, { smallest, largest });
  return tables.slice(from, to);
}

/** The same as positions: from the first such table to behind the last. */
export function overlapSpan(tables: readonly TableMeta[], bounds: KeyBounds): [number, number] {
  const { smallest, largest } = bounds;
  const from =
    smallest === undefined ? 0 : firstWhere(tables, (t) => compare(t.largest, smallest) >= 0);
  const to =
    largest === undefined
      ? tables.length
      : firstWhere(tables, (table) => compare(table.smallest, largest) > 0);
  return [from, Math.max(from, to)];
}

/** By level, every table that reaches into the bounds. */
export function tablesInRange(version: Version, bounds: KeyBounds): (readonly TableMeta[])[] {
  return version.levels.map((tables, level) =>
    level === 0
      ? tables.filter((table) => overlaps(table, bounds))
      : overlapping(tables, bounds.smallest, bounds.largest),
  );
}

/** The first position from which on the claim holds: false before it, true behind it. */
function firstWhere(tables: readonly TableMeta[], claim: (table: TableMeta) => boolean): number {
  let low = 0;
  let high = tables.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (claim(tables[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function numberInUse(
  levels: readonly (readonly TableMeta[])[],
  added: readonly AddedTable[],
): number | undefined {
  const numbers = new Set<number>();
  let lowest = Number.POSITIVE_INFINITY;
  for (const { table } of added) {
    if (numbers.has(table.number)) return table.number;
    numbers.add(table.number);
    if (table.number < lowest) lowest = table.number;
  }
  if (numbers.size === 0) return undefined;
  for (const tables of levels) {
    for (const { number } of tables) if (number >= lowest && numbers.has(number)) return number;
  }
  return undefined;
}

function disorderIn(tables: readonly TableMeta[]): string | undefined {
  for (let i = 1; i < tables.length; i++) {
    const before = tables[i - 1]!;
    const table = tables[i]!;
    if (compare(before.largest, table.smallest) >= 0) {
      return `tables ${before.number} and ${table.number} overlap`;
    }
  }
  return undefined;
}

function newestFirst(a: TableMeta, b: TableMeta): number {
  return b.number - a.number;
}

function byKey(a: TableMeta, b: TableMeta): number {
  return compare(a.smallest, b.smallest);
}

function refused(what: string): Edited {
  return { kind: "refused", what };
}
