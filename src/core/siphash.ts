/**
 * SipHash-2-4 (Aumasson, Bernstein 2012): a 64-bit mark that only those can make who hold the
 * 128-bit key. It seals the contexts that clients carry. Written out because the core imports no
 * package; in 32-bit halves, since a BigInt costs more than the whole hash.
 */
import { readU32 } from "../../native-free-engine/base/bytes.ts";
import type { Hash } from "./message.ts";

/** Of the first `length` bytes. The whole state stays in locals, which is several times faster. */
export function sipHash(key: Uint8Array, bytes: Uint8Array, length = bytes.length): Hash {
  // Four words of 64 bits, each as high and low.
  let a1 = readU32(key, 4) ^ 0x736f6d65;
  let a0 = readU32(key, 0) ^ 0x70736575;
  let b1 = readU32(key, 12) ^ 0x646f7261;
  let b0 = readU32(key, 8) ^ 0x6e646f6d;
  let c1 = readU32(key, 4) ^ 0x6c796765;
  let c0 = readU32(key, 0) ^ 0x6e657261;
  let d1 = readU32(key, 12) ^ 0x74656462;
  let d0 = readU32(key, 8) ^ 0x79746573;
  const whole = length & ~7;
  // Behind the whole words come the last one, and a step without input that ends it all.
  for (let at = 0; at <= whole + 8; at += 8) {
    let high = 0;
    let low = 0;
    let rounds = 2;
    if (at < whole) {
      high = readU32(bytes, at + 4) | 0;
      low = readU32(bytes, at) | 0;
    } else if (at === whole) {
      high = (length << 24) | bytesAt(bytes, at + 4, length);
      low = bytesAt(bytes, at, Math.min(length, at + 4));
    } else {
      c0 ^= 0xff;
      rounds = 4;
    }
    d1 ^= high;
    d0 ^= low;
    for (; rounds > 0; rounds--) {
      a0 = (a0 + b0) | 0;
      a1 = (a1 + b1 + (a0 >>> 0 < b0 >>> 0 ? 1 : 0)) | 0;
      let turned = (b1 << 13) | (b0 >>> 19);
      b0 = ((b0 << 13) | (b1 >>> 19)) ^ a0;
      b1 = turned ^ a1;
      c0 = (c0 + d0) | 0;
      c1 = (c1 + d1 + (c0 >>> 0 < d0 >>> 0 ? 1 : 0)) | 0;
      turned = (d1 << 16) | (d0 >>> 16);
      d0 = ((d0 << 16) | (d1 >>> 16)) ^ c0;
      d1 = turned ^ c1;
      // A rotation by 32 bits swaps the halves.
      turned = (a1 + d0) | 0;
      a1 = (a0 + d1 + (turned >>> 0 < d0 >>> 0 ? 1 : 0)) | 0;
      a0 = turned;
      turned = (d1 << 21) | (d0 >>> 11);
      d0 = ((d0 << 21) | (d1 >>> 11)) ^ a0;
      d1 = turned ^ a1;
      c0 = (c0 + b0) | 0;
      c1 = (c1 + b1 + (c0 >>> 0 < b0 >>> 0 ? 1 : 0)) | 0;
      turned = (b1 << 17) | (b0 >>> 15);
      b0 = ((b0 << 17) | (b1 >>> 15)) ^ c0;
      b1 = turned ^ c1;
      turned = c0;
      c0 = c1;
      c1 = turned;
    }
    a1 ^= high;
    a0 ^= low;
  }
  return { high: (a1 ^ b1 ^ c1 ^ d1) >>> 0, low: (a0 ^ b0 ^ c0 ^ d0) >>> 0 };
}

/** Up to four bytes of a word, little-endian; none where the end is before the beginning. */
function bytesAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0;
  for (let i = at; i < end; i++) word |= bytes[i]! << (8 * (i - at));
  return word;
}
