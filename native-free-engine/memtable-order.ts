/**
 * The keys of a memtable in order, put in order only where somebody looks. A scan needs them
 * sorted, a put must not pay for it, and a short scan beside writes should pay for what it reads.
 *
 * Keys stand in buckets, each a range of the key space. New keys go to the tail of their bucket,
 * unsorted. A bucket is sorted when a cursor reaches it, or, if it has become too large for that,
 * cut by keys picked at random. So the first scan of a memtable of 100,000 keys spreads them
 * without sorting, and a scan after k new keys finds k buckets and sorts the few it walks over.
 * One array of all keys, merged anew, made 50 entries after a put cost 60 to 70 us; this, 30.
 *
 * Taking in the keys of a full memtable is the work of 30 to 40 ms, so it comes in slices: whoever
 * can wait lets the loop turn between them (open-scan.ts). The key space is divided first, by a
 * sample of all keys that there are, so that a key is put where it belongs once and for all.
 *
 * What a cursor was given stays as it is: sorting makes a new array. Keys that come later may
 * stand in buckets that the cursor reaches later; it tells them by their offsets.
 */
import { compareBytes, headOf, sharedPrefixBytes } from "./base/bytes.ts";
import { keyLengthMask, keyOffset } from "./log/operation.ts";
import { mergeOperations, sortOperations } from "./log/sort-operations.ts";

/** A bucket with more keys is cut when it is reached: sorting so many takes under 0.1 ms. */
const bucketMax = 512;
/** Keys a bucket begins with, about: half, so that it is not cut again soon. */
const bucketAim = bucketMax / 2;
/**
 * A bucket with more keys is cut although nobody has reached it yet, one in each slice: cutting so
 * many takes 1 ms, and keys that come in ascending order all go to the last bucket.
 */
const bucketLarge = 4096;
/** Keys looked at for each bucket to be: enough that few are twice as large as others. */
const samplesPerBucket = 8;
const bucketsPerCut = 1024;
/** Keys taken in at a time: the work of 0.3 ms. */
const takenAtOnce = 1024;

const noKeys: Int32Array = new Int32Array(0);

interface Bucket {
  /** Its smallest key, as an operation. The first bucket also has all keys below. */
  readonly low: number;
  sorted: Int32Array;
  tail: number[];
}

export class MemtableOrder {
  #arena: Uint8Array;
  #words: Int32Array;
  readonly #buckets: Bucket[] = [];
  /** Those that have grown large, until they are cut. */
  readonly #large: Bucket[] = [];
  /** Of the smallest key of each bucket behind what all keys share, to search in one array. */
  #heads = new Float64Array(0);
  /** What all keys share: so many first bytes of the first operation. */
  #shared = 0;
  #first = 0;
  #size = 0;

  constructor(arena: Uint8Array, words: Int32Array) {
    this.#arena = arena;
    this.#words = words;
  }

  /** The arena has moved: the same operations at the same offsets. */
  useArena(arena: Uint8Array, words: Int32Array): void {
    this.#arena = arena;
    this.#words = words;
  }

  /** So many keys were taken in, in the order of their arrival. */
  get size(): number {
    return this.#size;
  }

  /** Takes in some more of all keys that there are, each given by its first operation. */
  takeIn(all: Int32Array): void {
    const first = all[0];
    if (first === undefined) return;
    if (this.#size === 0) this.#begin(first, all);
    const some = all.subarray(this.#size, this.#size + takenAtOnce);
    this.#size += some.length;
    this.#share(some);
    this.#spread(some);
    const large = this.#large.pop();
    if (large === undefined) return;
    const place = this.#buckets.indexOf(large);
    if (place >= 0) this.#cut(place);
  }

  /** The bytes with which all keys begin. */
  prefix(): Uint8Array {
    const at = this.#keyOf(this.#first);
    return this.#arena.slice(at, at + this.#shared);
  }

  /** The keys of the first or last bucket, in order; empty when there are none. */
  edge(step: 1 | -1): Int32Array {
    return this.#sortedFrom(step > 0 ? 0 : this.#buckets.length - 1, step) ?? noKeys;
  }

  /** The keys of the bucket where this key belongs, in order; of the nearest, if it has none. */
  around(key: Uint8Array, at: number, length: number): Int32Array {
    const place = this.#settledPlace(key, at, length);
    return this.#sortedFrom(place, -1) ?? this.#sortedFrom(place + 1, 1) ?? noKeys;
  }

  /** The keys that follow those of a bucket given before, in that direction. */
  beside(keys: Int32Array, step: 1 | -1): Int32Array | undefined {
    const last = keys[step > 0 ? keys.length - 1 : 0];
    if (last === undefined) return undefined;
    // If the bucket was cut since, its other parts have nothing but keys that came later.
    const place = this.#place(this.#arena, this.#keyOf(last), this.#lengthOf(last));
    return this.#sortedFrom(place + step, step);
  }

  /** How many of these keys compare with the given one below `order`. */
  below(keys: Int32Array, key: Uint8Array, at: number, length: number, order: 0 | 1): number {
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(keys[middle]!, key, at, length) < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many keys are below this one. */
  rank(key: Uint8Array): number {
    const place = this.#settledPlace(key, 0, key.length);
    const keys = this.#buckets[place]?.sorted ?? noKeys;
    let rank = this.below(keys, key, 0, key.length, 0);
    for (let i = 0; i < place; i++) rank += sizeOf(this.#buckets[i]!);
    return rank;
  }

  /** Divides the key space for all that will be taken in. */
  #begin(first: number, all: Int32Array): void {
    this.#first = first;
    this.#shared = this.#lengthOf(first);
    this.#buckets.push({ low: first, sorted: noKeys, tail: [] });
    if (all.length > bucketMax) this.#divide(0, all);
    else this.#findHeads();
  }

  /** Where this key belongs, once the bucket there is sorted; -1 of no buckets. */
  #settledPlace(key: Uint8Array, at: number, length: number): number {
    for (;;) {
      const place = this.#place(key, at, length);
      if (place < 0 || this.#settle(place) === 1) return place;
    }
  }

  /**
   * The keys of the first bucket that has any, from this one on. Of an early instant only some keys
   * were taken in, while the buckets were made for all that there are: many are empty then.
   */
  #sortedFrom(place: number, step: 1 | -1): Int32Array | undefined {
    const buckets = this.#buckets;
    for (let at = place; at >= 0 && at < buckets.length; at += step) {
      if (sizeOf(buckets[at]!) > 0) return this.#sortedAt(at, step);
    }
    return undefined;
  }

  #sortedAt(place: number, step: 1 | -1): Int32Array {
    let at = place;
    for (let parts = this.#settle(at); parts > 1; parts = this.#settle(at)) {
      if (step < 0) at += parts - 1;
    }
    return this.#buckets[at]!.sorted;
  }

  /** Sorts a bucket, or cuts it into several; returns how many it is now. */
  #settle(place: number): number {
    const bucket = this.#buckets[place]!;
    if (bucket.tail.length === 0) return 1;
    if (sizeOf(bucket) > bucketMax) return this.#cut(place);
    const fresh = Int32Array.from(bucket.tail);
    sortOperations(this.#arena, fresh);
    bucket.sorted = mergeOperations(this.#arena, bucket.sorted, fresh);
    bucket.tail = [];
    return 1;
  }

  /** Replaces a bucket by several, with the same keys; returns how many. */
  #cut(place: number): number {
    const all = allOf(this.#buckets[place]!);
    const parts = this.#divide(place, all);
    this.#spread(all);
    return parts;
  }

  /** Replaces a bucket by several empty ones, for these keys; returns how many. */
  #divide(place: number, all: Int32Array): number {
    const parts = Math.min(bucketsPerCut, Math.round(all.length / bucketAim));
    const samples = samplesOf(all, parts * samplesPerBucket);
    this.#share(samples);
    sortOperations(this.#arena, samples);
    // No sample is picked twice, so every part has a key: a cut always gets further.
    const cut = Array.from({ length: parts }, (_, i): Bucket => {
      const low = i === 0 ? this.#buckets[place]!.low : samples[i * samplesPerBucket]!;
      return { low, sorted: noKeys, tail: [] };
    });
    this.#buckets.splice(place, 1, ...cut);
    this.#findHeads();
    return parts;
  }

  #spread(operations: Int32Array): void {
    const buckets = this.#buckets;
    const arena = this.#arena;
    const shared = this.#shared;
    for (let i = 0; i < operations.length; i++) {
      const operation = operations[i]!;
      const at = this.#keyOf(operation);
      const length = this.#lengthOf(operation);
      const head = headOf(arena, at + shared, length - shared);
      const bucket = buckets[this.#search(head, arena, at, length)]!;
      if (bucket.tail.push(operation) === bucketLarge) this.#large.push(bucket);
    }
  }

  /** The last bucket that begins at the key or below; the first if none does. -1 of no buckets. */
  #place(key: Uint8Array, at: number, length: number): number {
    const last = this.#buckets.length - 1;
    if (last < 1) return last;
    const shared = this.#shared;
    const given = length < shared ? length : shared;
    const side = compareBytes(key, at, given, this.#arena, this.#keyOf(this.#first), shared);
    if (side !== 0) return side < 0 ? 0 : last;
    return this.#search(headOf(key, at + shared, length - shared), key, at, length);
  }

  /** The same for a key with the prefix of all, whose head behind that is given. */
  #search(head: number, key: Uint8Array, at: number, length: number): number {
    const heads = this.#heads;
    let low = 1;
    let high = heads.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = heads[middle]!;
      const isBelow =
        other < head ||
        (other === head && this.#compare(this.#buckets[middle]!.low, key, at, length) <= 0);
      if (isBelow) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #findHeads(): void {
    this.#heads = Float64Array.from(this.#buckets, ({ low }) => {
      const length = this.#lengthOf(low) - this.#shared;
      return headOf(this.#arena, this.#keyOf(low) + this.#shared, length);
    });
  }

  /** From now on all keys share no more than these do. */
  #share(operations: Int32Array): void {
    const arena = this.#arena;
    const firstAt = this.#keyOf(this.#first);
    let shared = this.#shared;
    for (let i = 0; i < operations.length && shared > 0; i++) {
      const operation = operations[i]!;
      const at = this.#keyOf(operation);
      shared = sharedPrefixBytes(arena, firstAt, shared, arena, at, this.#lengthOf(operation));
    }
    if (shared === this.#shared) return;
    this.#shared = shared;
    this.#findHeads();
  }

  #compare(operation: number, key: Uint8Array, at: number, length: number): number {
    const keyAt = this.#keyOf(operation);
    return compareBytes(this.#arena, keyAt, this.#lengthOf(operation), key, at, length);
  }

  #keyOf(operation: number): number {
    return keyOffset(operation, this.#words[(operation >>> 2) + 1]! >>> 24);
  }

  #lengthOf(operation: number): number {
    return this.#words[(operation >>> 2) + 1]! & keyLengthMask;
  }
}

function sizeOf(bucket: Bucket): number {
  return bucket.sorted.length + bucket.tail.length;
}

function allOf(bucket: Bucket): Int32Array {
  const all = new Int32Array(sizeOf(bucket));
  all.set(bucket.sorted);
  all.set(bucket.tail, bucket.sorted.length);
  return all;
}

/** One key from each of `count` stretches, wherever in it: keys may come in a pattern. */
function samplesOf(all: Int32Array, count: number): Int32Array {
  const stretch = all.length / count;
  return Int32Array.from({ length: count }, (_, i) => {
    const within = (Math.imul(i + 1, 0x9e3779b1) >>> 0) / 2 ** 32;
    return all[Math.floor((i + within) * stretch)]!;
  });
}
