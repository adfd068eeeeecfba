/**
 * The Merkle trees of all partitions, kept current by every write. After opening, a scan of a
 * snapshot puts in what was there; writes since then come by their own way, and because a tree
 * is a sum (XOR), each counts exactly once whichever comes first.
 */
import type { StoreOutcome, StoreWork } from "../core/event.ts";
import type { Partition } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import { partitionOf } from "../core/key.ts";
import type { Hash } from "../core/message.ts";
import { MerkleTree } from "../core/sync/merkle.ts";

const noHash: Hash = { high: 0, low: 0 };
const noLeaves = new Uint8Array(0);

type TreeWork = Extract<StoreWork, { kind: "tree" }>;

export class Trees {
  readonly #trees: readonly MerkleTree[];
  /** Partitions below this one hold all that was there at opening. */
  #readyBelow = 0;
  /** Their keys are just being brought into another form, each by itself. */
  readonly #changing = new Map<Partition, number>();
  /** What of a partition was damaged at opening is not in its tree. */
  readonly #damaged = new Set<Partition>();

  constructor(partitions: number) {
    this.#trees = Array.from(
      { length: partitions },
      (_, partition) => new MerkleTree({ partition, partitions }),
    );
  }

  replace(key: Key, before: Hash | undefined, after: Hash | undefined): void {
    this.#trees[partitionOf(key, this.#trees.length)]?.replace(key, before, after);
  }

  treeOf(partition: Partition): MerkleTree | undefined {
    return this.#trees[partition];
  }

  readyBelow(partition: Partition): void {
    this.#readyBelow = partition;
  }

  damaged(partition: Partition): void {
    this.#damaged.add(partition);
  }

  /** One more reason for it, or one less. */
  changing(partition: Partition, change: 1 | -1): void {
    const reasons = (this.#changing.get(partition) ?? 0) + change;
    if (reasons > 0) this.#changing.set(partition, reasons);
    else this.#changing.delete(partition);
  }

  isChanging(partition: Partition): boolean {
    return this.#changing.has(partition);
  }

  /** All that was there at opening is in, and could be read. */
  isWhole(partition: Partition): boolean {
    return partition < this.#readyBelow && !this.#damaged.has(partition);
  }

  occupied(partition: Partition): StoreOutcome {
    const tree = this.#trees[partition];
    const ready = tree !== undefined && this.#isReady(partition);
    if (!ready) return { kind: "occupied", ready, root: noHash, leaves: noLeaves };
    return { kind: "occupied", ready, root: tree.root(), leaves: tree.occupied() };
  }

  answer({ partition, level, parents }: TreeWork, round: number): StoreOutcome {
    const tree = this.#trees[partition];
    const isReady = this.#isReady(partition);
    if (tree === undefined || !isReady) return { kind: "tree", ready: false, round, hashes: [] };
    if (level === "root") return { kind: "tree", ready: true, round, hashes: [tree.root()] };
    const hashes = level === "children" ? tree.children() : tree.leaves(parents);
    return { kind: "tree", ready: true, round, hashes };
  }

  #isReady(partition: Partition): boolean {
    return this.isWhole(partition) && !this.#changing.has(partition);
  }
}
