/** stats, verify, salvage, compact and checkpoint: looking after a database. */
import type {
  Engine,
  EngineStats,
  SalvageReport,
  VerifyReport,
} from "../../native-free-engine/index.ts";
import { exits } from "../exit.ts";
import { databaseOf, type Invocation, isForCluster, withDatabase } from "../invocation.ts";
import { table } from "../table.ts";
import { count, plural, size } from "../units.ts";
import { rangeOf } from "./scan.ts";

export async function stats(invocation: Invocation): Promise<number> {
  const { output } = invocation;
  const found = await withDatabase(invocation, "read", async (engine) => engine.stats());
  const problem = found.backgroundError?.message;
  await output.result({ ...found, backgroundError: problem }, statsText(found));
  return exits.ok;
}

export async function verify(invocation: Invocation): Promise<number> {
  const { output } = invocation;
  const { verifyEngine } = await import("../../native-free-engine/index.ts");
  const report = await verifyEngine(databaseOf(invocation));
  await output.result(report, verifyText(report));
  return report.ok ? exits.ok : exits.failure;
}

export async function salvage(invocation: Invocation): Promise<number> {
  const { output } = invocation;
  const { salvageEngine } = await import("../../native-free-engine/index.ts");
  const report = await salvageEngine(databaseOf(invocation));
  if (isIncomplete(report) || report.orderInferred)
    await withDatabase(invocation, "write", mistrust);
  await output.result(report, salvageText(report));
  return isIncomplete(report) ? exits.partial : exits.ok;
}

/** A node must not deny what it lost: from the others it learns what that was. */
async function mistrust(engine: Engine): Promise<void> {
  const { isNodeDirectory } = await import("../../src/store/store-format.ts");
  if (!(await isNodeDirectory(engine))) return;
  const { distrust } = await import("../../src/store/distrust.ts");
  await distrust(engine);
}

function isIncomplete({ tablesLost, recordsSkipped, bytesLost }: SalvageReport): boolean {
  return tablesLost + recordsSkipped + bytesLost > 0;
}

export async function compact(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const { gte, lt } = rangeOf(options);
  const [before, after] = await withDatabase(invocation, "write", async (engine) => {
    const first = engine.stats();
    await engine.compact({ gte, lt });
    return [bytesOf(first), bytesOf(engine.stats())] as const;
  });
  await output.result(
    { bytesBefore: before, bytesAfter: after },
    `compacted: ${size(before)} before, ${size(after)} after\n`,
  );
  return exits.ok;
}

export async function checkpoint(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) {
    return (await import("../cluster/checkpoint.ts")).checkpoint(invocation);
  }
  const { args, output } = invocation;
  const directory = args[0] ?? "";
  await withDatabase(invocation, "write", (engine) => engine.checkpoint(directory));
  await output.result({ checkpoint: directory }, `copied to ${directory}\n`);
  return exits.ok;
}

function bytesOf({ levels, logBytes }: EngineStats): number {
  return levels.reduce((sum, { bytes }) => sum + bytes, logBytes);
}

function statsText(stats: EngineStats): string {
  const levels = stats.levels.filter(({ tables }) => tables > 0);
  const rows = levels.map((level) => [
    `${level.level}`,
    count(level.tables),
    size(level.bytes),
    count(level.entries),
    count(level.tombstones),
  ]);
  const { cacheHits, cacheMisses, recovery } = stats;
  const reads = cacheHits + cacheMisses;
  const facts: readonly (readonly [string, string])[] = [
    ["on disk", size(bytesOf(stats))],
    [
      "memtable",
      `${size(stats.memtableBytes)}, ${size(stats.flushQueueBytes)} waiting for a flush`,
    ],
    ["commit log", size(stats.logBytes)],
    ["write amplification", stats.userBytes === 0 ? "-" : stats.writeAmplification.toFixed(2)],
    ["cache", `${size(stats.cacheBytes)} of ${size(stats.cacheBytesMax)}`],
    ["cache hit rate", reads === 0 ? "-" : `${((100 * cacheHits) / reads).toFixed(1)} %`],
    ["replayed at opening", `${plural(recovery.entries, "entry", "entries")} from the log`],
    ["dropped at opening", `${size(recovery.droppedBytes)} of an unfinished write`],
  ];
  const shown = facts.filter(
    ([name]) => name !== "dropped at opening" || recovery.droppedBytes > 0,
  );
  const heading = ["level", "tables", "bytes", "entries", "tombstones"];
  const levelText = rows.length === 0 ? "no tables yet\n" : table(heading, rows);
  return `${levelText}\n${shown.map(([name, fact]) => `${name.padEnd(20)}${fact}\n`).join("")}`;
}

function verifyText(report: VerifyReport): string {
  const { problems, tables, tableEntries, logs, logEntries, droppedBytes, droppedAt } = report;
  const lines = problems.map(({ file, offset, what }) => {
    const place = offset === undefined ? file : `${file} at byte ${offset}`;
    return what.startsWith(file) ? `damaged: ${what}` : `damaged: ${place}: ${what}`;
  });
  if (droppedBytes > 0) {
    const place = droppedAt === undefined ? "the log" : droppedAt.file;
    const from = droppedAt === undefined ? "" : ` from byte ${droppedAt.offset}`;
    lines.push(
      `note: ${place} ends in an unfinished write (${plural(droppedBytes, "byte")}${from}), ` +
        "as a killed process leaves it; opening the database drops it",
    );
  }
  const inTables = `${plural(tables, "table")} with ${plural(tableEntries, "entry", "entries")}`;
  const inLogs = `${plural(logs, "log")} with ${plural(logEntries, "operation")}`;
  const verdict = report.ok ? "ok" : `${plural(problems.length, "problem")}`;
  lines.push(`${verdict}: ${inTables}, ${inLogs}`);
  return `${lines.join("\n")}\n`;
}

function salvageText(report: SalvageReport): string {
  const { tablesKept, tablesRewritten, tablesLost, logEntries, filesMoved } = report;
  const lines = report.lost.map(
    ({ file, offset, bytes }) => `lost: ${plural(bytes, "byte")} of ${file} from byte ${offset}`,
  );
  if (report.orderInferred) {
    lines.push("note: no manifest says which tables are newer; where they differ, it was guessed");
  }
  if (filesMoved.length > 0) lines.push(`moved to lost/: ${filesMoved.join(", ")}`);
  const tables = `${count(tablesKept)} kept, ${count(tablesRewritten)} rewritten`;
  const gone = tablesLost === 0 ? "" : `, ${count(tablesLost)} lost`;
  const fromLogs = `${plural(logEntries, "entry", "entries")} from the logs`;
  lines.push(`salvaged: tables ${tables}${gone}; ${fromLogs}`);
  return `${lines.join("\n")}\n`;
}
