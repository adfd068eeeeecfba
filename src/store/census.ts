/**
 * What clean-up has to know of the keys of each partition without reading them: the newest event
 * of every actor that was seen, how many keys have a past, and in which leaves of the tree those
 * are. Kept current by every write, and after opening by the recount, as the trees are.
 */
import { hasPast } from "../core/clock/floor.ts";
import { isTombstone, type Versions } from "../core/clock/versions.ts";
import type { Actor, Millis, Partition } from "../core/ids.ts";
import { type Key, partitionOf } from "../core/key.ts";
import { leavesPerTree, MerkleTree } from "../core/sync/merkle.ts";

export interface Tally {
  readonly seen: ReadonlyMap<Actor, number>;
  readonly keys: number;
  /** Keys with a past, and those of them that are deleted. */
  readonly reapable: number;
  readonly tombstones: number;
  /** No sibling expires before; 0 when none does. */
  readonly expiresFrom: Millis;
}

interface Count {
  readonly seen: Map<Actor, number>;
  keys: number;
  reapable: number;
  tombstones: number;
  expiresFrom: Millis;
  /** By leaf: something there may have a past, or expire. */
  leaves: Uint8Array | undefined;
}

export class Census {
  readonly #counts: readonly Count[];
  readonly #places: MerkleTree;

  constructor(partitions: number) {
    this.#counts = Array.from({ length: partitions }, () => ({
      seen: new Map<Actor, number>(),
      keys: 0,
      reapable: 0,
      tombstones: 0,
      expiresFrom: 0,
      leaves: undefined,
    }));
    // Only for its division into leaves, which is the same in every partition.
    this.#places = new MerkleTree({ partition: 0, partitions });
  }

  /** A key went from one state to another; absent is `undefined`. */
  changed(key: Key, before: Versions | undefined, after: Versions | undefined): void {
    const count = this.#counts[partitionOf(key, this.#counts.length)];
    if (count === undefined) return;
    if (before !== undefined) add(count, before, -1);
    if (after === undefined) return;
    add(count, after, 1);
    for (const { actor, counter } of after.vector) see(count, actor, counter);
    for (const { actor, counter } of after.dots) see(count, actor, counter);
    for (const { dot } of after.siblings) see(count, dot.actor, dot.counter);
    if (hasPast(after) || expiryIn(after) > 0) {
      this.#mark(count, this.#places.leafOf(key));
    }
  }

  of(partition: Partition): Tally {
    const count = this.#counts[partition];
    if (count === undefined) throw new RangeError(`there is no partition ${partition}`);
    return count;
  }

  /** Leaves to look through: whoever takes them marks again what it leaves as it was. */
  takeMarked(partition: Partition): readonly number[] {
    const count = this.#counts[partition];
    const marked: number[] = [];
    count?.leaves?.forEach((mark, leaf) => {
      if (mark === 1) marked.push(leaf);
    });
    if (count !== undefined) {
      count.leaves = undefined;
      count.expiresFrom = 0;
    }
    return marked;
  }

  /** Something of the key was left as it was. */
  leave(key: Key, versions: Versions): void {
    const count = this.#counts[partitionOf(key, this.#counts.length)];
    if (count === undefined) return;
    const expiresFrom = expiryIn(versions);
    if (hasPast(versions) || expiresFrom > 0) this.#mark(count, this.#places.leafOf(key));
    soonest(count, expiresFrom);
  }

  mark(partition: Partition, leaves: readonly number[]): void {
    const count = this.#counts[partition];
    if (count !== undefined) for (const leaf of leaves) this.#mark(count, leaf);
  }

  #mark(count: Count, leaf: number): void {
    count.leaves ??= new Uint8Array(leavesPerTree);
    count.leaves[leaf] = 1;
  }
}

function add(count: Count, versions: Versions, change: 1 | -1): void {
  count.keys += change;
  if (hasPast(versions)) count.reapable += change;
  if (isTombstone(versions)) count.tombstones += change;
  if (change === 1) soonest(count, expiryIn(versions));
}

function see({ seen }: Count, actor: Actor, counter: number): void {
  if ((seen.get(actor) ?? 0) < counter) seen.set(actor, counter);
}

/** When the first of the siblings expires; 0 when none does. */
function expiryIn({ siblings }: Versions): Millis {
  let first = 0;
  for (const { expiresAt } of siblings) {
    if (expiresAt > 0 && (first === 0 || expiresAt < first)) first = expiresAt;
  }
  return first;
}

function soonest(count: Count, expiresAt: Millis): void {
  if (expiresAt === 0) return;
  if (count.expiresFrom === 0 || expiresAt < count.expiresFrom) count.expiresFrom = expiresAt;
}
