/**
 * MD5 (RFC 1321), which the seeds ask for: 128 bits that say where a key lies on the ring. It
 * spreads keys and protects nothing. Written out here because the core imports no package, and
 * because for a short key it costs less than a call into the platform's.
 */

const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
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
    block.fill(0);
    for (let i = 0; i < 64 && at + i <= length; i++) {
      const from = at + i;
      const byte =
        from === length
          ? 0x80
          : from < prefix.length
            ? prefix[from]!
            : bytes[from - prefix.length]!;
      block[i >>> 2]! |= byte << ((i & 3) * 8);
    }
    if (at + 64 === padded) {
      block[14] = length << 3;
      block[15] = Math.floor(length / 536870912);
    }
    mixBlock();
  }
}

/** One block into the state: four rounds of sixteen steps. */
function mixBlock(): void {
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  for (let i = 0; i < 64; i++) {
    let mix: number;
    let from: number;
    if (i < 16) {
      mix = (b & c) | (~b & d);
      from = i;
    } else if (i < 32) {
      mix = (d & b) | (~d & c);
      from = (5 * i + 1) & 15;
    } else if (i < 48) {
      mix = b ^ c ^ d;
      from = (3 * i + 5) & 15;
    } else {
      mix = c ^ (b | ~d);
      from = (7 * i) & 15;
    }
    const sum = (a + mix + sines[i]! + block[from]!) | 0;
    const shift = shifts[((i >>> 4) << 2) | (i & 3)]!;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
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
