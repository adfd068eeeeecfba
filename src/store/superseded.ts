/**
 * Operations that were superseded here lately, of all keys. The record of a key remembers its
 * newest few only, since every write of the key decodes, joins and encodes them; of a key that is
 * written all the time a late copy may come after more writes than that. Here it is known still.
 *
 * In memory alone: after a start the records are left, and the other replicas. Only retried
 * operations are looked up, and once found they are in the record, which keeps far more of those.
 *
 * Two generations of a hash table; the older is let go when the newer is full. An entry is a mark
 * of 64 bits (nonces are random), so one operation in some 2^48 would be mistaken for another.
 */
import { holds, joinOperations, type Operation } from "../core/clock/operations.ts";
import type { Sibling, Versions } from "../core/clock/versions.ts";
import type { Key } from "../core/key.ts";

const slots = 1 << 16;
/** Of one generation: so many at least are known, and twice as many at most. */
export const supersededMin = slots / 2;

export class Superseded {
  /** Pairs of words; 0 in the second is a free slot. Nothing until something is superseded. */
  #newer: Int32Array | undefined;
  #older: Int32Array | undefined;
  #count = 0;

  /** A key went from one state to another: siblings that are gone had been superseded. */
  changed(key: Key, before: Versions, after: Versions): void {
    for (const sibling of before.siblings) {
      const { operation } = sibling;
      if (operation !== undefined && !isIn(after, sibling)) this.#add(key, operation);
    }
  }

  /** What is held of a key, with a retried operation that was superseded here. */
  recall(key: Key, held: Versions, operation: Operation): Versions {
    if (!operation.retried || holds(held.operations, operation)) return held;
    if (held.siblings.some((sibling) => isOf(sibling, operation))) return held;
    if (!this.#has(key, operation)) return held;
    return { ...held, operations: joinOperations(held.operations, [operation]) };
  }

  #add(key: Key, operation: Operation): void {
    this.#newer ??= new Int32Array(2 * slots);
    const slot = slotIn(this.#newer, key, operation);
    if (this.#newer[slot + 1] !== 0) return;
    this.#newer[slot] = place;
    this.#newer[slot + 1] = mark;
    this.#count += 1;
    if (this.#count < supersededMin) return;
    const free = this.#older?.fill(0);
    this.#older = this.#newer;
    this.#newer = free;
    this.#count = 0;
  }

  #has(key: Key, operation: Operation): boolean {
    for (const table of [this.#newer, this.#older]) {
      if (table !== undefined && table[slotIn(table, key, operation) + 1] !== 0) return true;
    }
    return false;
  }
}

/** The mark of the operation looked for last. */
let place = 0;
let mark = 0;

/** Where its mark is, or belongs: half of the slots are always free. */
function slotIn(table: Int32Array, { high, low }: Key, { at, nonce }: Operation): number {
  const time = Math.floor(at / 4294967296) ^ Math.imul(at | 0, 0x9e3779b1);
  place = mixed(mixed(low ^ time) ^ nonce);
  mark = mixed(mixed(nonce ^ high) + time) | 1;
  for (let slot = place & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
    const known = table[2 * slot + 1];
    if (known === 0 || (known === mark && table[2 * slot] === place)) return 2 * slot;
  }
}

/** The end of murmur3: each bit changes half of the others. */
function mixed(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** Still there, or another copy of the same write is. */
function isIn({ siblings }: Versions, { dot, operation }: Sibling): boolean {
  for (const sibling of siblings) {
    if (sibling.dot.counter === dot.counter && sibling.dot.actor === dot.actor) return true;
    if (operation !== undefined && isOf(sibling, operation)) return true;
  }
  return false;
}

function isOf(sibling: Sibling, { at, nonce }: Operation): boolean {
  return sibling.operation?.nonce === nonce && sibling.operation.at === at;
}
