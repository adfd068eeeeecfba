/**
 * Records: the frame that commit logs and manifests share. A file opens with a 64-byte header,
 * then come records, each a multiple of 8 bytes, then nothing or zeros. Layout: FORMAT.md.
 *
 * Each checksum is seeded with the file's number and the record's offset, so that a stale record
 * in a recycled file, or one written to the wrong place, never parses. Each log record also says
 * up to which sequence everything was durable when it was written: that is what lets recovery
 * tell an unfinished tail from damage (replay.ts).
 */
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "../base/bytes.ts";
import { checksum, hash32, placeSeed } from "../base/hash.ts";

export const formatVersion = 1;
export const fileHeaderBytes = 64;
export const recordHeaderBytes = 24;

/** Record types. */
export const typeGroup = 1;
export const typeSeal = 2;
export const typeEdit = 16;

export const logMagic = "EVRWTLOG";
export const manifestMagic = "EVRWTMAN";

export interface FileHeader {
  readonly magic: string;
  readonly number: number;
  /** Logs: the sequence that byte 0 of this file stands for. Manifests: 0. */
  readonly firstSequence: number;
  /** The file that this one continues, and its length in bytes; 0 and 0 for none. */
  readonly previousNumber: number;
  readonly previousEnd: number;
}

export interface RecordFields {
  readonly type: number;
  readonly payloadBytes: number;
  /** Logs: operations in the payload. */
  readonly operations: number;
  /** Logs: every sequence below this was durable before the record was written. */
  readonly durableSequence: number;
}

export type HeaderFound =
  | { readonly kind: "header"; readonly header: FileHeader }
  | { readonly kind: "tooNew"; readonly version: number }
  | { readonly kind: "damaged"; readonly what: string };

export type RecordFound =
  | ({ readonly kind: "record"; readonly payloadAt: number; readonly next: number } & RecordFields)
  /** Zeros from here on, or exactly the end of the file. */
  | { readonly kind: "end" }
  /** Neither a record nor an end. */
  | { readonly kind: "unreadable"; readonly what: string };

export function writeFileHeader(bytes: Uint8Array, at: number, header: FileHeader): void {
  bytes.fill(0, at, at + fileHeaderBytes);
  for (let i = 0; i < 8; i++) bytes[at + i] = header.magic.charCodeAt(i);
  writeU32(bytes, at + 8, formatVersion);
  writeU64(bytes, at + 16, header.number);
  writeU64(bytes, at + 24, header.firstSequence);
  writeU64(bytes, at + 32, header.previousNumber);
  writeU64(bytes, at + 40, header.previousEnd);
  writeU32(bytes, at + 60, hash32(bytes, at, 60, header.number >>> 0));
}

/** `number` comes from the file's name: a renamed file does not pass for another. */
export function readFileHeader(
  bytes: Uint8Array,
  length: number,
  expected: { readonly magic: string; readonly number: number },
): HeaderFound {
  if (length < fileHeaderBytes) {
    return { kind: "damaged", what: `header is ${length} of ${fileHeaderBytes} bytes` };
  }
  if (readU32(bytes, 60) !== hash32(bytes, 0, 60, expected.number >>> 0)) {
    return { kind: "damaged", what: "header checksum does not match" };
  }
  for (let i = 0; i < 8; i++) {
    if (bytes[i] !== expected.magic.charCodeAt(i)) {
      return { kind: "damaged", what: `header does not begin with ${expected.magic}` };
    }
  }
  const version = readU32(bytes, 8);
  if (version > formatVersion) return { kind: "tooNew", version };
  const header: FileHeader = {
    magic: expected.magic,
    number: readU64(bytes, 16),
    firstSequence: readU64(bytes, 24),
    previousNumber: readU64(bytes, 32),
    previousEnd: readU64(bytes, 40),
  };
  if (header.number !== expected.number) {
    return { kind: "damaged", what: `header names file ${header.number}` };
  }
  return { kind: "header", header };
}

/**
 * Fills in the header of a record whose payload already stands behind it. `offset` is its place in
 * the file, where that is not its place in the buffer.
 */
export function sealRecord(
  bytes: Uint8Array,
  at: number,
  fileNumber: number,
  fields: RecordFields,
  offset = at,
): void {
  writeU32(bytes, at + 4, fields.payloadBytes);
  bytes[at + 8] = fields.type;
  bytes[at + 9] = 0;
  writeU16(bytes, at + 10, 0);
  writeU32(bytes, at + 12, fields.operations);
  writeU64(bytes, at + 16, fields.durableSequence);
  const covered = recordHeaderBytes - 4 + fields.payloadBytes;
  writeU32(bytes, at, checksum(bytes, at + 4, covered, placeSeed(fileNumber, offset)));
}

/** Reads the record at `at` of a file whose bytes are `bytes[0, length)`. */
export function readRecord(
  bytes: Uint8Array,
  at: number,
  length: number,
  fileNumber: number,
): RecordFound {
  if (at >= length) return { kind: "end" };
  if (at + recordHeaderBytes > length) {
    return isZero(bytes, at, length)
      ? { kind: "end" }
      : { kind: "unreadable", what: `${length - at} bytes left for a record header` };
  }
  const payloadBytes = readU32(bytes, at + 4);
  const next = at + recordHeaderBytes + payloadBytes;
  if (payloadBytes === 0 && bytes[at + 8] === 0 && isZero(bytes, at, at + recordHeaderBytes)) {
    return { kind: "end" };
  }
  if (next > length || payloadBytes % 8 !== 0) {
    return { kind: "unreadable", what: `record of ${payloadBytes} payload bytes does not fit` };
  }
  const covered = recordHeaderBytes - 4 + payloadBytes;
  if (readU32(bytes, at) !== checksum(bytes, at + 4, covered, placeSeed(fileNumber, at))) {
    return { kind: "unreadable", what: "record checksum does not match" };
  }
  if (bytes[at + 9] !== 0 || readU16(bytes, at + 10) !== 0) {
    return { kind: "unreadable", what: "record has unknown flags" };
  }
  return {
    kind: "record",
    type: bytes[at + 8]!,
    payloadBytes,
    operations: readU32(bytes, at + 12),
    durableSequence: readU64(bytes, at + 16),
    payloadAt: at + recordHeaderBytes,
    next,
  };
}

function isZero(bytes: Uint8Array, at: number, end: number): boolean {
  for (let i = at; i < end; i++) if (bytes[i] !== 0) return false;
  return true;
}
