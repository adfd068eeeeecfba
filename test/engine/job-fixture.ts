/**
 * Jobs on a disk in memory: memtables as a flush gets them, jobs run from start to end, and what
 * they leave behind.
 */
import type {
  CompactionJob,
  FlushJob,
  Job,
  JobResult,
} from "../../native-free-engine/compaction/job.ts";
import { runJob } from "../../native-free-engine/compaction/run-job.ts";
import {
  atEntry,
  kindExpiring,
  kindTombstone,
  kindValue,
} from "../../native-free-engine/cursor.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { sealRecord, typeGroup } from "../../native-free-engine/log/record.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { BlockCache } from "../../native-free-engine/table/block-cache.ts";
import type { TableMeta } from "../../native-free-engine/table/meta.ts";
import { Table } from "../../native-free-engine/table/table.ts";
import { keyAt, valueAt } from "./array-cursor.ts";
import { type Entry, shape, text } from "./table-fixture.ts";

export interface Operation {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly kind: number;
  readonly expiry: number;
}

/** Where the operations stand in the arena: `offsets[i]` is that of `operations[i]`. */
export function filled(
  operations: readonly Operation[],
  options: { readonly firstSequence: number },
): { readonly arena: Uint8Array; readonly end: number; readonly offsets: readonly number[] } {
  const bytesMax = 1 << 20;
  const memtable = new Memtable({
    logNumber: 1,
    firstSequence: options.firstSequence,
    previous: { number: 0, end: 0 },
    hashSeed: shape.hashSeed,
    bytesMax: Math.max(
      bytesMax,
      operations.reduce((sum, { key, value }) => sum + key.length + value.length + 64, 4096),
    ),
    full: true,
  });
  const offsets: number[] = [];
  for (let next = 0; next < operations.length; ) {
    const count = 1 + (next % 7);
    const record = memtable.beginRecord();
    const group = operations.slice(next, next + count);
    for (const { kind, key, value, expiry } of group) {
      offsets.push(memtable.encode(kind, key, value, expiry));
      memtable.index(offsets.at(-1)!);
    }
    sealRecord(memtable.arena, record, 1, {
      type: typeGroup,
      payloadBytes: memtable.endRecord(record),
      operations: group.length,
      durableSequence: 0,
    });
    next += count;
  }
  return { arena: memtable.arena, end: memtable.end, offsets };
}

export const directory = "/db";
const frame = { directory, shape, snapshots: [], now: 0 };

/** A memory disk that knows how many files are open. */
export class CountingDisk extends MemoryDisk {
  openFiles = 0;
  openFilesMost = 0;

  override openSync(...asked: Parameters<MemoryDisk["openSync"]>) {
    const file = super.openSync(...asked);
    let open = true;
    const close = file.closeSync.bind(file);
    file.closeSync = () => {
      if (open) this.openFiles--;
      open = false;
      close();
    };
    this.openFiles++;
    this.openFilesMost = Math.max(this.openFilesMost, this.openFiles);
    return file;
  }
}

export function newDisk(): CountingDisk {
  const disk = new CountingDisk();
  disk.makeDirectorySync(directory);
  return disk;
}

export function run(disk: MemoryDisk, job: Job): JobResult {
  const steps = runJob(disk, job);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

export function flushJob(
  operations: readonly Operation[],
  fields: Partial<FlushJob> = {},
): FlushJob {
  const firstSequence = fields.firstSequence ?? 1000;
  const { arena, end } = filled(operations, { firstSequence });
  return { kind: "flush", ...frame, number: 1, arena, end, firstSequence, ...fields };
}

export function compactionJob(
  runs: readonly (readonly TableMeta[])[],
  fields: Partial<CompactionJob> = {},
): CompactionJob {
  const numbers = Array.from({ length: 100 }, (_, i) => 100 + i);
  return {
    kind: "compaction",
    ...frame,
    runs,
    numbers,
    tableBytes: 1 << 20,
    deeper: [],
    ...fields,
  };
}

function pathOf({ number }: TableMeta): string {
  return `${directory}/${String(number).padStart(6, "0")}.sst`;
}

export function openTable(disk: MemoryDisk, meta: TableMeta): Table {
  const options = { disk, path: pathOf(meta), meta, hashSeed: shape.hashSeed };
  return Table.open({ ...options, cache: new BlockCache(0) });
}

export function put(key: string, value = "", expiry = 0): Operation {
  const kind = expiry > 0 ? kindExpiring : kindValue;
  return { key: text(key), value: text(value), kind, expiry };
}

export function del(key: string): Operation {
  return { key: text(key), value: text(""), kind: kindTombstone, expiry: 0 };
}

/** Every entry of a table, versions and all. */
export function entriesOf(disk: MemoryDisk, meta: TableMeta): Entry[] {
  const table = openTable(disk, meta);
  const cursor = table.cursor({ skip: 0, mayRead: () => true });
  const entries: Entry[] = [];
  for (cursor.first(); cursor.state === atEntry; cursor.next()) {
    const { kind, sequence, expiry } = cursor;
    entries.push({ key: keyAt(cursor), value: valueAt(cursor), kind, sequence, expiry });
  }
  cursor.close();
  table.release();
  return entries;
}
