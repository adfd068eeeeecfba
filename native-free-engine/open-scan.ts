/** From the tree to a scan: which sources take part, newest first, and how they are merged. */
import type { Range, Scan, ScanOptions } from "./api.ts";
import { compare, sharedPrefixBytes } from "./base/bytes.ts";
import { describe } from "./base/text.ts";
import type { SnapshotMark } from "./compaction/job.ts";
import type { Cursor } from "./cursor.ts";
import type { Memtable } from "./memtable.ts";
import { MemtableCursor } from "./memtable-cursor.ts";
import type { EngineParts } from "./parts.ts";
import { boundsOf } from "./range.ts";
import { RunCursor } from "./run-cursor.ts";
import { EngineScan, type ScanBounds } from "./scan.ts";
import type { TableHandle } from "./table-set.ts";
import type { View } from "./tree.ts";
import { overlapSpan, overlaps } from "./version.ts";
import { BackwardWalk, ForwardWalk, type Walk } from "./walk.ts";

export function openScan(
  parts: EngineParts,
  options: ScanOptions,
  mark: SnapshotMark | undefined,
): Scan {
  const bounds = boundsOf(options);
  const limit = limitOf(options.limit);
  const view = parts.tree.view();
  const seen = mark ?? { sequence: view.sequence - 1, time: parts.clock.now() };
  const reverse = options.reverse === true;
  let cursors: readonly Cursor[] = [];
  const begin = (): Walk | undefined => {
    if (!areInOrder(view.memtables, seen.sequence)) return undefined;
    cursors = cursorsOf(parts, view, bounds, seen.sequence);
    return reverse ? new BackwardWalk(cursors, seen) : new ForwardWalk(cursors, seen);
  };
  const scan: EngineScan = new EngineScan({
    begin,
    bounds,
    limit,
    reverse,
    values: options.values !== false,
    turn: parts.turn,
    onClose: () => {
      for (const cursor of cursors) cursor.close();
      view.release();
      parts.scans.delete(scan);
    },
  });
  parts.scans.add(scan);
  return scan;
}

/** About how many bytes of tables and memtables lie within the bounds. */
export function approximateBytes(parts: EngineParts, range: Range): number {
  const { low, high } = boundsOf(range);
  const { tree } = parts;
  let bytes = 0;
  for (const handle of tree.set.handles) {
    const { meta } = handle;
    if (!overlaps(meta, { smallest: low, largest: high })) continue;
    const table = handle.table();
    const from = low === undefined ? 0 : table.offsetOf(low, 0, low.length);
    const isWithin = high !== undefined && compare(high, meta.largest) <= 0;
    const to = isWithin ? table.offsetOf(high, 0, high.length) : meta.bytes;
    bytes += Math.max(0, to - from);
  }
  for (const { memtable } of [tree.active, ...tree.sealed]) {
    if (memtable.keyCount === 0) continue;
    const cursor = new MemtableCursor(memtable, { limit: memtable.end, skip: 0 });
    bytes += Math.round(memtable.end * cursor.shareWithin(low, high));
  }
  return bytes;
}

function limitOf(limit: number | undefined): number {
  if (limit === undefined || limit === -1 || limit === Number.POSITIVE_INFINITY) {
    return Number.MAX_SAFE_INTEGER;
  }
  if (Number.isInteger(limit) && limit >= 0) return limit;
  throw new TypeError(`limit must be a whole number or -1 for all, got ${describeLimit(limit)}`);
}

function describeLimit(limit: unknown): string {
  return typeof limit === "number" ? String(limit) : describe(limit);
}

/** Whether the first reader need not wait; if not, a slice of what it waits for is done. */
function areInOrder(memtables: readonly Memtable[], sequence: number): boolean {
  return memtables.every((memtable) => memtable.orderMore(limitIn(memtable, sequence)));
}

/** The offset below which a reader of that sequence sees operations. */
function limitIn(memtable: Memtable, sequence: number): number {
  return sequence + 1 - memtable.firstSequence;
}

/** Newest first: memtables, tables of level 0, then one cursor for each deeper level. */
function cursorsOf(parts: EngineParts, view: View, bounds: ScanBounds, sequence: number): Cursor[] {
  const within = { smallest: bounds.low, largest: bounds.high };
  const inRange = (handle: TableHandle) =>
    handle.meta.minSequence <= sequence && overlaps(handle.meta, within);
  const fresh = view.set.fresh.filter(inRange);
  const runs = view.set.runs
    .map(({ metas, tables }) => tables.slice(...overlapSpan(metas, within)))
    .filter((tables) => tables.length > 0);
  const memtables = view.memtables.filter(
    (memtable) =>
      memtable.firstSequence <= sequence && memtable.order(limitIn(memtable, sequence)).size > 0,
  );
  const skip = sharedByAll([
    ...memtables.map((memtable) => memtable.order(limitIn(memtable, sequence)).prefix()),
    ...fresh.flatMap(({ meta }) => [meta.smallest, meta.largest]),
    // What the ends of a run share, all between them does.
    ...runs.flatMap((run) => [run[0]!.meta.smallest, run.at(-1)!.meta.largest]),
  ]);
  const mayRead = () => parts.pace.synchronous();
  const runCursor = (tables: readonly TableHandle[]) => new RunCursor(tables, { skip, mayRead });
  return [
    ...memtables.map(
      (memtable) => new MemtableCursor(memtable, { limit: limitIn(memtable, sequence), skip }),
    ),
    ...fresh.map((handle) => runCursor([handle])),
    ...runs.map(runCursor),
  ];
}

/** The bytes with which every key of every source begins. */
function sharedByAll(keys: readonly Uint8Array[]): number {
  const first = keys[0];
  if (first === undefined) return 0;
  let shared = first.length;
  for (const key of keys) shared = sharedPrefixBytes(first, 0, shared, key, 0, key.length);
  return shared;
}
