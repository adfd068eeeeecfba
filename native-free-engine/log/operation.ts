/**
 * Operations: one put or delete as it stands in a log record, which is also how it stands in the
 * memtable's arena: the arena is the image of its log file, byte for byte, so that an offset means
 * the same in both, the log is written straight from the arena, and a flush reads the arena in
 * another thread without a copy. Operations begin at multiples of 4:
 *
 *   0 u32 previous   offset in this file of the key's operation before this one, 0 for none
 *   4 u32 kindAndKey kind << 24 | key length
 *   8 u32 value length
 *  12 u64 expiry     only of kind 2: milliseconds since 1970
 *     key, value, zeros up to a multiple of 4
 *
 * The sequence of an operation is the log's firstSequence plus its offset: sequences are positions
 * in the endless log of which each file is a stretch, so they cost no bytes of their own.
 */
import { readU32 } from "../base/bytes.ts";
import { keyBytesMax, valueBytesMax } from "../base/limits.ts";
import { kindExpiring } from "../cursor.ts";
import { fileHeaderBytes, recordHeaderBytes, typeGroup } from "./record.ts";

export const operationHeaderBytes = 12;
export const expiryBytes = 8;

/** Bytes of an operation in a log, padding included. */
export function operationBytes(kind: number, keyLength: number, valueLength: number): number {
  const head = kind === kindExpiring ? operationHeaderBytes + expiryBytes : operationHeaderBytes;
  return (head + keyLength + valueLength + 3) & ~3;
}

/** The length of a key stands in the low 24 bits of its word, the kind above. */
export const keyLengthMask = 0xffffff;

/** Where the key of an operation begins. */
export function keyOffset(operation: number, kind: number): number {
  const head = operation + operationHeaderBytes;
  return kind === kindExpiring ? head + expiryBytes : head;
}

/**
 * Whether the payload `[at, end)` of a record is so many operations, end to end. A checksum says
 * that these are the bytes that were written, not that they make sense to this program.
 */
export function areOperations(arena: Uint8Array, at: number, end: number, count: number): boolean {
  let next = at;
  for (let i = 0; i < count; i++) {
    if (next + operationHeaderBytes > end) return false;
    const kindAndKey = readU32(arena, next + 4);
    const kind = kindAndKey >>> 24;
    const keyLength = kindAndKey & keyLengthMask;
    const valueLength = readU32(arena, next + 8);
    if (kind > kindExpiring || keyLength > keyBytesMax || valueLength > valueBytesMax) return false;
    next += operationBytes(kind, keyLength, valueLength);
  }
  return next <= end && end - next < operationHeaderBytes;
}

/** Visits each operation of a log image whose records in [header, end) have been verified. */
export function forEachOperation(
  arena: Uint8Array,
  end: number,
  visit: (at: number, bytes: number) => void,
): void {
  for (let record = fileHeaderBytes; record < end; ) {
    const payloadAt = record + recordHeaderBytes;
    const next = payloadAt + readU32(arena, record + 4);
    if (arena[record + 8] === typeGroup) {
      // At most one padding word follows the operations; a whole one never fits there.
      for (let at = payloadAt; at + operationHeaderBytes <= next; ) {
        const kindAndKey = readU32(arena, at + 4);
        const kind = kindAndKey >>> 24;
        const bytes = operationBytes(kind, kindAndKey & keyLengthMask, readU32(arena, at + 8));
        visit(at, bytes);
        at += bytes;
      }
    }
    record = next;
  }
}
