/** getProperty(): the names of LevelDB, answered with the numbers of this engine. */
import type { EngineStats, LevelStats } from "../api.ts";

const filesAtLevel = /^leveldb\.num-files-at-level(\d+)$/;

/** The empty string for names that mean nothing here. */
export function propertyOf(stats: EngineStats, name: string): string {
  const level = filesAtLevel.exec(name)?.[1];
  if (level !== undefined) {
    const found = stats.levels[Number(level)];
    return found === undefined ? "" : String(found.tables);
  }
  switch (name) {
    case "leveldb.stats":
      return statsTable(stats);
    case "leveldb.sstables":
      return stats.levels.map(tablesOf).join("");
    case "leveldb.approximate-memory-usage":
      return String(stats.memtableBytes + stats.flushQueueBytes + stats.cacheBytes);
    default:
      return "";
  }
}

function tablesOf({ level, tables, bytes, entries }: LevelStats): string {
  const summary = tables === 0 ? "" : ` ${tables} tables, ${bytes} bytes, ${entries} entries\n`;
  return `--- level ${level} ---\n${summary}`;
}

function statsTable(stats: EngineStats): string {
  const rows = stats.levels.map(({ level, tables, bytes, entries, tombstones }) =>
    row([level, tables, mebibytes(bytes), entries, tombstones]),
  );
  const { flushBytesWritten, compactionBytesRead, compactionBytesWritten } = stats;
  return [
    row(["level", "tables", "MiB", "entries", "deleted"]),
    ...rows,
    "",
    `flushes ${stats.flushes}, written ${mebibytes(flushBytesWritten)} MiB`,
    `compactions ${stats.compactions}, read ${mebibytes(compactionBytesRead)} MiB, ` +
      `written ${mebibytes(compactionBytesWritten)} MiB`,
    "",
  ].join("\n");
}

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell) => String(cell).padStart(10)).join(" ");
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}
