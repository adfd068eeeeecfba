/**
 * Verification: reads every byte that a database stands on and checks what can be checked: each
 * checksum, the order of keys, that filters know their keys, that levels are disjoint, that the
 * counts agree, that the logs continue each other. It takes no lock and changes nothing.
 */
import { compare } from "./base/bytes.ts";
import { loadHash } from "./base/hash.ts";
import { type Disk, readWhole } from "./disk/disk.ts";
import { corruption, EngineError, isEngineError } from "./errors.ts";
import { currentName, tableName } from "./files.ts";
import { describeTableFile } from "./inspect-table.ts";
import type { Replay } from "./log/replay.ts";
import type { ManifestState } from "./manifest-state.ts";
import { settingsOf } from "./options.ts";
import { findDatabase, replayNeeded } from "./recovery.ts";
import { BlockCache } from "./table/block-cache.ts";
import type { TableMeta } from "./table/meta.ts";
import { Table } from "./table/table.ts";
import { describeTable } from "./table/tail.ts";

export interface VerifyProblem {
  readonly file: string;
  readonly offset: number | undefined;
  readonly what: string;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly tables: number;
  readonly tableEntries: number;
  readonly logs: number;
  readonly logEntries: number;
  /** An unfinished tail of the newest log, normal after a crash; its bytes were never promised. */
  readonly droppedBytes: number;
  readonly droppedAt: { readonly file: string; readonly offset: number } | undefined;
  readonly problems: readonly VerifyProblem[];
}

/** Beside a live writer a table may go while it is being checked: then all is checked again. */
const triesMax = 5;
const settings = settingsOf({ readOnly: true }, { memoryBytes: 0 });

export async function verifyOn(disk: Disk, directory: string): Promise<VerifyReport> {
  await loadHash();
  for (let tries = 1; ; tries++) {
    const before = fingerprint(disk, directory);
    const report = verifyOnce(disk, directory);
    if (report.ok || tries === triesMax || fingerprint(disk, directory) === before) return report;
  }
}

function verifyOnce(disk: Disk, directory: string): VerifyReport {
  const problems: VerifyProblem[] = [];
  const found = attempt(problems, currentName, () => findDatabase(disk, directory, settings));
  const state = found?.state;
  if (found === undefined || state === undefined) return reportOf(problems, 0, 0, undefined);
  let entries = 0;
  const tables = state.version.levels.flat();
  for (const meta of tables) {
    const known = problems.length;
    const file = tableName(meta.number);
    entries += attempt(problems, file, () => verifyTable(disk, directory, state, meta)) ?? 0;
    if (problems.length > known) addFurther(problems, disk, directory, meta.number);
  }
  const replay = attempt(problems, "the commit logs", () =>
    replayNeeded(disk, directory, found.names, state),
  );
  return reportOf(problems, tables.length, entries, replay);
}

/** Changes with each edit of the manifest. Nothing is said of one that cannot be read. */
function fingerprint(disk: Disk, directory: string): string {
  try {
    const { state } = findDatabase(disk, directory, settings);
    const numbers = state?.version.levels.map((tables) => tables.map(({ number }) => number));
    return JSON.stringify([numbers, state?.logNumber]);
  } catch {
    return "";
  }
}

function verifyTable(disk: Disk, directory: string, state: ManifestState, meta: TableMeta): number {
  const { number } = meta;
  const path = `${directory}/${tableName(number)}`;
  const cache = new BlockCache(0);
  const table = Table.open({ disk, path, meta, hashSeed: state.hashSeed, cache });
  try {
    const { entries } = table.verify();
    const { smallest, largest } = describeTable({ disk, path, number }).meta;
    if (compare(smallest, meta.smallest) === 0 && compare(largest, meta.largest) === 0) {
      return entries;
    }
    const place = { file: tableName(number), offset: 0 };
    throw corruption(place, "the table has other bounds than the manifest says");
  } finally {
    table.release();
  }
}

/** Checking a table ends at the first thing that is wrong: here is what else is. */
function addFurther(
  problems: VerifyProblem[],
  disk: Disk,
  directory: string,
  number: number,
): void {
  const file = tableName(number);
  const path = `${directory}/${file}`;
  if (!disk.existsSync(path)) return;
  const { damage } = describeTableFile(readWhole(disk, path), { name: file, number }, 0);
  for (const { offset, what } of damage) {
    if (problems.some((other) => other.file === file && other.offset === offset)) continue;
    problems.push({ file, offset, what });
  }
}

/** Notes damage and goes on; anything else that fails is thrown. */
function attempt<T>(problems: VerifyProblem[], file: string, check: () => T): T | undefined {
  try {
    return check();
  } catch (error) {
    if (isEngineError(error, "CORRUPTION")) {
      const { place } = error;
      problems.push({ file: place?.file ?? file, offset: place?.offset, what: error.message });
      return undefined;
    }
    if (error instanceof EngineError) throw error;
    const said = error instanceof Error ? error.message : String(error);
    problems.push({ file, offset: undefined, what: said });
    return undefined;
  }
}

function reportOf(
  problems: readonly VerifyProblem[],
  tables: number,
  tableEntries: number,
  replay: Replay | undefined,
): VerifyReport {
  return {
    ok: problems.length === 0,
    tables,
    tableEntries,
    logs: replay?.logs.length ?? 0,
    logEntries: replay?.logs.reduce((sum, log) => sum + log.operations, 0) ?? 0,
    droppedBytes: replay?.droppedBytes ?? 0,
    droppedAt: replay?.stoppedAt,
    problems,
  };
}
