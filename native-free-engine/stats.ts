/** The engine's numbers, gathered from the parts that count them. */
import type { EngineStats, LevelStats } from "./api.ts";
import type { EngineParts } from "./parts.ts";
import type { TableMeta } from "./table/meta.ts";

export function statsOf(parts: EngineParts): EngineStats {
  const { tree, segments, background, cache, commit, settings, snapshots, scans } = parts;
  const { counters } = background;
  const userBytes = commit.userBytes;
  const written = segments.logBytes + counters.flushBytesWritten + counters.compactionBytesWritten;
  return {
    levels: tree.set.version.levels.map(levelStats),
    memtableBytes: tree.active.memtable.end,
    flushQueueBytes: tree.sealedBytes,
    logBytes: [tree.active, ...tree.sealed].reduce((sum, { log }) => sum + log.written, 0),
    userBytes,
    logBytesWritten: segments.logBytes,
    flushBytesWritten: counters.flushBytesWritten,
    compactionBytesRead: counters.compactionBytesRead,
    compactionBytesWritten: counters.compactionBytesWritten,
    writeAmplification: userBytes === 0 ? 0 : written / userBytes,
    flushes: counters.flushes,
    compactions: counters.compactions,
    trivialMoves: counters.trivialMoves,
    backgroundJobs: background.jobs,
    cacheBytes: cache.bytes,
    cacheBytesMax: settings.cacheBytes,
    cacheHits: cache.hits,
    cacheMisses: cache.misses,
    filterSkips: cache.filterSkips,
    stallMs: segments.stallMs,
    openScans: scans.size,
    openSnapshots: snapshots.count,
    readOnly: settings.readOnly,
    backgroundError: background.failure ?? commit.failure,
    recovery: parts.report,
  };
}

function levelStats(tables: readonly TableMeta[], level: number): LevelStats {
  const sum = (count: (table: TableMeta) => number) =>
    tables.reduce((total, table) => total + count(table), 0);
  return {
    level,
    tables: tables.length,
    bytes: sum((table) => table.bytes),
    entries: sum((table) => table.entries),
    tombstones: sum((table) => table.tombstones),
  };
}
