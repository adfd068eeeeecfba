/**
 * What can still be read of a commit log, as a memtable. Recovery stops at the first record that
 * it cannot read; salvage goes on behind it, and counts what it skipped.
 */
import { readU32 } from "./base/bytes.ts";
import type { Disk } from "./disk/disk.ts";
import { EngineError } from "./errors.ts";
import { logName } from "./files.ts";
import { areOperations, keyLengthMask, operationBytes } from "./log/operation.ts";
import {
  fileHeaderBytes,
  logMagic,
  readFileHeader,
  readRecord,
  sealRecord,
  typeGroup,
  typeSeal,
} from "./log/record.ts";
import { loadLog } from "./log/replay.ts";
import { Memtable } from "./memtable.ts";
import type { LostStretch } from "./salvage-table.ts";

export interface ReadLog {
  readonly number: number;
  readonly firstSequence: number;
  /** Where in the sequences its last record ends, or what is left of it. */
  readonly endSequence: number;
  readonly operations: number;
  /** Each stretch held at least one record. */
  readonly lost: readonly LostStretch[];
  /** Makes the operations a memtable: one record of all of them. */
  readonly memtable: (hashSeed: number) => Memtable;
}

/**
 * A log whose header cannot be read is taken to begin at `nextSequence`; one that was closed
 * cleanly is known to reach up to `end`.
 */
export function readLog(
  disk: Disk,
  directory: string,
  log: { readonly number: number; readonly nextSequence: number; readonly end: number },
): ReadLog {
  const { number } = log;
  const file = logName(number);
  const { arena, bytes } = loadLog(disk, directory, number);
  const header = readFileHeader(arena, bytes, { magic: logMagic, number });
  if (header.kind === "tooNew") {
    throw new EngineError("FORMAT_TOO_NEW", `${file} has format version ${header.version}`);
  }
  const isWhole = header.kind === "header";
  const firstSequence = isWhole ? header.header.firstSequence : log.nextSequence;
  const lost: LostStretch[] = isWhole ? [] : [{ file, offset: 0, bytes: fileHeaderBytes }];
  const places: number[] = [];
  let at = fileHeaderBytes;
  let gap = at;
  const endGap = (to: number): void => {
    const end = lastNonZero(arena, gap, to);
    if (end > gap) lost.push({ file, offset: gap, bytes: end - gap });
  };
  while (at < bytes) {
    const found = readable(arena, at, bytes, number);
    if (found === undefined) {
      at += 8;
      continue;
    }
    endGap(at);
    for (const place of found.places) places.push(place);
    at = found.next;
    gap = at;
  }
  endGap(bytes);
  if (log.end > bytes) lost.push({ file, offset: bytes, bytes: log.end - bytes });
  return {
    number,
    firstSequence,
    endSequence: firstSequence + Math.max(gap, lastNonZero(arena, gap, bytes)),
    operations: places.length,
    lost,
    memtable: (hashSeed) => memtableOf(arena, places, { number, firstSequence, hashSeed }),
  };
}

/** Offsets of the operations in the record at `at`, if one is there and makes sense. */
function readable(
  arena: Uint8Array,
  at: number,
  bytes: number,
  number: number,
): { readonly places: readonly number[]; readonly next: number } | undefined {
  const type = arena[at + 8];
  // A look at the type first: a checksum at every step could cost the square of the length.
  if (type !== typeGroup && type !== typeSeal) return undefined;
  const record = readRecord(arena, at, bytes, number);
  if (record.kind !== "record") return undefined;
  const places: number[] = [];
  const { payloadAt, next, operations } = record;
  if (record.type === typeSeal && operations > 0) return undefined;
  if (!areOperations(arena, payloadAt, next, operations)) return undefined;
  for (let place = payloadAt; places.length < operations; place += sizeOf(arena, place)) {
    places.push(place);
  }
  return { places, next };
}

/** Of an operation that makes sense. */
function sizeOf(arena: Uint8Array, at: number): number {
  const kindAndKey = readU32(arena, at + 4);
  return operationBytes(kindAndKey >>> 24, kindAndKey & keyLengthMask, readU32(arena, at + 8));
}

function memtableOf(
  arena: Uint8Array,
  places: readonly number[],
  log: { readonly number: number; readonly firstSequence: number; readonly hashSeed: number },
): Memtable {
  const memtable = new Memtable({
    logNumber: log.number,
    firstSequence: log.firstSequence,
    previous: { number: 0, end: 0 },
    hashSeed: log.hashSeed,
    bytesMax: arena.length + 4096,
    full: false,
  });
  memtable.fits(arena.length);
  const at = memtable.beginRecord();
  for (const place of places) {
    memtable.index(memtable.copyOperation(arena, place, sizeOf(arena, place)));
  }
  sealRecord(memtable.arena, at, log.number, {
    type: typeGroup,
    payloadBytes: memtable.endRecord(at),
    operations: places.length,
    durableSequence: 0,
  });
  return memtable;
}

function lastNonZero(bytes: Uint8Array, from: number, to: number): number {
  let end = to;
  while (end > from && bytes[end - 1] === 0) end -= 1;
  return end;
}
