/**
 * Finds a key among sorted keys: the first keys of a table's blocks, or the smallest keys of a
 * level's tables. Keys stand flat behind their common prefix; next to them, six bytes of each as
 * one number, so that a search compares numbers and looks at bytes only on ties (99 ns against
 * 173 in 22,000 keys).
 *
 * In a file: u32 count | u32 prefix length | u32 key bytes | count ends (u32, cumulative) |
 * prefix | keys without the prefix.
 */
import { compareBytes, headOf, readU32, sharedPrefixBytes, writeU32 } from "../base/bytes.ts";

const headerBytes = 12;

export class KeyIndex {
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #prefixAt: number;
  readonly #prefixLength: number;
  readonly #keysAt: number;
  readonly #ends: Int32Array;
  readonly #heads: Float64Array;

  private constructor(
    bytes: Uint8Array,
    ends: Int32Array,
    prefix: { readonly at: number; readonly length: number },
  ) {
    this.count = ends.length;
    this.#bytes = bytes;
    this.#ends = ends;
    this.#prefixAt = prefix.at;
    this.#prefixLength = prefix.length;
    this.#keysAt = prefix.at + prefix.length;
    this.#heads = new Float64Array(ends.length);
    for (let i = 0, from = 0; i < ends.length; i++) {
      this.#heads[i] = headOf(bytes, this.#keysAt + from, ends[i]! - from);
      from = ends[i]!;
    }
  }

  /** From keys in ascending order. */
  static of(keys: readonly Uint8Array[]): KeyIndex {
    const bytes = encodeKeyIndex(keys);
    const index = KeyIndex.read(bytes, 0, bytes.length);
    if (typeof index === "string") throw new Error(`broken assertion: ${index}`);
    return index;
  }

  /** Reads the encoded form in place, or says what is wrong with it. */
  static read(bytes: Uint8Array, at: number, length: number): KeyIndex | string {
    if (length < headerBytes) return `index of ${length} bytes`;
    const count = readU32(bytes, at);
    const prefixLength = readU32(bytes, at + 4);
    const keyBytes = readU32(bytes, at + 8);
    if (headerBytes + 4 * count + prefixLength + keyBytes !== length) {
      return `index of ${count} keys does not take ${length} bytes`;
    }
    const ends = new Int32Array(count);
    let last = 0;
    for (let i = 0; i < count; i++) {
      const end = readU32(bytes, at + headerBytes + 4 * i);
      if (end < last || end > keyBytes) return `key ${i} of the index ends outside of it`;
      ends[i] = end;
      last = end;
    }
    if (last !== keyBytes) return "index has bytes behind its last key";
    const prefixAt = at + headerBytes + 4 * count;
    return new KeyIndex(bytes, ends, { at: prefixAt, length: prefixLength });
  }

  /** A copy of one key. */
  key(i: number): Uint8Array {
    const from = i === 0 ? 0 : this.#ends[i - 1]!;
    const length = this.#ends[i]! - from;
    const key = new Uint8Array(this.#prefixLength + length);
    for (let j = 0; j < this.#prefixLength; j++) key[j] = this.#bytes[this.#prefixAt + j]!;
    for (let j = 0; j < length; j++) {
      key[this.#prefixLength + j] = this.#bytes[this.#keysAt + from + j]!;
    }
    return key;
  }

  /** Position of the last key that is not above the given one, or -1. */
  floor(key: Uint8Array, at: number, length: number): number {
    const prefixLength = this.#prefixLength;
    if (prefixLength > 0) {
      const shared = length < prefixLength ? length : prefixLength;
      for (let i = 0; i < shared; i++) {
        const difference = key[at + i]! - this.#bytes[this.#prefixAt + i]!;
        if (difference !== 0) return difference < 0 ? -1 : this.count - 1;
      }
      if (length < prefixLength) return -1;
    }
    const rest = at + prefixLength;
    const restLength = length - prefixLength;
    const head = headOf(key, rest, restLength);
    const heads = this.#heads;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = heads[middle]!;
      if (other < head || (other === head && this.#side(middle, key, rest, restLength) <= 0)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }

  /** How key `i` compares with the given one, both without the prefix. */
  #side(i: number, key: Uint8Array, at: number, length: number): number {
    const from = i === 0 ? 0 : this.#ends[i - 1]!;
    const ownLength = this.#ends[i]! - from;
    return compareBytes(this.#bytes, this.#keysAt + from, ownLength, key, at, length);
  }
}

/** The encoded form of keys in ascending order. */
export function encodeKeyIndex(keys: readonly Uint8Array[]): Uint8Array {
  const first = keys[0];
  const last = keys[keys.length - 1];
  let prefixLength = 0;
  if (first !== undefined && last !== undefined) {
    prefixLength = sharedPrefixBytes(first, 0, first.length, last, 0, last.length);
  }
  let keyBytes = 0;
  for (const key of keys) keyBytes += key.length - prefixLength;
  const prefixAt = headerBytes + 4 * keys.length;
  const bytes = new Uint8Array(prefixAt + prefixLength + keyBytes);
  writeU32(bytes, 0, keys.length);
  writeU32(bytes, 4, prefixLength);
  writeU32(bytes, 8, keyBytes);
  for (let j = 0; j < prefixLength; j++) bytes[prefixAt + j] = first![j]!;
  let end = 0;
  keys.forEach((key, i) => {
    for (let j = prefixLength; j < key.length; j++) {
      bytes[prefixAt + j + end] = key[j]!;
    }
    end += key.length - prefixLength;
    writeU32(bytes, headerBytes + 4 * i, end);
  });
  return bytes;
}
