/**
 * Sorting operations of an arena by key, newest first among equals. Of each key 40 bits are packed
 * over 24 bits of index into a BigUint64Array, whose own `sort` needs no callback: 115 ns an entry,
 * against 426 with a comparator. Runs that tie in those bits are then put in order by bytes. Bits
 * that are the same in all keys say nothing of their order and are left out (telling-bits.ts): 40
 * reach over ten decimal digits then, and 131,000 such keys sort in 0.6 of the time.
 */
import { assert } from "../base/assert.ts";
import { compareBytes, sharedPrefixBytes } from "../base/bytes.ts";
import { keyLengthMask, keyOffset } from "./operation.ts";
import { type TellingBits, tellingBits } from "./telling-bits.ts";

const indexBits = 24;
/** For fewer keys it is not worth looking which bits tell them apart. */
const tellingMin = 4096;
/** Up to so many ties are sorted by insertion, without calls through a comparator. */
const insertionMax = 16;
const indexMask = (1 << indexBits) - 1;

/** The same bytes as 32-bit words, for reading operation headers. */
export function wordsOf(arena: Uint8Array): Int32Array {
  return new Int32Array(arena.buffer, arena.byteOffset, arena.length >>> 2);
}

/** Sorts offsets of operations in place. */
export function sortOperations(arena: Uint8Array, offsets: Int32Array): void {
  const count = offsets.length;
  if (count < 2) return;
  assert(count <= indexMask, "no arena holds that many operations");
  const words = wordsOf(arena);
  const skip = sharedByAll(arena, words, offsets);
  const packed = new Uint32Array(2 * count);
  const telling = count < tellingMin ? undefined : tellingBits(arena, words, offsets, skip);
  if (telling === undefined) packFirstBytes(packed, arena, words, offsets, skip);
  else packTellingBits(packed, arena, words, offsets, telling);
  new BigUint64Array(packed.buffer).sort();
  const sorted = new Int32Array(count);
  for (let i = 0; i < count; i++) sorted[i] = offsets[packed[2 * i]! & indexMask]!;
  orderTies(arena, words, packed, sorted);
  offsets.set(sorted);
}

function packFirstBytes(
  packed: Uint32Array,
  arena: Uint8Array,
  words: Int32Array,
  offsets: Int32Array,
  skip: number,
): void {
  for (let i = 0; i < offsets.length; i++) {
    const operation = offsets[i]!;
    const kindAndKey = words[(operation >>> 2) + 1]!;
    const length = (kindAndKey & keyLengthMask) - skip;
    const at = keyOffset(operation, kindAndKey >>> 24) + skip;
    const b0 = length > 0 ? arena[at]! : 0;
    const b1 = length > 1 ? arena[at + 1]! : 0;
    const b2 = length > 2 ? arena[at + 2]! : 0;
    const b3 = length > 3 ? arena[at + 3]! : 0;
    const b4 = length > 4 ? arena[at + 4]! : 0;
    packed[2 * i + 1] = (b0 << 24) | (b1 << 16) | (b2 << 8) | b3;
    packed[2 * i] = (b4 << indexBits) | i;
  }
}

function packTellingBits(
  packed: Uint32Array,
  arena: Uint8Array,
  words: Int32Array,
  offsets: Int32Array,
  { positions, worth }: TellingBits,
): void {
  for (let i = 0; i < offsets.length; i++) {
    const operation = offsets[i]!;
    const kindAndKey = words[(operation >>> 2) + 1]!;
    const length = kindAndKey & keyLengthMask;
    const at = keyOffset(operation, kindAndKey >>> 24);
    let bits = 0;
    for (let p = 0; p < positions.length; p++) {
      const position = positions[p]!;
      bits += worth[(p << 8) | (position < length ? arena[at + position]! : 0)]!;
    }
    // Divided, because shifts end at 32 bits.
    packed[2 * i + 1] = bits / 256;
    packed[2 * i] = ((bits % 256) << indexBits) | i;
  }
}

/** Merges two sorted arrays of distinct keys; neither is changed. */
export function mergeOperations(arena: Uint8Array, a: Int32Array, b: Int32Array): Int32Array {
  if (a.length === 0) return b;
  const words = wordsOf(arena);
  const merged = new Int32Array(a.length + b.length);
  let from = 0;
  for (let j = 0; j < b.length; j++) {
    const at = positionOf(arena, words, a, from, b[j]!);
    merged.set(a.subarray(from, at), from + j);
    merged[at + j] = b[j]!;
    from = at;
  }
  merged.set(a.subarray(from), from + b.length);
  return merged;
}

/** Orders two operations by key alone. */
export function compareKeys(arena: Uint8Array, words: Int32Array, a: number, b: number): number {
  const aKey = words[(a >>> 2) + 1]!;
  const bKey = words[(b >>> 2) + 1]!;
  return compareBytes(
    arena,
    keyOffset(a, aKey >>> 24),
    aKey & keyLengthMask,
    arena,
    keyOffset(b, bKey >>> 24),
    bKey & keyLengthMask,
  );
}

/** The first index from `from` on whose key is not below that of `operation`. */
function positionOf(
  arena: Uint8Array,
  words: Int32Array,
  sorted: Int32Array,
  from: number,
  operation: number,
): number {
  let low = from;
  // Gallop first: fresh keys often stand close together.
  let step = 1;
  while (low + step <= sorted.length) {
    if (compareKeys(arena, words, sorted[low + step - 1]!, operation) >= 0) break;
    low += step;
    step *= 2;
  }
  let high = Math.min(sorted.length, low + step);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(arena, words, sorted[middle]!, operation) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function sharedByAll(arena: Uint8Array, words: Int32Array, offsets: Int32Array): number {
  const first = offsets[0]!;
  const firstKey = words[(first >>> 2) + 1]!;
  const firstAt = keyOffset(first, firstKey >>> 24);
  let shared = firstKey & keyLengthMask;
  for (let i = 1; i < offsets.length && shared > 0; i++) {
    const operation = offsets[i]!;
    const kindAndKey = words[(operation >>> 2) + 1]!;
    const at = keyOffset(operation, kindAndKey >>> 24);
    const length = kindAndKey & keyLengthMask;
    shared = sharedPrefixBytes(arena, firstAt, shared, arena, at, length);
  }
  return shared;
}

/** Sorts each run of operations whose packed 40 bits are equal. */
function orderTies(
  arena: Uint8Array,
  words: Int32Array,
  packed: Uint32Array,
  sorted: Int32Array,
): void {
  const count = sorted.length;
  const order = (a: number, b: number) => compareKeys(arena, words, a, b) || b - a;
  for (let start = 0; start < count; ) {
    let end = start + 1;
    while (end < count && samePacked(packed, start, end)) end++;
    if (end - start > insertionMax) sorted.subarray(start, end).sort(order);
    else if (end - start > 1) insertionSort(arena, words, sorted, start, end);
    start = end;
  }
}

/** Ties are mostly short: keys that differ in their last digit, or versions of one key. */
function insertionSort(
  arena: Uint8Array,
  words: Int32Array,
  sorted: Int32Array,
  start: number,
  end: number,
): void {
  for (let i = start + 1; i < end; i++) {
    const operation = sorted[i]!;
    let at = i;
    for (; at > start; at--) {
      const before = sorted[at - 1]!;
      const side = compareKeys(arena, words, before, operation);
      if (side < 0 || (side === 0 && before > operation)) break;
      sorted[at] = before;
    }
    sorted[at] = operation;
  }
}

function samePacked(packed: Uint32Array, a: number, b: number): boolean {
  if (packed[2 * a + 1] !== packed[2 * b + 1]) return false;
  return packed[2 * a]! >>> indexBits === packed[2 * b]! >>> indexBits;
}
