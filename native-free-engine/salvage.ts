/**
 * Salvage: makes a damaged database openable with everything that can still be read. In order:
 *
 * 1. survey (salvage-survey.ts): the manifest is believed where it is whole; otherwise the tables
 *    speak for themselves, and salvage-order.ts tells old from new;
 * 2. damaged tables are copied as far as their blocks pass their checksums, and every readable
 *    record of the logs goes into tables; without a manifest all tables are merged into new ones;
 * 3. a new manifest and CURRENT make the result the database;
 * 4. what was damaged is in `lost/` by then, and what was rewritten is removed.
 *
 * Values are never invented. Where an entry is lost, an older one of its key may show again: the
 * report lists each stretch of bytes that was lost. Nothing is removed before CURRENT is durable,
 * so that a salvage that was interrupted can be begun again.
 */
import { loadHash } from "./base/hash.ts";
import { levelCount } from "./base/limits.ts";
import type { Clock } from "./clock.ts";
import type { Job, TableShape } from "./compaction/job.ts";
import { namedWorkers } from "./compaction/named-workers.ts";
import { inlineWorkers, type Workers } from "./compaction/workers.ts";
import { switchCurrent } from "./current.ts";
import type { Disk } from "./disk/disk.ts";
import { EngineError, isEngineError } from "./errors.ts";
import { logName, parseName, pathIn, tableName } from "./files.ts";
import { ManifestWriter } from "./manifest.ts";
import type { ManifestState } from "./manifest-state.ts";
import { alignedSequence, type Identity } from "./recovery.ts";
import { type ReadLog, readLog } from "./salvage-log.ts";
import { type Aged, orderByAge } from "./salvage-order.ts";
import { lostDirectory, type Survey, survey } from "./salvage-survey.ts";
import { copyReadable, type LostStretch } from "./salvage-table.ts";
import { BlockCache } from "./table/block-cache.ts";
import { loadFilterPackage } from "./table/filter.ts";
import type { TableMeta } from "./table/meta.ts";
import { Table } from "./table/table.ts";
import { describeTable } from "./table/tail.ts";
import { type AddedTable, applyEdit, emptyVersion } from "./version.ts";

export interface SalvageReport {
  /** Tables that are as they were; copied without their damaged blocks, or merged; gone. */
  readonly tablesKept: number;
  readonly tablesRewritten: number;
  readonly tablesLost: number;
  /** Entries read back from commit logs, and unreadable stretches of records between them. */
  readonly logEntries: number;
  readonly recordsSkipped: number;
  /** Bytes of blocks and records that could not be read, and where they stood. */
  readonly bytesLost: number;
  readonly lost: readonly LostStretch[];
  /** Without a manifest, which of two tables is newer had to be guessed for some. */
  readonly orderInferred: boolean;
  /** Files that are in `lost/` now, as they were. */
  readonly filesMoved: readonly string[];
}

const blockBytes = 4096;
const tableBytes = 32 << 20;

export async function salvageOn(
  disk: Disk,
  clock: Clock,
  directory: string,
  newIdentity: () => Identity,
): Promise<SalvageReport> {
  await Promise.all([loadHash(), loadFilterPackage()]);
  if (!disk.existsSync(directory)) {
    throw new EngineError("DATABASE_MISSING", `${directory} does not exist`);
  }
  const lock = await disk.lock(directory);
  try {
    const found = survey(disk, directory, newIdentity);
    return await new Salvage(disk, clock, directory, found).run();
  } finally {
    await lock.release();
  }
}

/** One salvage under way. */
class Salvage {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #found: Survey;
  readonly #workers: Workers;
  readonly #lost: LostStretch[] = [];
  /** Files to keep in `lost/`, and files that the new tables replace. */
  readonly #damaged: Set<string>;
  readonly #replaced = new Set<string>();
  readonly #tables: AddedTable[] = [];
  #nextFile: number;
  #sequence: number;
  #kept = 0;
  #rewritten = 0;
  #gone = 0;
  #logEntries = 0;
  #recordsSkipped = 0;
  #inferred = false;

  constructor(disk: Disk, clock: Clock, directory: string, found: Survey) {
    this.#disk = disk;
    this.#directory = directory;
    this.#found = found;
    this.#workers = namedWorkers(disk, inlineWorkers(disk, clock));
    this.#damaged = new Set(found.damaged);
    this.#nextFile = found.nextFile;
    this.#sequence = found.state?.lastSequence ?? 0;
  }

  async run(): Promise<SalvageReport> {
    const { state } = this.#found;
    if (state === undefined) await this.#mergeEverything();
    else await this.#repair(state);
    this.#keepDamaged();
    await this.#makeCurrent();
    this.#removeReplaced();
    return {
      tablesKept: this.#kept,
      tablesRewritten: this.#rewritten,
      tablesLost: this.#gone,
      logEntries: this.#logEntries,
      recordsSkipped: this.#recordsSkipped,
      bytesLost: this.#lost.reduce((sum, { bytes }) => sum + bytes, 0),
      lost: this.#lost,
      orderInferred: this.#inferred,
      filesMoved: [...this.#damaged].sort(),
    };
  }

  /** With a manifest: damaged tables are replaced in their places, logs become level 0. */
  async #repair({ version, logNumber, sealedLogs }: ManifestState): Promise<void> {
    const { levels } = version;
    for (const [level, tables] of levels.entries()) {
      // Level 0 is ordered by number: whatever is newer than a table that gets a new one, too.
      let renumber = false;
      for (const meta of level === 0 ? tables.toReversed() : tables) {
        const isDamaged = !this.#isSound(meta);
        renumber ||= isDamaged && level === 0;
        const aged = { meta, level, number: meta.number, isKnown: true };
        const kept = isDamaged || renumber ? this.#copy(aged, isDamaged) : this.#keep(meta);
        for (const table of kept) this.#tables.push({ level, table });
      }
    }
    for (const { number, end } of sealedLogs) {
      if (number < logNumber || this.#found.logs.includes(number)) continue;
      this.#lost.push({ file: logName(number), offset: 0, bytes: end });
      this.#recordsSkipped += 1;
    }
    for (const number of this.#found.logs) {
      if (number < logNumber) this.#replaced.add(logName(number));
      else {
        const end = sealedLogs.find((log) => log.number === number)?.end;
        const tables = await this.#flush(this.#read(number, end));
        for (const table of tables) this.#tables.push({ level: 0, table });
      }
    }
  }

  /** Without one: whatever there is, merged from new to old. */
  async #mergeEverything(): Promise<void> {
    const own: Aged[] = [];
    for (const number of this.#found.tables) {
      const aged = this.#describe(number);
      if (aged.isKnown && this.#isSound(aged.meta)) own.push(aged);
      else own.push(...this.#copy(aged, true).map((meta) => ({ ...aged, meta })));
    }
    const newest = Math.max(0, ...own.map(({ meta }) => meta.maxSequence));
    for (const number of this.#found.logs) {
      const log = this.#read(number);
      // Flushes come in order: a table from later on says that this log is in tables already.
      if (log.endSequence <= newest) this.#replaced.add(logName(number));
      else own.push(...(await this.#flush(log)).map((meta) => freshOf(meta)));
    }
    if (own.length === 0) return;
    const { runs, inferred } = orderByAge(own);
    this.#inferred = inferred;
    const inputs = own.map(({ meta }) => meta);
    const total = inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    const outputsMax = 2 * Math.ceil(total / tableBytes) + inputs.length + 2;
    const built = await this.#run({
      kind: "compaction",
      directory: this.#directory,
      shape: this.#shape(levelCount - 1),
      snapshots: [],
      // Nothing has expired in the year 1970.
      now: 0,
      runs,
      numbers: Array.from({ length: outputsMax }, () => this.#nextFile++),
      tableBytes,
      deeper: [],
    });
    for (const { number } of inputs) this.#replaced.add(tableName(number));
    this.#rewritten = this.#found.tables.length - this.#gone;
    for (const table of built) this.#tables.push({ level: levelCount - 1, table });
  }

  #keep(table: TableMeta): readonly TableMeta[] {
    this.#kept += 1;
    this.#sequence = Math.max(this.#sequence, table.maxSequence);
    return [table];
  }

  /** Rewrites what is readable of a table under a new number. */
  #copy({ meta, level, number, isKnown }: Aged, isDamaged: boolean): readonly TableMeta[] {
    const { minSequence: min, maxSequence: max } = meta;
    const copied = copyReadable(this.#disk, this.#directory, {
      number,
      target: this.#nextFile++,
      shape: this.#shape(level),
      sequences: isKnown ? { min, max } : undefined,
      bytes: meta.bytes,
    });
    // Damage to the tail alone costs no entries.
    if (!isKnown || copied.built?.entries !== meta.entries) this.#lost.push(...copied.lost);
    (isDamaged ? this.#damaged : this.#replaced).add(tableName(number));
    this.#sequence = Math.max(this.#sequence, max);
    if (copied.built === undefined) {
      this.#gone += 1;
      return [];
    }
    this.#rewritten += 1;
    return [copied.built];
  }

  /** What a table says of itself, if its tail can be read. */
  #describe(number: number): Aged {
    try {
      const path = pathIn(this.#directory, tableName(number));
      const { meta, properties } = describeTable({ disk: this.#disk, path, number });
      this.#sequence = Math.max(this.#sequence, meta.maxSequence);
      return { meta, number, level: properties.level, isKnown: true };
    } catch (error) {
      if (!isEngineError(error, "CORRUPTION")) throw error;
      return { meta: nothingKnown, number, level: 0, isKnown: false };
    }
  }

  /** Whether all of a table is what was written. */
  #isSound(meta: TableMeta): boolean {
    const path = pathIn(this.#directory, tableName(meta.number));
    const { hashSeed } = this.#found.identity;
    const cache = new BlockCache(0);
    try {
      const table = Table.open({ disk: this.#disk, path, meta, hashSeed, cache });
      try {
        table.verify();
      } finally {
        table.release();
      }
      return true;
    } catch (error) {
      if (isEngineError(error, "CORRUPTION")) return false;
      throw error;
    }
  }

  #read(number: number, end = 0): ReadLog {
    const nextSequence = alignedSequence(this.#sequence);
    const log = readLog(this.#disk, this.#directory, { number, nextSequence, end });
    this.#sequence = Math.max(this.#sequence, log.endSequence);
    return log;
  }

  /** Writes what a log holds as a table. */
  async #flush(log: ReadLog): Promise<readonly TableMeta[]> {
    this.#lost.push(...log.lost);
    this.#recordsSkipped += log.lost.length;
    this.#logEntries += log.operations;
    (log.lost.length > 0 ? this.#damaged : this.#replaced).add(logName(log.number));
    if (log.operations === 0) return [];
    const memtable = log.memtable(this.#found.identity.hashSeed);
    return this.#run({
      kind: "flush",
      directory: this.#directory,
      shape: this.#shape(0),
      snapshots: [],
      now: 0,
      number: this.#nextFile++,
      arena: memtable.arena,
      end: memtable.end,
      firstSequence: log.firstSequence,
    });
  }

  async #run(job: Job): Promise<readonly TableMeta[]> {
    return (await this.#workers.run(job)).tables;
  }

  #shape(level: number): TableShape {
    const { hashSeed } = this.#found.identity;
    return { hashSeed, blockBytes, compression: "none", level };
  }

  /** A second name in `lost/` for each damaged file. */
  #keepDamaged(): void {
    if (this.#damaged.size === 0) return;
    const lost = pathIn(this.#directory, lostDirectory);
    this.#disk.makeDirectorySync(lost);
    for (const name of this.#damaged) {
      const path = pathIn(this.#directory, name);
      if (!this.#disk.existsSync(path)) continue;
      const copy = this.#freeName(pathIn(lost, name), path);
      if (copy === undefined) continue;
      this.#disk.linkSync(path, copy);
    }
    this.#disk.syncDirectorySync(lost);
  }

  /** A name that is free; none where an interrupted salvage has put the file there already. */
  #freeName(wanted: string, path: string): string | undefined {
    const length = this.#lengthOf(path);
    let name = wanted;
    for (let i = 1; this.#disk.existsSync(name); i++) {
      if (this.#lengthOf(name) === length) return undefined;
      name = `${wanted}.${i}`;
    }
    return name;
  }

  #lengthOf(path: string): number {
    const file = this.#disk.openSync(path, "read");
    try {
      return file.bytesSync();
    } finally {
      file.closeSync();
    }
  }

  async #makeCurrent(): Promise<void> {
    this.#disk.syncDirectorySync(this.#directory);
    const number = this.#nextFile++;
    const logNumber = this.#nextFile++;
    const manifest = await ManifestWriter.create({
      disk: this.#disk,
      directory: this.#directory,
      number,
      state: {
        ...this.#found.identity,
        version: applyEdit(emptyVersion, { added: this.#tables, removed: [] }),
        nextFile: this.#nextFile,
        lastSequence: alignedSequence(this.#sequence),
        logNumber,
        sealedLogs: [],
      },
    });
    await manifest.finish();
    await switchCurrent(this.#disk, this.#directory, number);
  }

  /** What damage is in is in `lost/`; what was rewritten is not needed. */
  #removeReplaced(): void {
    const live = new Set(this.#tables.map(({ table }) => tableName(table.number)));
    for (const name of [...this.#damaged, ...this.#replaced]) {
      const path = pathIn(this.#directory, name);
      const { kind } = parseName(name);
      if (kind === "current" || live.has(name) || !this.#disk.existsSync(path)) continue;
      this.#disk.removeSync(path);
    }
    this.#disk.syncDirectorySync(this.#directory);
  }
}

const nothingKnown: TableMeta = {
  number: 0,
  bytes: 0,
  smallest: new Uint8Array(0),
  largest: new Uint8Array(0),
  entries: 0,
  tombstones: 0,
  minSequence: 0,
  maxSequence: 0,
  firstExpiry: 0,
};

/** What comes from a log is as new as its sequences. */
function freshOf(meta: TableMeta): Aged {
  return { meta, number: meta.number, level: 0, isKnown: true };
}
