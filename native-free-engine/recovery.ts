/**
 * Opening a database, top to bottom: lock, CURRENT, manifest, tables, logs; what the logs held is
 * written again, synced, before anything new is accepted, because pages of a killed process may
 * still sit unwritten in the cache of a failing disk; then a new manifest, CURRENT, and only then
 * are files removed that nothing refers to. A crash at any point leaves what was there before.
 */
import { assert, unreachable } from "./base/assert.ts";
import type { Clock } from "./clock.ts";
import type { Workers } from "./compaction/workers.ts";
import { readCurrent, switchCurrent } from "./current.ts";
import type { Disk } from "./disk/disk.ts";
import { corruption, EngineError } from "./errors.ts";
import { currentName, logName, manifestName, parseName, tableName } from "./files.ts";
import { Log } from "./log/log.ts";
import { forEachOperation } from "./log/operation.ts";
import { fileHeaderBytes, sealRecord, typeGroup } from "./log/record.ts";
import { type Replay, type ReplayedLog, replayLogs } from "./log/replay.ts";
import { refuseLostEdits } from "./lost-edits.ts";
import { ManifestWriter, readManifest } from "./manifest.ts";
import type { ManifestState } from "./manifest-state.ts";
import { Memtable } from "./memtable.ts";
import { compressionAt, type Settings } from "./options.ts";
import type { Segment } from "./segment.ts";
import type { BuiltTable } from "./table/meta.ts";
import { applyEdit, emptyVersion, type Version } from "./version.ts";

/** What a database is born with. */
export interface Identity {
  readonly databaseId: string;
  readonly hashSeed: number;
}

export interface RecoveryParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly workers: Workers;
  readonly newIdentity: () => Identity;
}

export interface Recovered {
  readonly identity: Identity;
  readonly version: Version;
  readonly built: readonly BuiltTable[];
  /** Absent where the database was opened to read. */
  readonly manifest: ManifestWriter | undefined;
  readonly active: Segment;
  /** Logs that were read and not rewritten: only where the database was opened to read. */
  readonly sealed: readonly Segment[];
  readonly nextFile: number;
  readonly sequence: number;
  readonly report: { records: number; entries: number; droppedBytes: number };
}

interface Found {
  readonly names: readonly string[];
  readonly state: ManifestState | undefined;
}

/** Reads what is there; undefined state means that there is no database yet. */
export function findDatabase(disk: Disk, directory: string, settings: Settings): Found {
  const names = namesIn(disk, directory);
  const current = readCurrent(disk, directory);
  switch (current.kind) {
    case "damaged":
      throw corruption({ file: currentName, offset: 0 }, `${current.what}; kvctl salvage can help`);
    case "missing":
      refuseOrphans(names);
      if (settings.createIfMissing) return { names, state: undefined };
      throw new EngineError(
        "DATABASE_MISSING",
        `${directory} does not exist or holds no database (createIfMissing is false)`,
      );
    case "ok":
      break;
  }
  if (settings.errorIfExists) {
    throw new EngineError("DATABASE_EXISTS", `${directory} exists already (errorIfExists is true)`);
  }
  const found = readManifest({ disk, directory, number: current.number });
  switch (found.kind) {
    case "ok":
      return { names, state: found.state };
    case "missing":
      throw corruption({ file: manifestName(current.number) }, "the file CURRENT names is missing");
    case "damaged":
      throw corruption(found.place, found.what);
    case "tooNew":
      throw new EngineError(
        "FORMAT_TOO_NEW",
        `${manifestName(current.number)} ${found.what}; upgrade Everwrite`,
      );
    default:
      return unreachable(found);
  }
}

/** Opens for writing. The caller holds the lock. */
export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const { disk, directory, settings } = parts;
  const { names, state } = findDatabase(disk, directory, settings);
  const start = state ?? firstState(parts.newIdentity());
  let nextFile = Math.max(start.nextFile, highestNumber(names) + 1);
  const takeNumber = (): number => nextFile++;
  checkTables(disk, directory, start.version);
  const replay = replayNeeded(disk, directory, names, start);
  const restored = await restore(parts, start, replay, takeNumber);
  const active = restored.active ?? newSegment(parts, takeNumber(), start, replay.nextSequence);
  const number = takeNumber();
  const manifest = await ManifestWriter.create({
    disk,
    directory,
    number,
    state: {
      ...start,
      version: restored.version,
      nextFile,
      lastSequence: active.memtable.firstSequence,
      logNumber: active.memtable.logNumber,
      sealedLogs: [],
    },
  });
  await switchCurrent(disk, directory, number);
  removeObsolete(disk, directory, names, {
    version: restored.version,
    logNumber: active.memtable.logNumber,
    manifestNumber: number,
  });
  return {
    identity: { databaseId: start.databaseId, hashSeed: start.hashSeed },
    version: restored.version,
    built: restored.built,
    manifest,
    active,
    sealed: [],
    nextFile,
    sequence: active.memtable.firstSequence + active.memtable.end,
    report: reportOf(replay),
  };
}

/** Opens to read: nothing is written, and the lock belongs to whoever writes. */
export function recoverReadOnly(parts: RecoveryParts): Recovered {
  const { disk, directory, settings } = parts;
  const { names, state } = findDatabase(disk, directory, settings);
  assert(state !== undefined, "a database opened to read is not created");
  checkTables(disk, directory, state.version);
  const replay = replayNeeded(disk, directory, names, state);
  const sealed = replay.logs.map(({ number, firstSequence, arena, end }) => {
    const { hashSeed } = state;
    const memtable = Memtable.adopt({ logNumber: number, firstSequence, hashSeed }, { arena, end });
    return { memtable, log: new Log({ disk, directory, name: logName(number) }) };
  });
  const active = newSegment(parts, state.nextFile, state, replay.nextSequence);
  return {
    identity: { databaseId: state.databaseId, hashSeed: state.hashSeed },
    version: state.version,
    built: [],
    manifest: undefined,
    active,
    sealed: sealed.reverse(),
    nextFile: state.nextFile,
    sequence: active.memtable.firstSequence,
    report: reportOf(replay),
  };
}

function reportOf(replay: Replay): Recovered["report"] {
  return {
    records: replay.logs.reduce((sum, log) => sum + log.records, 0),
    entries: replay.logs.reduce((sum, log) => sum + log.operations, 0),
    droppedBytes: replay.droppedBytes,
  };
}

/** Replays every log that may hold what no table has. */
export function replayNeeded(
  disk: Disk,
  directory: string,
  names: readonly string[],
  state: ManifestState,
): Replay {
  refuseLostEdits(disk, directory, names, state);
  const numbers = names
    .map(parseName)
    .filter((name) => name.kind === "log" && name.number >= state.logNumber)
    .map((name) => name.number)
    .sort((a, b) => a - b);
  return replayLogs({
    disk,
    directory,
    numbers,
    oldestNeeded: state.logNumber,
    sealed: state.sealedLogs,
    nextSequence: state.lastSequence,
  });
}

/** Every table that the manifest lists must be there, with its length. */
export function checkTables(disk: Disk, directory: string, version: Version): void {
  for (const table of version.levels.flat()) {
    const file = tableName(table.number);
    if (!disk.existsSync(`${directory}/${file}`)) {
      throw corruption({ file }, "the file is missing; the manifest needs it");
    }
    const handle = disk.openSync(`${directory}/${file}`, "read");
    const bytes = handle.bytesSync();
    handle.closeSync();
    if (bytes === table.bytes) continue;
    throw corruption(
      { file, offset: Math.min(bytes, table.bytes) },
      `the file is ${bytes} bytes long, the manifest says ${table.bytes}`,
    );
  }
}

/** A segment whose log continues nothing. */
function newSegment(
  parts: RecoveryParts,
  logNumber: number,
  identity: Identity,
  sequence: number,
): Segment {
  const { disk, directory, settings } = parts;
  const memtable = new Memtable({
    logNumber,
    firstSequence: alignedSequence(sequence),
    previous: { number: 0, end: 0 },
    hashSeed: identity.hashSeed,
    bytesMax: settings.memtableBytes,
    full: false,
  });
  return { memtable, log: new Log({ disk, directory, name: logName(logNumber) }) };
}

/** Sequences of records begin at multiples of 8, like their offsets. */
export function alignedSequence(sequence: number): number {
  return Math.ceil(sequence / 8) * 8;
}

interface Restored {
  readonly version: Version;
  readonly built: readonly BuiltTable[];
  readonly active: Segment | undefined;
}

/** Makes what the logs held durable anew: little of it in a new log, much of it in tables. */
async function restore(
  parts: RecoveryParts,
  state: ManifestState,
  replay: Replay,
  takeNumber: () => number,
): Promise<Restored> {
  const operations = replay.logs.reduce((sum, log) => sum + log.operations, 0);
  if (operations === 0) return { version: state.version, built: [], active: undefined };
  const bytes = replay.logs.reduce((sum, log) => sum + log.end, 0);
  if (4 * bytes <= parts.settings.memtableBytes) {
    const segment = newSegment(parts, takeNumber(), state, replay.nextSequence);
    rewrite(segment, replay.logs, state.lastSequence);
    return { version: state.version, built: [], active: segment };
  }
  const built: BuiltTable[] = [];
  let version = state.version;
  for (const log of replay.logs) {
    const tables = await flushLog(parts, state, log, takeNumber());
    built.push(...tables);
    const added = tables.map((table) => ({ level: 0, table }));
    version = applyEdit(version, { added, removed: [] });
  }
  return { version, built, active: undefined };
}

/**
 * Copies operations into the segment as one record, and syncs it. Until a manifest names this log
 * it is a stranger behind the old ones, so it must not testify that anything of theirs was durable.
 */
function rewrite(segment: Segment, logs: readonly ReplayedLog[], durableSequence: number): void {
  const { memtable, log } = segment;
  const need = logs.reduce((sum, other) => sum + other.end, 0);
  memtable.fits(need);
  const at = memtable.beginRecord();
  let operations = 0;
  for (const { arena, end } of logs) {
    forEachOperation(arena, end, (from, bytes) => {
      memtable.index(memtable.copyOperation(arena, from, bytes));
      operations += 1;
    });
  }
  sealRecord(memtable.arena, at, memtable.logNumber, {
    type: typeGroup,
    payloadBytes: memtable.endRecord(at),
    operations,
    durableSequence,
  });
  log.writeSync(memtable.arena, memtable.end, false);
  log.syncSync();
}

async function flushLog(
  parts: RecoveryParts,
  state: ManifestState,
  log: ReplayedLog,
  number: number,
): Promise<readonly BuiltTable[]> {
  const { directory, settings, clock, workers } = parts;
  const result = await workers.run({
    kind: "flush",
    directory,
    shape: {
      hashSeed: state.hashSeed,
      blockBytes: settings.tuning.blockBytes,
      compression: compressionAt(settings.compression, 0),
    },
    snapshots: [],
    now: clock.now(),
    number,
    arena: log.arena,
    end: log.end,
    firstSequence: log.firstSequence,
  });
  return result.tables;
}

function firstState(identity: Identity): ManifestState {
  return {
    ...identity,
    version: emptyVersion,
    nextFile: 1,
    lastSequence: fileHeaderBytes,
    logNumber: 0,
    sealedLogs: [],
  };
}

/** Never starts empty over existing data. */
function refuseOrphans(names: readonly string[]): void {
  const data = names.find((name) => {
    const { kind } = parseName(name);
    return kind === "table" || kind === "log";
  });
  if (data === undefined) return;
  throw corruption(
    { file: currentName },
    `the file is missing, although ${data} is there; kvctl salvage can rebuild it`,
  );
}

function removeObsolete(
  disk: Disk,
  directory: string,
  names: readonly string[],
  live: { readonly version: Version; readonly logNumber: number; readonly manifestNumber: number },
): void {
  const tables = new Set(live.version.levels.flat().map((table) => table.number));
  for (const name of names) {
    const { kind, number } = parseName(name);
    const obsolete =
      kind === "temporary" ||
      (kind === "table" && !tables.has(number)) ||
      (kind === "log" && number < live.logNumber) ||
      (kind === "manifest" && number !== live.manifestNumber);
    if (!obsolete) continue;
    try {
      disk.removeSync(`${directory}/${name}`);
    } catch {
      // Gone already, as CURRENT's temporary is once it was renamed; or the next open removes it.
    }
  }
}

function highestNumber(names: readonly string[]): number {
  return names.reduce((highest, name) => Math.max(highest, parseName(name).number), 0);
}

function namesIn(disk: Disk, directory: string): readonly string[] {
  try {
    return disk.listSync(directory);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return [];
    throw error;
  }
}
