/**
 * One block decoded at once into typed columns, so that a cursor's step is an increment and a few
 * loads. Everything is checked on the way: each entry ends where the next one begins, and the last
 * one where the block ends.
 */
import { compareBytes, headOf, readU16, readU32 } from "../base/bytes.ts";
import { kindExpiring } from "../cursor.ts";
import {
  bodyHeaderBytes,
  damaged,
  emptyEntryView,
  entriesAt,
  entryAt,
  prefixHead,
  readEntry,
} from "./block.ts";

const view = emptyEntryView();
const noBytes = new Uint8Array(0);
/** Entries of a block of short ones: such columns take 10 KiB. */
const smallMax = 256;

export class BlockColumns {
  n = 0;
  bytes: Uint8Array = noBytes;
  prefixAt = 0;
  prefixLength = 0;
  suffixAt = new Int32Array(64);
  suffixLength = new Int32Array(64);
  valueAt = new Int32Array(64);
  valueLength = new Int32Array(64);
  kind = new Uint8Array(64);
  sequence = new Float64Array(64);
  expiry = new Float64Array(64);
  head = new Float64Array(64);

  /** Lets go of the block. */
  clear(): void {
    this.n = 0;
    this.bytes = noBytes;
  }

  /** Worth keeping for another block. */
  get isSmall(): boolean {
    return this.kind.length <= smallMax;
  }

  /** Decodes the body `bytes[at, end)`; returns what is wrong with it, or undefined. */
  decode(bytes: Uint8Array, at: number, end: number, skip: number): string | undefined {
    this.n = 0;
    const first = entriesAt(bytes, at, end);
    if (first === damaged) return "block header does not fit the block";
    const n = readU32(bytes, at);
    const flags = bytes[at + 6]!;
    const prefixLength = readU16(bytes, at + 4);
    this.#reserve(n);
    this.bytes = bytes;
    this.prefixLength = prefixLength;
    this.prefixAt = first - prefixLength;
    const wide = skip < prefixLength;
    const { base, scale } = wide
      ? prefixHead(bytes, this.prefixAt, prefixLength, skip)
      : { base: 0, scale: 1 };
    const beyond = wide ? 0 : skip - prefixLength;
    let next = first;
    for (let i = 0; i < n; i++) {
      if (next >= end || entryAt(bytes, at, n, i) !== next) return `entry ${i} is not in its place`;
      next = readEntry(bytes, next, flags, view);
      if (view.kind > kindExpiring) return `entry ${i} is of unknown kind ${view.kind}`;
      if (next > end) return `entry ${i} ends behind its block`;
      const { suffixAt, suffixLength } = view;
      this.suffixAt[i] = suffixAt;
      this.suffixLength[i] = suffixLength;
      this.valueAt[i] = view.valueAt;
      this.valueLength[i] = view.valueLength;
      this.kind[i] = view.kind;
      this.sequence[i] = view.sequence;
      this.expiry[i] = view.expiry;
      const head = headOf(bytes, suffixAt + beyond, suffixLength - beyond);
      this.head[i] = wide ? base + Math.floor(head / scale) : head;
    }
    if (next !== end) return "bytes behind the last entry of a block";
    this.n = n;
    return undefined;
  }

  /** The tag that stands in the body for entry `i`. */
  tag(at: number, i: number): number {
    return this.bytes[at + bodyHeaderBytes + i]!;
  }

  /** The first entry whose key compares with the given one at `order` or above. */
  lowerBound(key: Uint8Array, at: number, length: number, order: 0 | 1): number {
    const { bytes, prefixAt, prefixLength } = this;
    const shared = length < prefixLength ? length : prefixLength;
    const side = compareBytes(bytes, prefixAt, shared, key, at, shared);
    if (side !== 0) return side < 0 ? this.n : 0;
    if (length < prefixLength) return 0;
    let low = 0;
    let high = this.n;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#side(middle, key, at + prefixLength, length - prefixLength) < order) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /** How the suffix of entry `i` compares. */
  #side(i: number, rest: Uint8Array, at: number, length: number): number {
    return compareBytes(this.bytes, this.suffixAt[i]!, this.suffixLength[i]!, rest, at, length);
  }

  #reserve(n: number): void {
    if (n <= this.kind.length) return;
    const size = Math.max(n, 2 * this.kind.length);
    this.suffixAt = new Int32Array(size);
    this.suffixLength = new Int32Array(size);
    this.valueAt = new Int32Array(size);
    this.valueLength = new Int32Array(size);
    this.kind = new Uint8Array(size);
    this.sequence = new Float64Array(size);
    this.expiry = new Float64Array(size);
    this.head = new Float64Array(size);
  }
}
