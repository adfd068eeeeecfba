/**
 * A manifest that lost its end to damage looks like an older one. What gives it away: a log goes
 * only when the manifest says that a table has all of it. Where the log is gone and the manifest
 * does not say so, but there is a table newer than all that it knows, it was cut short. (A crash
 * cannot do that: a flush makes the log's name durable before there is a table from it.)
 */
import type { Disk } from "./disk/disk.ts";
import { corruption, isEngineError } from "./errors.ts";
import { logName, parseName } from "./files.ts";
import type { ManifestState } from "./manifest-state.ts";
import { describeTable } from "./table/tail.ts";

/** Throws where the manifest lacks edits that it once had. `names` are the directory's files. */
export function refuseLostEdits(
  disk: Disk,
  directory: string,
  names: readonly string[],
  state: ManifestState,
): void {
  if (names.includes(logName(state.logNumber))) return;
  const known = new Set(state.version.levels.flat().map((table) => table.number));
  for (const file of names) {
    const { kind, number } = parseName(file);
    // The table of a log has a higher number; a lower one is left from before the last recovery.
    if (kind !== "table" || known.has(number) || number < state.logNumber) continue;
    const path = `${directory}/${file}`;
    if (lastSequenceOf(disk, path, number) <= state.lastSequence) continue;
    const what = `newer than all that the manifest knows, and ${logName(state.logNumber)} is gone`;
    throw corruption({ file, offset: 0 }, `${what}: the manifest has lost its end`);
  }
}

/** What a table says of itself; one that was never finished says nothing. */
function lastSequenceOf(disk: Disk, path: string, number: number): number {
  try {
    return describeTable({ disk, path, number }).meta.maxSequence;
  } catch (error) {
    if (isEngineError(error, "CORRUPTION")) return 0;
    throw error;
  }
}
