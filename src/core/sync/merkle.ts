/**
 * The Merkle tree of one partition (Dynamo, section 4.7): 1024 leaves over the ten bits of the
 * token that follow the partition's, under 32 children of the root. A leaf is the XOR over its
 * keys of a mix of token and hash of versions, and a node the XOR of what lies below. So one
 * write changes it in three places, in any order, and nothing is ever rebuilt for a new ring.
 *
 * Two trees over the same keys with the same versions are equal; a difference goes unseen with
 * a chance of 2^-64. Hashes are two 32-bit lanes side by side, because V8 has no cheap 64 bits.
 */
import type { Partition } from "../ids.ts";
import type { Hash } from "../message.ts";

/** Children of a node, on both levels. */
export const fanOut = 32;
export const leavesPerTree = fanOut * fanOut;
/** A bit for each leaf. */
export const leafMapBytes = leavesPerTree / 8;

/** Inclusive bounds of the heads of tokens. */
export interface TokenRange {
  readonly first: Hash;
  readonly last: Hash;
}

export interface TreePlace {
  readonly partition: Partition;
  /** How many parts the ring has: a power of two, at most 2^12. */
  readonly partitions: number;
}

const leafBits = 10;
/** Where the children of the root begin in the lanes, and the leaves; the root is first. */
const childrenAt = 2;
const leavesAt = childrenAt + 2 * fanOut;
const lanesTotal = leavesAt + 2 * leavesPerTree;
const noHash: Hash = { high: 0, low: 0 };

export class MerkleTree {
  readonly #partition: Partition;
  /** Bits of the token's head below those that name the leaf. */
  readonly #shift: number;
  /** Nothing until the first key: most partitions of a small cluster are empty. */
  #lanes: Int32Array | undefined;

  constructor({ partition, partitions }: TreePlace) {
    this.#partition = partition;
    this.#shift = 32 - Math.log2(partitions) - leafBits;
  }

  /** From 0 to 1023. A key itself will do: it holds the head of its token. */
  leafOf(token: Hash): number {
    return (token.high >>> this.#shift) & (leavesPerTree - 1);
  }

  /** Every token of a leaf, so that its keys can be scanned. */
  rangeOf(leaf: number): TokenRange {
    const width = 2 ** this.#shift;
    const from = (this.#partition * leavesPerTree + leaf) * width;
    return {
      first: { high: from, low: 0 },
      last: { high: from + width - 1, low: 0xffffffff },
    };
  }

  /** One key went from one hash of versions to another; `undefined` is a key that is not there. */
  replace(token: Hash, before: Hash | undefined, after: Hash | undefined): void {
    this.#lanes ??= new Int32Array(lanesTotal);
    const leaf = this.leafOf(token);
    if (before !== undefined) toggle(this.#lanes, leaf, token, before);
    if (after !== undefined) toggle(this.#lanes, leaf, token, after);
  }

  root(): Hash {
    return this.#at(0);
  }

  /** The 32 children of the root. */
  children(): Hash[] {
    return this.#below(childrenAt, []);
  }

  /** The 32 leaves below each of these children of the root, one after the other. */
  leaves(parents: readonly number[]): Hash[] {
    const hashes: Hash[] = [];
    for (const parent of parents) this.#below(leavesAt + 2 * fanOut * parent, hashes);
    return hashes;
  }

  /** One bit a leaf, the lowest first: set where there is something. */
  occupied(): Uint8Array {
    const map = new Uint8Array(leafMapBytes);
    const lanes = this.#lanes;
    if (lanes === undefined) return map;
    for (let leaf = 0; leaf < leavesPerTree; leaf++) {
      const at = leavesAt + 2 * leaf;
      if (lanes[at] !== 0 || lanes[at + 1] !== 0) map[leaf >> 3]! |= 1 << (leaf & 7);
    }
    return map;
  }

  #below(at: number, hashes: Hash[]): Hash[] {
    for (let i = 0; i < fanOut; i++) hashes.push(this.#at(at + 2 * i));
    return hashes;
  }

  #at(at: number): Hash {
    const lanes = this.#lanes;
    if (lanes === undefined) return noHash;
    return { high: (lanes[at] ?? 0) >>> 0, low: (lanes[at + 1] ?? 0) >>> 0 };
  }
}

/** Puts the key in, or takes it out: XOR is its own inverse. */
function toggle(lanes: Int32Array, leaf: number, token: Hash, digest: Hash): void {
  // Each lane sees all four words, or half the hash would tell nothing of half the input.
  const high = mixed(token.high, token.low, digest.high, digest.low, 0x9e3779b1);
  const low = mixed(digest.low, token.high, token.low, digest.high, 0x85ebca77);
  const child = childrenAt + 2 * (leaf >>> 5);
  const at = leavesAt + 2 * leaf;
  lanes[0]! ^= high;
  lanes[1]! ^= low;
  lanes[child]! ^= high;
  lanes[child + 1]! ^= low;
  lanes[at]! ^= high;
  lanes[at + 1]! ^= low;
}

/** Four words into one, as XXH32 does it: every bit of each changes half the bits. */
function mixed(a: number, b: number, c: number, d: number, seed: number): number {
  let hash = absorbed(absorbed(absorbed(absorbed(seed | 0, a), b), c), d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae3d);
  return hash ^ (hash >>> 16);
}

function absorbed(hash: number, word: number): number {
  const sum = (hash + Math.imul(word, 0xc2b2ae3d)) | 0;
  return Math.imul((sum << 17) | (sum >>> 15), 0x27d4eb2f);
}
