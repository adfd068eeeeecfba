/**
 * Reading commit logs back. Recovery keeps a prefix of what was written: it stops at the first
 * record it cannot read and drops what follows. But only where that can be an unfinished tail: if
 * any readable record further on says that the place was durable, or the manifest says that the
 * log was closed cleanly at a later offset, those bytes were once safe on disk, so this is damage
 * and opening is refused. Sequences run on from log to log, which makes one rule for all of them.
 */
import { assert } from "../base/assert.ts";
import { type Disk, readFullySync } from "../disk/disk.ts";
import { corruption, EngineError } from "../errors.ts";
import { logName } from "../files.ts";
import { areOperations } from "./operation.ts";
import {
  fileHeaderBytes,
  logMagic,
  readFileHeader,
  readRecord,
  typeGroup,
  typeSeal,
} from "./record.ts";

/** A log that was sealed and synced by a clean close: it must be readable up to `end`. */
export interface SealedLog {
  readonly number: number;
  readonly end: number;
}

/** One log as recovery found it. */
export interface ReplayedLog {
  readonly number: number;
  readonly firstSequence: number;
  /** The file's bytes, over a SharedArrayBuffer, as a flush wants them. */
  readonly arena: Uint8Array;
  /** Records in [fileHeaderBytes, end) are whole. */
  readonly end: number;
  readonly records: number;
  readonly operations: number;
}

export interface Replay {
  readonly logs: readonly ReplayedLog[];
  /** The first sequence that no log has used. */
  readonly nextSequence: number;
  /** Bytes behind the place where reading stopped that may have held records. */
  readonly droppedBytes: number;
  readonly stoppedAt: { readonly file: string; readonly offset: number } | undefined;
}

interface LoadedLog {
  readonly number: number;
  readonly file: string;
  readonly arena: Uint8Array;
  readonly bytes: number;
}

/** Where reading one log ended, and why. */
interface Extent {
  readonly firstSequence: number;
  readonly previousNumber: number;
  readonly previousEnd: number;
  readonly end: number;
  readonly records: number;
  readonly operations: number;
  readonly sealed: boolean;
  /** Undefined when everything was read. */
  readonly trouble: string | undefined;
}

/**
 * Reads the logs with these numbers (ascending). `nextSequence` is where a log may begin at the
 * earliest. Throws CORRUPTION, FORMAT_TOO_NEW or the disk's own errors.
 */
export function replayLogs(options: {
  readonly disk: Disk;
  readonly directory: string;
  readonly numbers: readonly number[];
  /** Logs from this number on hold what no table has. */
  readonly oldestNeeded: number;
  readonly sealed: readonly SealedLog[];
  readonly nextSequence: number;
}): Replay {
  const loaded = options.numbers.map((number) => load(options.disk, options.directory, number));
  refuseMissing(options.oldestNeeded, options.sealed, loaded);
  const lost = missingBefore(options.oldestNeeded, loaded[0]);
  const logs: ReplayedLog[] = [];
  let nextSequence = options.nextSequence;
  let previous: { number: number; end: number } | undefined;
  for (const [position, log] of loaded.entries()) {
    const extent = readExtent(log, nextSequence);
    const rest = loaded.slice(position + 1);
    const sealedEnd = options.sealed.find((other) => other.number === log.number)?.end;
    const gap = position === 0 ? lost : gapBefore(extent, previous);
    if (gap !== undefined) {
      return stop(logs, log, { at: 0, sequence: nextSequence, what: gap, sealedEnd, rest });
    }
    if (extent.records > 0) logs.push({ ...log, ...extent });
    const shortOfSeal = sealedEnd !== undefined && extent.end < sealedEnd;
    const ended = rest.length === 0 || endsBefore(extent, log, rest[0]!);
    if (extent.trouble !== undefined || shortOfSeal || !ended) {
      const what = extent.trouble ?? `log ends before byte ${sealedEnd ?? log.bytes}`;
      const sequence = extent.firstSequence + extent.end;
      return stop(logs, log, { at: extent.end, sequence, what, sealedEnd, rest });
    }
    nextSequence = extent.firstSequence + extent.end;
    previous = { number: log.number, end: extent.end };
  }
  return { logs, nextSequence, droppedBytes: 0, stoppedAt: undefined };
}

/** The log itself, for tools that look at one file: every record, and what stopped the reading. */
export function loadLog(disk: Disk, directory: string, number: number): LoadedLog {
  return load(disk, directory, number);
}

function load(disk: Disk, directory: string, number: number): LoadedLog {
  const file = logName(number);
  const handle = disk.openSync(`${directory}/${file}`, "read");
  try {
    const size = handle.bytesSync();
    const arena = new Uint8Array(new SharedArrayBuffer((size + 7) & ~7));
    const bytes = readFullySync(handle, arena, 0, size, 0);
    return { number, file, arena, bytes };
  } finally {
    handle.closeSync();
  }
}

function readExtent(log: LoadedLog, nextSequence: number): Extent {
  const found = readFileHeader(log.arena, log.bytes, { magic: logMagic, number: log.number });
  const nothing = { previousNumber: 0, previousEnd: 0, records: 0, operations: 0, sealed: false };
  switch (found.kind) {
    case "tooNew":
      throw new EngineError(
        "FORMAT_TOO_NEW",
        `${log.file} has format version ${found.version}; upgrade Everwrite to read it`,
        { place: { file: log.file, offset: 8 } },
      );
    case "damaged":
      return { ...nothing, firstSequence: nextSequence, end: 0, trouble: found.what };
    case "header":
      break;
  }
  const { firstSequence, previousNumber, previousEnd } = found.header;
  if (firstSequence < nextSequence) {
    const trouble = `log begins at sequence ${firstSequence}, before ${nextSequence}`;
    return { ...nothing, firstSequence: nextSequence, end: 0, trouble };
  }
  let at = fileHeaderBytes;
  let records = 0;
  let operations = 0;
  let sealed = false;
  for (;;) {
    const record = readRecord(log.arena, at, log.bytes, log.number);
    const base = { firstSequence, previousNumber, previousEnd, records, operations, sealed };
    if (record.kind === "end") return { ...base, end: at, trouble: undefined };
    if (record.kind === "unreadable") {
      // Behind its seal a log has only space that was prepared: what stands there is nobody's.
      return { ...base, end: at, trouble: sealed ? undefined : record.what };
    }
    if (record.type !== typeGroup && record.type !== typeSeal) {
      return { ...base, end: at, trouble: `record of unknown type ${record.type}` };
    }
    if (sealed) return { ...base, end: at, trouble: "record behind the log's seal" };
    const { payloadAt, next, operations: count, type } = record;
    if ((type === typeSeal && count > 0) || !areOperations(log.arena, payloadAt, next, count)) {
      return { ...base, end: at, trouble: `record is not ${count} operations` };
    }
    sealed = record.type === typeSeal;
    records += 1;
    operations += record.operations;
    at = record.next;
  }
}

/** A log that was sealed by a clean close must be there. */
function refuseMissing(
  oldestNeeded: number,
  sealed: readonly SealedLog[],
  loaded: readonly LoadedLog[],
): void {
  const gone = sealed.find(
    ({ number }) => number >= oldestNeeded && !loaded.some((log) => log.number === number),
  );
  if (gone !== undefined) {
    throw corruption({ file: logName(gone.number) }, "the file is missing; the manifest needs it");
  }
}

/**
 * Whether the log that the first one continues is missing, in words. A crash takes the name of a
 * log that was never synced, and may leave that of a later one: then nothing behind it counts.
 */
function missingBefore(oldestNeeded: number, first: LoadedLog | undefined): string | undefined {
  if (first === undefined) return undefined;
  const found = readFileHeader(first.arena, first.bytes, { magic: logMagic, number: first.number });
  if (found.kind !== "header" || found.header.previousNumber < oldestNeeded) return undefined;
  return `log continues ${logName(found.header.previousNumber)}, which is missing`;
}

/** Why this log does not continue the one before it, if it does not. */
function gapBefore(
  extent: Extent,
  previous: { readonly number: number; readonly end: number } | undefined,
): string | undefined {
  if (previous === undefined || extent.end === 0) return undefined;
  if (extent.previousNumber === previous.number && extent.previousEnd === previous.end) {
    return undefined;
  }
  const said = `log continues ${logName(extent.previousNumber)} at byte ${extent.previousEnd}`;
  return `${said}, but ${logName(previous.number)} ends at byte ${previous.end}`;
}

/** Whether the log reaches the length that its successor remembers. */
function endsBefore(extent: Extent, log: LoadedLog, successor: LoadedLog): boolean {
  const found = readFileHeader(successor.arena, successor.bytes, {
    magic: logMagic,
    number: successor.number,
  });
  if (found.kind !== "header" || found.header.previousNumber !== log.number) return true;
  return extent.end >= found.header.previousEnd;
}

/** Ends the replay here, or refuses if the place was once durable. */
function stop(
  logs: readonly ReplayedLog[],
  log: LoadedLog,
  found: {
    readonly at: number;
    readonly sequence: number;
    readonly what: string;
    readonly sealedEnd: number | undefined;
    readonly rest: readonly LoadedLog[];
  },
): Replay {
  const { at, sequence, what, sealedEnd, rest } = found;
  if (sealedEnd !== undefined && at < sealedEnd) {
    throw corruption({ file: log.file, offset: at }, `${what}, in a log that was closed cleanly`);
  }
  let end = sequence;
  for (const [position, other] of [log, ...rest].entries()) {
    const from = position === 0 ? at : fileHeaderBytes;
    for (const record of readableRecords(other, from)) {
      if (record.durableSequence > sequence) {
        const proof = `${other.file} at byte ${record.at} proves that it was durable`;
        throw corruption({ file: log.file, offset: at }, `${what}, and ${proof}`);
      }
      end = Math.max(end, record.endSequence);
    }
  }
  const dropped = rest.reduce((sum, other) => sum + other.bytes, lastByte(log) - at);
  return {
    logs,
    nextSequence: Math.max(end, sequence + log.bytes),
    droppedBytes: Math.max(0, dropped),
    stoppedAt: { file: log.file, offset: at },
  };
}

/** Every record that can be read from some offset on, wherever it begins. */
function* readableRecords(
  log: LoadedLog,
  from: number,
): Generator<{ at: number; durableSequence: number; endSequence: number }> {
  const found = readFileHeader(log.arena, log.bytes, { magic: logMagic, number: log.number });
  const base = found.kind === "header" ? found.header.firstSequence : 0;
  assert(from % 8 === 0, "records begin at multiples of 8");
  for (let at = Math.max(from, fileHeaderBytes); at < log.bytes; ) {
    const type = log.arena[at + 8];
    if (type !== typeGroup && type !== typeSeal) {
      at += 8;
      continue;
    }
    const record = readRecord(log.arena, at, log.bytes, log.number);
    if (record.kind !== "record") {
      at += 8;
      continue;
    }
    yield { at, durableSequence: record.durableSequence, endSequence: base + record.next };
    at = record.next;
  }
}

/** Zeros at the end of a log are space that was prepared, not data that was lost. */
function lastByte(log: LoadedLog): number {
  let end = log.bytes;
  while (end > 0 && log.arena[end - 1] === 0) end -= 1;
  return end;
}
