/**
 * A hash of versions: 64 bits from the vector, the extra dots and the dots of the siblings, all of
 * them sorted already. Dots are unique, so values need not be read; remembered operations, times
 * and expiry are left out, because replicas that differ only in those need no repair. Two keys
 * whose versions are equal (isEqual) have equal digests. Reads and the exchange compare by it.
 */
import type { Hash } from "../message.ts";
import type { Dot, Versions } from "./versions.ts";

// Two lanes of murmur3's mixing with different constants; module state saves an object a word.
let first = 0;
let second = 0;

/** About 0.2 µs for one sibling over a vector of three. */
export function digestOf({ vector, dots, siblings }: Versions): Hash {
  first = 0x2f1a7c3b;
  second = 0x6b8e4d15;
  // The counts come first, so that a dot in one place never looks like a dot in another.
  take((vector.length << 16) ^ dots.length);
  take(siblings.length);
  for (const entry of vector) takeDot(entry);
  for (const dot of dots) takeDot(dot);
  for (const { dot } of siblings) takeDot(dot);
  const high = finish(first ^ second);
  return { high, low: finish((second + Math.imul(high, 0x9e3779b1)) | 0) };
}

export function isSameHash(a: Hash, b: Hash): boolean {
  return a.high === b.high && a.low === b.low;
}

/** The sixteen hex digits of an actor as two words, and the counter as two. */
function takeDot({ actor, counter }: Dot): void {
  let word = actor.length;
  for (let at = 0; at < actor.length; at++) {
    const code = actor.charCodeAt(at);
    word = (word << 4) ^ ((code & 15) + 9 * (code >>> 6));
    if ((at & 7) === 7) take(word);
  }
  if ((actor.length & 7) !== 0) take(word);
  take(counter | 0);
  take(Math.floor(counter / 4294967296) | 0);
}

function take(word: number): void {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  first ^= mixed;
  first = (Math.imul((first << 13) | (first >>> 19), 5) + 0xe6546b64) | 0;
  mixed = Math.imul(word ^ 0x5bd1e995, 0x239b961b);
  mixed = Math.imul((mixed << 16) | (mixed >>> 16), 0xab0e9789);
  second ^= mixed;
  second = (Math.imul((second << 17) | (second >>> 15), 5) + 0x561ccd1b) | 0;
}

function finish(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
