/**
 * Mutations of real files, and checksums made right again, so that what stands behind a checksum is
 * put to the test as well.
 */
import { readU32, readU64, writeU32 } from "../../native-free-engine/base/bytes.ts";
import { checksum, hash32, placeSeed } from "../../native-free-engine/base/hash.ts";
import { EngineError } from "../../native-free-engine/errors.ts";
import { fileHeaderBytes, recordHeaderBytes } from "../../native-free-engine/log/record.ts";
import { footerBytes } from "../../native-free-engine/table/format.ts";
import { pick } from "./random.ts";

const interesting = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0xffffffff];

/** One to four changes: a bit, a byte, a telling number, a stretch moved or zeroed, an end cut. */
export function mutate(random: () => number, original: Uint8Array): Uint8Array {
  let bytes = original.slice();
  for (let changes = 1 + pick(random, 4); changes > 0 && bytes.length > 8; changes--) {
    const at = pick(random, bytes.length);
    const length = Math.min(bytes.length - at, 1 + pick(random, 40));
    switch (pick(random, 7)) {
      case 0:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(random, 8));
        break;
      case 1:
        bytes[at] = pick(random, 256);
        break;
      case 2:
        if (at + 4 <= bytes.length) writeU32(bytes, at, interesting[pick(random, 12)] ?? 0);
        break;
      case 3:
        bytes.fill(0, at, at + length);
        break;
      case 4:
        bytes.copyWithin(pick(random, bytes.length), at, at + length);
        break;
      case 5:
        bytes = bytes.slice(0, at);
        break;
      default:
        // Lengths and counts stand at multiples of four.
        if ((at & ~3) + 4 <= bytes.length) {
          writeU32(bytes, at & ~3, readU32(bytes, at & ~3) + pick(random, 17) - 8);
        }
    }
  }
  return bytes;
}

/** Of a log or manifest: the header's, and every record's that the lengths lead to. */
export function sealRecords(bytes: Uint8Array, number: number): void {
  if (bytes.length < fileHeaderBytes) return;
  writeU32(bytes, 60, hash32(bytes, 0, 60, number));
  for (let at = fileHeaderBytes; at + recordHeaderBytes <= bytes.length; ) {
    const payloadBytes = readU32(bytes, at + 4);
    const next = at + recordHeaderBytes + payloadBytes;
    if (next > bytes.length) return;
    const covered = recordHeaderBytes - 4 + payloadBytes;
    writeU32(bytes, at, checksum(bytes, at + 4, covered, placeSeed(number, at)));
    at = next;
  }
}

/** Of the tail of a table: each section's, and the footer's. */
export function sealTail(bytes: Uint8Array, number: number): void {
  const footerAt = bytes.length - footerBytes;
  if (footerAt < 0) return;
  for (const section of [16, 32, 48]) {
    const at = readU64(bytes, footerAt + section);
    const length = readU32(bytes, footerAt + section + 8);
    if (at + length > bytes.length) continue;
    const sum = checksum(bytes, at, length, placeSeed(number, at));
    writeU32(bytes, footerAt + section + 12, sum);
  }
  const seed = placeSeed(number, footerAt);
  writeU32(bytes, footerAt + 76, checksum(bytes, footerAt, 76, seed));
}

/** Whether it says what is wrong in the way that callers are promised. */
export function isCoded(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false;
  if (error.code === "FORMAT_TOO_NEW") return true;
  return error.code === "CORRUPTION" && error.place?.file !== undefined;
}
