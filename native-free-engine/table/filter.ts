/**
 * One Bloom filter per table over its distinct keys. bloom-filters sizes and defines it, with its
 * hashing replaced by the engine's (its own takes 9 µs a key); where it is hot, the package's bit
 * array is set and probed inline, which a test holds byte-identical (17 ns a key against 193).
 * The package takes 46 ms to load, so only threads that build tables do.
 *
 * In a file: u32 bits | u32 probes | u32 keys | the bits, of which bit i is `1 << (i & 7)` of
 * byte `i >> 3`.
 */
import type bloomFilters from "bloom-filters";
import { assert } from "../base/assert.ts";
import { readU32, writeU32 } from "../base/bytes.ts";
import { hash32 } from "../base/hash.ts";

export const filterHeaderBytes = 12;
/** Asked for, at the planned number of keys. */
export const falsePositiveRate = 0.01;
/** No filter made for that rate has more; a table that claims more is damaged. */
const probesMax = 32;

/** The package's filter, hashing as the engine does: what our inline bits must be equal to. */
export type PackageFilter = InstanceType<typeof bloomFilters.BloomFilter>;

/** A filter as it stands in a table. */
export interface Filter {
  readonly bits: Uint8Array;
  readonly bitCount: number;
  readonly probes: number;
  readonly keys: number;
}

let bloom: typeof bloomFilters | undefined;

/** Must have resolved once in each thread that builds tables. */
export async function loadFilterPackage(): Promise<void> {
  if (bloom === undefined) bloom = (await import("bloom-filters")).default;
}

/** An empty filter of the package for that many keys. */
export function createPackageFilter(keys: number, hashSeed: number): PackageFilter {
  assert(bloom !== undefined, "loadFilterPackage was not awaited in this thread");
  const filter = bloom.BloomFilter.create(Math.max(1, keys), falsePositiveRate);
  const hashing = new bloom.Hashing();
  hashing.getIndexes = (element, size, count) => {
    const bytes = new Uint8Array(Buffer.from(element as Buffer));
    return bitsOf(hash32(bytes, 0, bytes.length, hashSeed), size, count);
  };
  filter._hashing = hashing;
  return filter;
}

/** The filter over keys with these hashes, the first `keys` of the array. */
export function buildFilter(hashes: Int32Array, keys: number, hashSeed: number): Filter {
  const filter = createPackageFilter(keys, hashSeed);
  const bits = filter._filter.array;
  const bitCount = filter.size >>> 0;
  const probes = filter._nbHashes;
  for (let i = 0; i < keys; i++) {
    let hash = hashes[i]! >>> 0;
    const step = stepOf(hash);
    for (let p = 0; p < probes; p++) {
      const bit = hash % bitCount;
      bits[bit >>> 3]! |= 1 << (bit & 7);
      hash = (hash + step) >>> 0;
    }
  }
  return { bits, bitCount, probes, keys };
}

/** Whether a key with that hash may be in the set; false is certain. */
export function mayContain(
  bits: Uint8Array,
  bitCount: number,
  probes: number,
  hash: number,
): boolean {
  const size = bitCount >>> 0;
  let next = hash >>> 0;
  const step = stepOf(next);
  for (let p = 0; p < probes; p++) {
    const bit = next % size;
    if ((bits[bit >>> 3]! & (1 << (bit & 7))) === 0) return false;
    next = (next + step) >>> 0;
  }
  return true;
}

export function writeFilter(bytes: Uint8Array, at: number, filter: Filter): void {
  writeU32(bytes, at, filter.bitCount);
  writeU32(bytes, at + 4, filter.probes);
  writeU32(bytes, at + 8, filter.keys);
  bytes.set(filter.bits, at + filterHeaderBytes);
}

/** Reads a filter in place, or says what is wrong with it. */
export function readFilter(bytes: Uint8Array, at: number, length: number): Filter | string {
  if (length < filterHeaderBytes) return `filter of ${length} bytes`;
  const bitCount = readU32(bytes, at);
  const probes = readU32(bytes, at + 4);
  if (bitCount === 0 || Math.ceil(bitCount / 8) !== length - filterHeaderBytes) {
    return `filter of ${bitCount} bits does not take ${length} bytes`;
  }
  if (probes === 0 || probes > probesMax) return `filter with ${probes} probes`;
  const from = bytes.byteOffset + at + filterHeaderBytes;
  const bits = new Uint8Array(bytes.buffer, from, length - filterHeaderBytes);
  return { bits, bitCount, probes, keys: readU32(bytes, at + 8) };
}

/** Distance between the probes of one key. Odd, so that it is never 0. */
function stepOf(hash: number): number {
  const mixed = Math.imul(hash, 0x9e3779b1);
  return ((mixed << 15) | (mixed >>> 17) | 1) >>> 0;
}

/** The rule in the form that the package asks for. */
function bitsOf(hash: number, size: number, count: number): number[] {
  const bits: number[] = [];
  const step = stepOf(hash);
  for (let p = 0, next = hash; p < count; p++, next = (next + step) >>> 0) bits.push(next % size);
  return bits;
}
