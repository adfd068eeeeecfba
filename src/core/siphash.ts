/**
 * SipHash-2-4 (Aumasson, Bernstein 2012): a 64-bit mark that only holders of a 128-bit key can make.
 * It seals the contexts that clients carry. Written out because the core imports no package; in
 * 32-bit halves, since a BigInt costs more than the whole hash.
 */
import { readU32 } from "../../native-free-engine/base/bytes.ts";
import type { Hash } from "./message.ts";

export const sipKeyBytes = 16;

/** The state: four words of 64 bits, each as high and low. */
let a1 = 0;
let a0 = 0;
let b1 = 0;
let b0 = 0;
let c1 = 0;
let c0 = 0;
let d1 = 0;
let d0 = 0;

/** Of the first `length` bytes. */
export function sipHash(key: Uint8Array, bytes: Uint8Array, length = bytes.length): Hash {
  const k00 = readU32(key, 0) | 0;
  const k01 = readU32(key, 4) | 0;
  const k10 = readU32(key, 8) | 0;
  const k11 = readU32(key, 12) | 0;
  a1 = k01 ^ 0x736f6d65;
  a0 = k00 ^ 0x70736575;
  b1 = k11 ^ 0x646f7261;
  b0 = k10 ^ 0x6e646f6d;
  c1 = k01 ^ 0x6c796765;
  c0 = k00 ^ 0x6e657261;
  d1 = k11 ^ 0x74656462;
  d0 = k10 ^ 0x79746573;
  const whole = length & ~7;
  for (let at = 0; at < whole; at += 8) {
    absorb(readU32(bytes, at + 4) | 0, readU32(bytes, at) | 0);
  }
  // The last word: what is left over, and the length in its highest byte.
  let high = length << 24;
  let low = 0;
  for (let i = length - whole - 1; i >= 0; i--) {
    const byte = bytes[whole + i]!;
    if (i < 4) low |= byte << (8 * i);
    else high |= byte << (8 * (i - 4));
  }
  absorb(high, low);
  c0 ^= 0xff;
  rounds(4);
  return { high: (a1 ^ b1 ^ c1 ^ d1) >>> 0, low: (a0 ^ b0 ^ c0 ^ d0) >>> 0 };
}

function absorb(high: number, low: number): void {
  d1 ^= high;
  d0 ^= low;
  rounds(2);
  a1 ^= high;
  a0 ^= low;
}

/** The state is kept in locals while it is mixed, which is several times faster. */
function rounds(count: number): void {
  let [p1, p0, q1, q0] = [a1, a0, b1, b0];
  let [r1, r0, s1, s0] = [c1, c0, d1, d0];
  for (let left = count; left > 0; left--) {
    let sum = (p0 >>> 0) + (q0 >>> 0);
    p1 = (p1 + q1 + (sum > 0xffffffff ? 1 : 0)) | 0;
    p0 = sum | 0;
    let high = (q1 << 13) | (q0 >>> 19);
    q0 = ((q0 << 13) | (q1 >>> 19)) ^ p0;
    q1 = high ^ p1;
    // A rotation by 32 bits swaps the halves.
    high = p0;
    p0 = p1;
    p1 = high;
    sum = (r0 >>> 0) + (s0 >>> 0);
    r1 = (r1 + s1 + (sum > 0xffffffff ? 1 : 0)) | 0;
    r0 = sum | 0;
    high = (s1 << 16) | (s0 >>> 16);
    s0 = ((s0 << 16) | (s1 >>> 16)) ^ r0;
    s1 = high ^ r1;
    sum = (p0 >>> 0) + (s0 >>> 0);
    p1 = (p1 + s1 + (sum > 0xffffffff ? 1 : 0)) | 0;
    p0 = sum | 0;
    high = (s1 << 21) | (s0 >>> 11);
    s0 = ((s0 << 21) | (s1 >>> 11)) ^ p0;
    s1 = high ^ p1;
    sum = (r0 >>> 0) + (q0 >>> 0);
    r1 = (r1 + q1 + (sum > 0xffffffff ? 1 : 0)) | 0;
    r0 = sum | 0;
    high = (q1 << 17) | (q0 >>> 15);
    q0 = ((q0 << 17) | (q1 >>> 15)) ^ r0;
    q1 = high ^ r1;
    high = r0;
    r0 = r1;
    r1 = high;
  }
  a1 = p1;
  a0 = p0;
  b1 = q1;
  b0 = q0;
  c1 = r1;
  c0 = r0;
  d1 = s1;
  d0 = s0;
}
