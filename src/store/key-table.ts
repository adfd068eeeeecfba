/**
 * A table of what is going on for keys just now. Entries come and go with each write, and that is
 * what a Map is bad at: V8 chains each table that a Map grew out of to the next one, so that once
 * one of them is old, all entries since outlive every small collection (measured: a third of the
 * time of a merge). Tokens are hashes already, so the buckets need no other.
 */
import type { Key } from "../core/key.ts";

/** An entry, which is a link of its bucket's chain. */
export interface Keyed<T> {
  readonly key: Key;
  next: T | undefined;
}

/** More than the keys that are usually written at a time. */
const bucketCount = 4096;

export class KeyTable<T extends Keyed<T>> {
  readonly #buckets: (T | undefined)[] = new Array(bucketCount).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(key: Key): T | undefined {
    let entry = this.#buckets[key.low & (bucketCount - 1)];
    while (entry !== undefined && !isSameKey(entry.key, key)) entry = entry.next;
    return entry;
  }

  /** Adds an entry for a key that has none. */
  add(entry: T): void {
    const bucket = entry.key.low & (bucketCount - 1);
    entry.next = this.#buckets[bucket];
    this.#buckets[bucket] = entry;
    this.#size += 1;
  }

  /** Removes an entry that is there. */
  remove(entry: T): void {
    const bucket = entry.key.low & (bucketCount - 1);
    const first = this.#buckets[bucket];
    if (first === entry) this.#buckets[bucket] = entry.next;
    else {
      let before = first;
      while (before !== undefined && before.next !== entry) before = before.next;
      if (before !== undefined) before.next = entry.next;
    }
    // A dead entry must not keep others alive.
    entry.next = undefined;
    this.#size -= 1;
  }
}

function isSameKey(a: Key, b: Key): boolean {
  if (a === b) return true;
  if (a.low !== b.low || a.high !== b.high || a.bucket !== b.bucket) return false;
  const length = a.bytes.length;
  if (length !== b.bytes.length) return false;
  for (let i = 0; i < length; i++) if (a.bytes[i] !== b.bytes[i]) return false;
  return true;
}
