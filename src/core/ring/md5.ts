/**
 * MD5 (RFC 1321), which the seeds ask for: 128 bits that say where a key lies on the ring. It
 * spreads keys and protects nothing. Written out here because the core imports no package, and
 * because for a short key it costs less than a call into the platform's.
 */

const sines = new Int32Array(64);
for (let i = 0; i < 64; i++) sines[i] = Math.floor(Math.abs(Math.sin(i + 1)) * 4294967296) | 0;

const block = new Int32Array(16);
const state = new Int32Array(4);

/** The first 64 bits of MD5(prefix followed by bytes). */
export function md5Head(
  prefix: Uint8Array,
  bytes: Uint8Array,
): { readonly high: number; readonly low: number } {
  digest(prefix, bytes);
  return { high: swapped(state[0]!), low: swapped(state[1]!) };
}

/** The whole digest as 32 lower-case hex digits. */
export function md5Hex(bytes: Uint8Array): string {
  digest(new Uint8Array(0), bytes);
  return [...state].map((word) => swapped(word).toString(16).padStart(8, "0")).join("");
}

function digest(prefix: Uint8Array, bytes: Uint8Array): void {
  state[0] = 0x67452301;
  state[1] = 0xefcdab89 | 0;
  state[2] = 0x98badcfe | 0;
  state[3] = 0x10325476;
  const length = prefix.length + bytes.length;
  // The message, one bit, zeros, and the length in bits fill whole blocks of 64 bytes.
  const padded = ((length + 8) >>> 6) * 64 + 64;
  for (let at = 0; at < padded; at += 64) {
    for (let i = 0; i < 16; i++) block[i] = 0;
    take(prefix, at, 0);
    take(bytes, at, prefix.length);
    if (length >= at && length < at + 64) put(length - at, 0x80);
    if (at + 64 === padded) {
      block[14] = length << 3;
      block[15] = Math.floor(length / 536870912);
    }
    mixBlock();
  }
}

/** What of the bytes is in the block at this offset, where they begin at `from`. */
function take(bytes: Uint8Array, at: number, from: number): void {
  const end = Math.min(bytes.length, at + 64 - from);
  for (let i = Math.max(0, at - from); i < end; i++) put(from + i - at, bytes[i]!);
}

function put(at: number, byte: number): void {
  block[at >>> 2]! |= byte << ((at & 3) * 8);
}

/**
 * One block into the state: four rounds of sixteen steps. The words take turns, four steps to a
 * loop, since a loop over all steps that asks for the round in each takes a third longer.
 */
function mixBlock(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let sum = 0;
  for (let i = 0; i < 16; i += 4) {
    sum = (a + (d ^ (b & (c ^ d))) + sines[i]! + block[i]!) | 0;
    a = (b + ((sum << 7) | (sum >>> 25))) | 0;
    sum = (d + (c ^ (a & (b ^ c))) + sines[i + 1]! + block[i + 1]!) | 0;
    d = (a + ((sum << 12) | (sum >>> 20))) | 0;
    sum = (c + (b ^ (d & (a ^ b))) + sines[i + 2]! + block[i + 2]!) | 0;
    c = (d + ((sum << 17) | (sum >>> 15))) | 0;
    sum = (b + (a ^ (c & (d ^ a))) + sines[i + 3]! + block[i + 3]!) | 0;
    b = (c + ((sum << 22) | (sum >>> 10))) | 0;
  }
  for (let i = 0; i < 16; i += 4) {
    sum = (a + (c ^ (d & (b ^ c))) + sines[i + 16]! + block[(5 * i + 1) & 15]!) | 0;
    a = (b + ((sum << 5) | (sum >>> 27))) | 0;
    sum = (d + (b ^ (c & (a ^ b))) + sines[i + 17]! + block[(5 * i + 6) & 15]!) | 0;
    d = (a + ((sum << 9) | (sum >>> 23))) | 0;
    sum = (c + (a ^ (b & (d ^ a))) + sines[i + 18]! + block[(5 * i + 11) & 15]!) | 0;
    c = (d + ((sum << 14) | (sum >>> 18))) | 0;
    sum = (b + (d ^ (a & (c ^ d))) + sines[i + 19]! + block[(5 * i + 16) & 15]!) | 0;
    b = (c + ((sum << 20) | (sum >>> 12))) | 0;
  }
  for (let i = 0; i < 16; i += 4) {
    sum = (a + (b ^ c ^ d) + sines[i + 32]! + block[(3 * i + 5) & 15]!) | 0;
    a = (b + ((sum << 4) | (sum >>> 28))) | 0;
    sum = (d + (a ^ b ^ c) + sines[i + 33]! + block[(3 * i + 8) & 15]!) | 0;
    d = (a + ((sum << 11) | (sum >>> 21))) | 0;
    sum = (c + (d ^ a ^ b) + sines[i + 34]! + block[(3 * i + 11) & 15]!) | 0;
    c = (d + ((sum << 16) | (sum >>> 16))) | 0;
    sum = (b + (c ^ d ^ a) + sines[i + 35]! + block[(3 * i + 14) & 15]!) | 0;
    b = (c + ((sum << 23) | (sum >>> 9))) | 0;
  }
  for (let i = 0; i < 16; i += 4) {
    sum = (a + (c ^ (b | ~d)) + sines[i + 48]! + block[(7 * i) & 15]!) | 0;
    a = (b + ((sum << 6) | (sum >>> 26))) | 0;
    sum = (d + (b ^ (a | ~c)) + sines[i + 49]! + block[(7 * i + 7) & 15]!) | 0;
    d = (a + ((sum << 10) | (sum >>> 22))) | 0;
    sum = (c + (a ^ (d | ~b)) + sines[i + 50]! + block[(7 * i + 14) & 15]!) | 0;
    c = (d + ((sum << 15) | (sum >>> 17))) | 0;
    sum = (b + (d ^ (c | ~a)) + sines[i + 51]! + block[(7 * i + 21) & 15]!) | 0;
    b = (c + ((sum << 21) | (sum >>> 11))) | 0;
  }
  state[0] = (state[0]! + a) | 0;
  state[1] = (state[1]! + b) | 0;
  state[2] = (state[2]! + c) | 0;
  state[3] = (state[3]! + d) | 0;
}

/** MD5 keeps its words least significant byte first; a token is read the other way. */
function swapped(word: number): number {
  const outer = (word << 24) | ((word >>> 24) & 0xff);
  return (outer | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00)) >>> 0;
}
