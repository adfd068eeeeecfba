/**
 * The first half of salvage: what is there, and whom to believe. A manifest that is whole, and
 * whose tables and logs are all there, is believed to the letter. Otherwise nothing is taken from
 * it but the identity of the database, and the tables speak for themselves.
 */
import { readCurrent } from "./current.ts";
import { type Disk, readWhole } from "./disk/disk.ts";
import { EngineError, isEngineError } from "./errors.ts";
import { currentName, manifestName, parseName, pathIn, tableName } from "./files.ts";
import { fileHeaderBytes, readRecord, typeEdit } from "./log/record.ts";
import { refuseLostEdits } from "./lost-edits.ts";
import { readManifest } from "./manifest.ts";
import { decodeState, parsePayload } from "./manifest-json.ts";
import type { ManifestState } from "./manifest-state.ts";
import type { Identity } from "./recovery.ts";
import { describeTable } from "./table/tail.ts";

/** Where damaged files are kept. */
export const lostDirectory = "lost";

export interface Survey {
  readonly names: readonly string[];
  /** The manifest to believe, or undefined where the tables have to speak for themselves. */
  readonly state: ManifestState | undefined;
  readonly identity: Identity;
  /** Numbers of all tables and logs, ascending. */
  readonly tables: readonly number[];
  readonly logs: readonly number[];
  /** CURRENT or manifests, as far as they cannot be read. */
  readonly damaged: readonly string[];
  /** Above the number of every file there is or was. */
  readonly nextFile: number;
}

export function survey(disk: Disk, directory: string, newIdentity: () => Identity): Survey {
  const names = disk.listSync(directory);
  const numbersOf = (kind: string) =>
    names
      .map(parseName)
      .filter((name) => name.kind === kind)
      .map(({ number }) => number)
      .sort((a, b) => a - b);
  const tables = numbersOf("table");
  const logs = numbersOf("log");
  const manifests = numbersOf("manifest").reverse();
  const current = readCurrent(disk, directory);
  if (current.kind === "missing" && tables.length + logs.length + manifests.length === 0) {
    throw new EngineError("DATABASE_MISSING", `${directory} holds no database`);
  }
  const damaged = current.kind === "damaged" ? [currentName] : [];
  const named = current.kind === "ok" ? [current.number] : [];
  // An older manifest than the one that counts describes tables that are gone.
  const later = manifests.filter((number) => number > (named[0] ?? 0));
  const candidates = [...named, ...later];
  const found = newestReadable(disk, directory, candidates, damaged);
  const state = found !== undefined && isWhole(disk, directory, names, found) ? found : undefined;
  const identity =
    found ??
    identityIn(disk, directory, [...named, ...manifests]) ??
    identityOfTables(disk, directory, tables, newIdentity);
  return {
    names,
    state,
    identity: { databaseId: identity.databaseId, hashSeed: identity.hashSeed },
    tables,
    logs,
    damaged,
    nextFile:
      1 +
      Math.max(
        0,
        found?.nextFile ?? 0,
        ...[...names, ...lostNames(disk, directory)].map((name) => parseName(name).number),
      ),
  };
}

function newestReadable(
  disk: Disk,
  directory: string,
  numbers: readonly number[],
  damaged: string[],
): ManifestState | undefined {
  for (const number of numbers) {
    const found = readManifest({ disk, directory, number });
    if (found.kind === "ok") return found.state;
    if (found.kind === "tooNew") {
      throw new EngineError("FORMAT_TOO_NEW", `${manifestName(number)} ${found.what}`);
    }
    if (found.kind === "damaged") damaged.push(manifestName(number));
  }
  return undefined;
}

/** Whether nothing speaks against the manifest being the last word. */
function isWhole(
  disk: Disk,
  directory: string,
  names: readonly string[],
  state: ManifestState,
): boolean {
  const tables = state.version.levels.flat().map(({ number }) => tableName(number));
  if (!tables.every((name) => names.includes(name))) return false;
  try {
    refuseLostEdits(disk, directory, names, state);
    return true;
  } catch (error) {
    if (isEngineError(error, "CORRUPTION")) return false;
    throw error;
  }
}

/** The identity in the first record of a manifest that is damaged further on. */
function identityIn(
  disk: Disk,
  directory: string,
  numbers: readonly number[],
): Identity | undefined {
  for (const number of numbers) {
    const path = pathIn(directory, manifestName(number));
    if (!disk.existsSync(path)) continue;
    const bytes = readWhole(disk, path);
    const record = readRecord(bytes, fileHeaderBytes, bytes.length, number);
    if (record.kind !== "record" || record.type !== typeEdit) continue;
    const text = Buffer.from(bytes.buffer, record.payloadAt, record.payloadBytes).toString();
    const payload = parsePayload(text);
    if (payload.kind !== "fields") continue;
    const state = decodeState(payload.fields);
    if (typeof state !== "string") return state;
  }
  return undefined;
}

/** A new name, and the hash seed that most tables have, so that they need not be rewritten. */
function identityOfTables(
  disk: Disk,
  directory: string,
  tables: readonly number[],
  newIdentity: () => Identity,
): Identity {
  const fresh = newIdentity();
  const votes = new Map<number, number>();
  for (const number of tables) {
    try {
      const path = pathIn(directory, tableName(number));
      const { hashSeed } = describeTable({ disk, path, number });
      votes.set(hashSeed, (votes.get(hashSeed) ?? 0) + 1);
    } catch (error) {
      if (!isEngineError(error, "CORRUPTION")) throw error;
    }
  }
  const [most] = [...votes].sort((a, b) => b[1] - a[1]);
  return { databaseId: fresh.databaseId, hashSeed: most?.[0] ?? fresh.hashSeed };
}

function lostNames(disk: Disk, directory: string): readonly string[] {
  const lost = pathIn(directory, lostDirectory);
  return disk.existsSync(lost) ? disk.listSync(lost) : [];
}
