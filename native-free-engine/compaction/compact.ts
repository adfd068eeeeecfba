/**
 * A compaction: sorted runs of tables, newest first, merged into new tables. Of each key only the
 * versions that some reader can still see are kept (visible.ts). Nothing but files is changed: the
 * caller records the outputs in the manifest, and until then they are strangers that the next
 * open removes.
 */
import { assert } from "../base/assert.ts";
import { sharedPrefixBytes } from "../base/bytes.ts";
import { keyBytesMax } from "../base/limits.ts";
import { atEntry, type Cursor, kindTombstone, kindValue } from "../cursor.ts";
import type { Disk } from "../disk/disk.ts";
import { corruption, type EngineError } from "../errors.ts";
import { pathIn, tableName } from "../files.ts";
import { compareKeys, emptyPlace, type KeyPlace } from "../key-order.ts";
import { Merge } from "../merge.ts";
import { RunCursor } from "../run-cursor.ts";
import { BlockCache } from "../table/block-cache.ts";
import type { BuiltTable, TableMeta } from "../table/meta.ts";
import { RunBuffers } from "../table/run-buffers.ts";
import { Table } from "../table/table.ts";
import { TableWriter } from "../table/writer.ts";
import { Retention } from "../visible.ts";
import type { CompactionJob, JobResult, KeyRange } from "./job.ts";

const entriesPerStep = 1000;
const nothing = new Uint8Array(0);

/** Yields where a caller on the main thread may pause. The tables' names are not durable yet. */
export function* compact(disk: Disk, job: CompactionJob): Generator<void, JobResult> {
  const inputs = new Inputs(disk, job);
  const outputs = new Outputs(disk, job);
  try {
    const counts = yield* mergeAll(job, inputs, outputs);
    const tables = outputs.finish();
    return {
      tables,
      ...counts,
      bytesRead: job.runs.flat().reduce((sum, table) => sum + table.bytes, 0),
      bytesWritten: tables.reduce((sum, table) => sum + table.bytes, 0),
    };
  } catch (error) {
    outputs.abandon();
    throw error;
  } finally {
    inputs.close();
  }
}

function* mergeAll(
  job: CompactionJob,
  inputs: Inputs,
  outputs: Outputs,
): Generator<void, { entriesIn: number; entriesOut: number }> {
  const merge = inputs.start();
  const { buffers } = inputs;
  const retention = new Retention(job.snapshots, job.now);
  const deeper = new Deeper(job.deeper);
  const previous = emptyPlace();
  let entriesIn = 0;
  let entriesOut = 0;
  let blocks = 0;
  for (; merge.state === atEntry; merge.next()) {
    const entry = merge.current;
    if (entriesIn++ % entriesPerStep === 0) yield;
    // The first key is new whatever it is: even an empty one.
    const order = entriesIn === 1 ? 1 : entry.head - previous.head || compareKeys(entry, previous);
    if (order < 0) throw damagedInputs(job, "entries are out of order");
    const isNewKey = order > 0;
    if (isNewKey) retention.startKey();
    previous.bytes = entry.bytes;
    previous.prefixAt = entry.prefixAt;
    previous.prefixLength = entry.prefixLength;
    previous.suffixAt = entry.suffixAt;
    previous.suffixLength = entry.suffixLength;
    previous.head = entry.head;
    const { kind, sequence, expiry } = entry;
    // A plain value is kept or shadowed wherever its key may be besides.
    const held = kind !== kindValue && deeper.mayHold(entry);
    const verdict = retention.judge(kind, sequence, expiry, held);
    if (verdict === "drop") continue;
    entriesOut += 1;
    const stored = retention.storedSequence(sequence);
    outputs.add(entry, { isNewKey, isTombstone: verdict === "tombstone", stored });
    // A block was written: of what was read, only this entry is still looked at.
    if (outputs.blocks !== blocks) {
      blocks = outputs.blocks;
      buffers.reuse();
    }
  }
  const expected = job.runs.flat().reduce((sum, table) => sum + table.entries, 0);
  if (entriesIn !== expected) {
    throw damagedInputs(job, `${entriesIn} entries were read where ${expected} were written`);
  }
  return { entriesIn, entriesOut };
}

/** Damage that the merge sees, but not in which of its inputs. */
function damagedInputs(job: CompactionJob, what: string): EngineError {
  const names = job.runs.flat().map(({ number }) => tableName(number));
  return corruption({ file: job.directory }, `${what} in one of ${names.join(", ")}`);
}

/** The input tables. Of each run one is open at a time: a run may have hundreds. */
class Inputs {
  readonly #disk: Disk;
  readonly #job: CompactionJob;
  readonly buffers = new RunBuffers();
  readonly #cache = new BlockCache(0);
  readonly #cursors: readonly RunCursor[];
  /** The open table of each run. */
  readonly #open: (Table | undefined)[];

  constructor(disk: Disk, job: CompactionJob) {
    this.#disk = disk;
    this.#job = job;
    const skip = sharedByAll(job.runs.flat());
    this.#open = job.runs.map(() => undefined);
    this.#cursors = job.runs.map((run, i) => {
      const tables = run.map((meta) => {
        const table = () => this.#openNext(i, meta);
        return { meta, isOpen: true, table, tableSlowly: async () => table() };
      });
      return new RunCursor(tables, { skip, mayRead: () => true, buffers: this.buffers });
    });
  }

  /** Opens the first tables; call `close` also when this throws. */
  start(): Merge {
    const merge = new Merge(this.#cursors);
    merge.first();
    return merge;
  }

  close(): void {
    for (const cursor of this.#cursors) cursor.close();
    for (const table of this.#open) table?.release();
    this.#open.fill(undefined);
  }

  /** The run's cursor has let go of the table before this one. */
  #openNext(run: number, meta: TableMeta): Table {
    this.#open[run]?.release();
    this.#open[run] = undefined;
    const path = pathIn(this.#job.directory, tableName(meta.number));
    const { hashSeed } = this.#job.shape;
    const table = Table.open({ disk: this.#disk, path, meta, hashSeed, cache: this.#cache });
    this.#open[run] = table;
    return table;
  }
}

/** The tables being written: a new one begins where the last has its size, between two keys. */
class Outputs {
  readonly #disk: Disk;
  readonly #job: CompactionJob;
  readonly #sequences: { readonly min: number; readonly max: number };
  readonly #built: BuiltTable[] = [];
  readonly #key = new Uint8Array(keyBytesMax);
  #writer: TableWriter | undefined;
  #started = 0;
  #blocks = 0;

  constructor(disk: Disk, job: CompactionJob) {
    this.#disk = disk;
    this.#job = job;
    const inputs = job.runs.flat();
    this.#sequences = {
      min: Math.min(...inputs.map((table) => table.minSequence)),
      max: Math.max(...inputs.map((table) => table.maxSequence)),
    };
  }

  add(
    entry: Cursor,
    how: { readonly isNewKey: boolean; readonly isTombstone: boolean; readonly stored: number },
  ): void {
    const writer = this.#writerFor(how.isNewKey);
    const { bytes, prefixAt, prefixLength, suffixAt, suffixLength } = entry;
    const key = this.#key;
    for (let i = 0; i < prefixLength; i++) key[i] = bytes[prefixAt + i]!;
    for (let i = 0; i < suffixLength; i++) key[prefixLength + i] = bytes[suffixAt + i]!;
    const length = prefixLength + suffixLength;
    if (how.isTombstone) {
      writer.addParts(key, 0, length, nothing, 0, 0, kindTombstone, how.stored, 0);
      return;
    }
    const { valueAt, valueLength, kind, expiry } = entry;
    writer.addParts(key, 0, length, bytes, valueAt, valueLength, kind, how.stored, expiry);
  }

  /** Blocks written so far. */
  get blocks(): number {
    return this.#blocks + (this.#writer?.blocks ?? 0);
  }

  finish(): readonly BuiltTable[] {
    this.#endTable();
    return this.#built;
  }

  /** Removes what was written. Never throws. */
  abandon(): void {
    this.#writer?.abandon();
    for (const { number } of this.#built) {
      try {
        this.#disk.removeSync(pathIn(this.#job.directory, tableName(number)));
      } catch {
        // The file is named by no manifest, so opening the database deletes it.
      }
    }
  }

  #writerFor(isNewKey: boolean): TableWriter {
    if (isNewKey && this.#writer !== undefined && this.#writer.bytes >= this.#job.tableBytes) {
      this.#endTable();
    }
    if (this.#writer === undefined) {
      const { directory, numbers, shape } = this.#job;
      const number = numbers[this.#started++];
      assert(number !== undefined, "a job has more file numbers than it can need");
      const path = pathIn(directory, tableName(number));
      this.#writer = new TableWriter({ disk: this.#disk, path, number, shape });
    }
    return this.#writer;
  }

  #endTable(): void {
    if (this.#writer !== undefined) {
      this.#built.push(this.#writer.finish(this.#sequences));
      this.#blocks += this.#writer.blocks;
    }
    this.#writer = undefined;
  }
}

/** Whether tables below the output level reach over a key. Keys are asked in ascending order. */
class Deeper {
  readonly #ranges: readonly { readonly smallest: KeyPlace; readonly largest: KeyPlace }[];
  #next = 0;

  constructor(ranges: readonly KeyRange[]) {
    this.#ranges = ranges.map(({ smallest, largest }) => ({
      smallest: placeOf(smallest),
      largest: placeOf(largest),
    }));
  }

  mayHold(key: KeyPlace): boolean {
    const ranges = this.#ranges;
    while (this.#next < ranges.length && compareKeys(ranges[this.#next]!.largest, key) < 0) {
      this.#next += 1;
    }
    const range = ranges[this.#next];
    return range !== undefined && compareKeys(range.smallest, key) <= 0;
  }
}

function placeOf(key: Uint8Array): KeyPlace {
  return { ...emptyPlace(), bytes: key, suffixLength: key.length };
}

/** The bytes with which every key of the inputs begins. */
function sharedByAll(tables: readonly TableMeta[]): number {
  const first = tables[0]!.smallest;
  let shared = first.length;
  for (const { smallest, largest } of tables) {
    shared = sharedPrefixBytes(first, 0, shared, smallest, 0, smallest.length);
    shared = sharedPrefixBytes(first, 0, shared, largest, 0, largest.length);
  }
  return shared;
}
