/**
 * Verification: reads every byte that a database stands on and checks what can be checked: each
 * checksum, the order of keys, that filters know their keys, that levels are disjoint, that the
 * counts agree, that the logs continue each other. It takes no lock and changes nothing.
 */
import { loadHash } from "./base/hash.ts";
import type { Disk } from "./disk/disk.ts";
import { EngineError, isEngineError } from "./errors.ts";
import { currentName, tableName } from "./files.ts";
import type { Replay } from "./log/replay.ts";
import type { ManifestState } from "./manifest-state.ts";
import { settingsOf } from "./options.ts";
import { findDatabase, replayNeeded } from "./recovery.ts";
import { BlockCache } from "./table/block-cache.ts";
import type { TableMeta } from "./table/meta.ts";
import { Table } from "./table/table.ts";

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

export async function verifyOn(disk: Disk, directory: string): Promise<VerifyReport> {
  await loadHash();
  const settings = settingsOf({ readOnly: true }, { memoryBytes: 0 });
  const problems: VerifyProblem[] = [];
  const found = attempt(problems, currentName, () => findDatabase(disk, directory, settings));
  const state = found?.state;
  if (found === undefined || state === undefined) return reportOf(problems, 0, 0, undefined);
  let entries = 0;
  const tables = state.version.levels.flat();
  for (const meta of tables) {
    const checked = attempt(problems, tableName(meta.number), () =>
      verifyTable(disk, directory, state, meta),
    );
    entries += checked ?? 0;
  }
  const replay = attempt(problems, "the commit logs", () =>
    replayNeeded(disk, directory, found.names, state),
  );
  return reportOf(problems, tables.length, entries, replay);
}

function verifyTable(disk: Disk, directory: string, state: ManifestState, meta: TableMeta): number {
  const path = `${directory}/${tableName(meta.number)}`;
  const cache = new BlockCache(0);
  const table = Table.open({ disk, path, meta, hashSeed: state.hashSeed, cache });
  try {
    return table.verify().entries;
  } finally {
    table.release();
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
