/**
 * A flush: the operations of one memtable, sorted, into one table. The memtable comes as the image
 * of its log, so a flush after a crash, from the log's file, is the same code.
 */
import { readU64 } from "../base/bytes.ts";
import { kindExpiring, kindTombstone } from "../cursor.ts";
import type { Disk } from "../disk/disk.ts";
import { pathIn, tableName } from "../files.ts";
import {
  forEachOperation,
  keyLengthMask,
  keyOffset,
  operationHeaderBytes,
} from "../log/operation.ts";
import { compareKeys, sortOperations, wordsOf } from "../log/sort-operations.ts";
import { TableWriter } from "../table/writer.ts";
import { Retention } from "../visible.ts";
import type { FlushJob, JobResult } from "./job.ts";

/** Entries between two pauses: about half a millisecond of work. */
const entriesPerStep = 1000;
const nothing = new Uint8Array(0);

let spareCopy: Uint8Array | undefined;

/** Yields where a caller on the main thread may pause. The table's name is not durable yet. */
export function* flush(disk: Disk, job: FlushJob): Generator<void, JobResult> {
  const copy = takeCopy(job.end);
  try {
    // Bulk copies out of a SharedArrayBuffer are two to three times slower than within plain ones.
    const arena = copy.subarray(0, job.end);
    arena.set(job.arena.subarray(0, job.end));
    return yield* flushArena(disk, job, arena);
  } finally {
    spareCopy = copy;
  }
}

function* flushArena(disk: Disk, job: FlushJob, arena: Uint8Array): Generator<void, JobResult> {
  const offsets = operationsOf(arena, job.end);
  const entriesIn = offsets.length;
  yield;
  sortOperations(arena, offsets);
  yield;
  const path = pathIn(job.directory, tableName(job.number));
  const writer = new TableWriter({ disk, path, number: job.number, shape: job.shape });
  try {
    yield* writeEntries(writer, job, arena, offsets);
    if (writer.entries === 0) {
      writer.abandon();
      return { tables: [], entriesIn, entriesOut: 0, bytesRead: 0, bytesWritten: 0 };
    }
    const entriesOut = writer.entries;
    const table = writer.finish({ min: job.firstSequence, max: job.firstSequence + job.end });
    const bytesWritten = table.bytes;
    return { tables: [table], entriesIn, entriesOut, bytesRead: 0, bytesWritten };
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** One is kept: with a fresh one for each flush, three of them waited to be collected. */
function takeCopy(length: number): Uint8Array {
  const copy = spareCopy;
  spareCopy = undefined;
  return copy !== undefined && copy.length >= length ? copy : new Uint8Array(length);
}

function operationsOf(arena: Uint8Array, end: number): Int32Array {
  let count = 0;
  forEachOperation(arena, end, () => {
    count += 1;
  });
  const offsets = new Int32Array(count);
  let next = 0;
  forEachOperation(arena, end, (at) => {
    offsets[next++] = at;
  });
  return offsets;
}

function* writeEntries(
  writer: TableWriter,
  job: FlushJob,
  arena: Uint8Array,
  offsets: Int32Array,
): Generator<void, void> {
  const words = wordsOf(arena);
  const retention = new Retention(job.snapshots, job.now);
  for (let i = 0; i < offsets.length; i++) {
    if (i % entriesPerStep === 0) yield;
    const operation = offsets[i]!;
    if (i === 0 || compareKeys(arena, words, offsets[i - 1]!, operation) !== 0) {
      retention.startKey();
    }
    const kindAndKey = words[(operation >>> 2) + 1]!;
    const kind = kindAndKey >>> 24;
    const keyLength = kindAndKey & keyLengthMask;
    const keyAt = keyOffset(operation, kind);
    const expiry = kind === kindExpiring ? readU64(arena, operation + operationHeaderBytes) : 0;
    const sequence = job.firstSequence + operation;
    const verdict = retention.judge(kind, sequence, expiry, true);
    if (verdict === "drop") continue;
    const stored = retention.storedSequence(sequence);
    if (verdict === "tombstone") {
      writer.addParts(arena, keyAt, keyLength, nothing, 0, 0, kindTombstone, stored, 0);
      continue;
    }
    const valueAt = keyAt + keyLength;
    const valueLength = words[(operation >>> 2) + 2]!;
    writer.addParts(arena, keyAt, keyLength, arena, valueAt, valueLength, kind, stored, expiry);
  }
}
