/**
 * The one hash of the engine: xxHash. Short inputs (keys, small log records) are hashed here in
 * JavaScript, bit for bit XXH32: 15 ns for 16 bytes against 54 ns through WebAssembly. Longer ones
 * go to xxhash-wasm's XXH64, about 8 GB/s, of which a checksum keeps the low 32 bits.
 * `loadHash` must have resolved once in each thread before `checksum` sees more than 1 KiB.
 */
import xxhash from "xxhash-wasm";
import { assert } from "./assert.ts";

/** Up to here a checksum is XXH32, beyond it the low half of XXH64. Part of the file format. */
export const shortBytesMax = 1024;
/** xxhash-wasm keeps memory for the largest input it ever saw, so longer inputs are chained. */
export const chunkBytes = 1 << 20;

const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

let long: ((bytes: Uint8Array, seed: bigint) => bigint) | undefined;

/** Compiles the WebAssembly half; cheap and harmless to call again. */
export async function loadHash(): Promise<void> {
  if (long === undefined) long = (await xxhash()).h64Raw;
}

/** XXH32 of a byte range, as an unsigned 32-bit integer. */
export function hash32(bytes: Uint8Array, at: number, length: number, seed: number): number {
  let next = at;
  const end = at + length;
  let hash: number;
  if (length >= 16) {
    let a = (seed + prime1 + prime2) | 0;
    let b = (seed + prime2) | 0;
    let c = seed | 0;
    let d = (seed - prime1) | 0;
    for (const limit = end - 16; next <= limit; next += 16) {
      a = round(a, word(bytes, next));
      b = round(b, word(bytes, next + 4));
      c = round(c, word(bytes, next + 8));
      d = round(d, word(bytes, next + 12));
    }
    hash = (((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25))) | 0;
    hash = (hash + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14))) | 0;
  } else {
    hash = (seed + prime5) | 0;
  }
  hash = (hash + length) | 0;
  for (; next + 4 <= end; next += 4) {
    hash = (hash + Math.imul(word(bytes, next), prime3)) | 0;
    hash = Math.imul((hash << 17) | (hash >>> 15), prime4);
  }
  for (; next < end; next++) {
    hash = (hash + Math.imul(bytes[next]!, prime5)) | 0;
    hash = Math.imul((hash << 11) | (hash >>> 21), prime1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The checksum of records and blocks. The seed says where the bytes belong (file and offset), so
 * that intact bytes in the wrong place are damage too.
 */
export function checksum(bytes: Uint8Array, at: number, length: number, seed: number): number {
  if (length <= shortBytesMax) return hash32(bytes, at, length, seed);
  assert(long !== undefined, "loadHash was not awaited in this thread");
  let chained = seed >>> 0;
  for (let done = 0; done < length; done += chunkBytes) {
    const size = Math.min(chunkBytes, length - done);
    const view = new Uint8Array(bytes.buffer, bytes.byteOffset + at + done, size);
    chained = Number(long(view, BigInt(chained)) & 0xffffffffn);
  }
  return chained;
}

/** Mixes a file number and an offset into a seed: the same bytes elsewhere do not pass. */
export function placeSeed(fileNumber: number, offset: number): number {
  return (Math.imul(fileNumber, prime1) ^ Math.imul(offset, prime2) ^ (offset / 4294967296)) >>> 0;
}

function round(lane: number, input: number): number {
  const mixed = (lane + Math.imul(input, prime2)) | 0;
  return Math.imul((mixed << 13) | (mixed >>> 19), prime1);
}

function word(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  return low | (bytes[at + 3]! << 24);
}
