/**
 * A store without an engine: maps and the real trees, answering each work a little later. What the
 * protocols of handoff and anti-entropy are tested on; it outlives the machines over it.
 */
import { digestOf, isSameHash } from "../../src/core/clock/digest.ts";
import { isEqual, merge, noVersions, type Versions } from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import { type Key, nameOf, partitionOf } from "../../src/core/key.ts";
import type { Entry, Hash } from "../../src/core/message.ts";
import { MerkleTree } from "../../src/core/sync/merkle.ts";

export class MemoryStore {
  readonly #partitions: number;
  readonly data = new Map<string, Entry>();
  readonly hints = new Map<NodeId, Map<string, Entry>>();
  readonly meta = new Map<string, Uint8Array>();
  readonly #trees = new Map<Partition, MerkleTree>();
  /** Each kind named here fails. */
  readonly failing = new Set<StoreWork["kind"]>();
  /** Trees are still being made. */
  isMakingTrees = false;
  merged = 0;

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  run(work: StoreWork): StoreOutcome {
    if (this.failing.has(work.kind)) {
      return { kind: "failed", code: "DISK_FULL", message: "no space", applied: "no" };
    }
    switch (work.kind) {
      case "merge": {
        const changed = work.entries.filter((entry) => this.join(entry)).length;
        return { kind: "merged", changed, stale: 0 };
      }
      case "occupied":
        return this.#occupied(work.partition);
      case "tree":
        return this.#tree(work);
      case "leaf":
        return { kind: "leaf", digests: this.#leaf(work.partition, new Set(work.leaves)) };
      case "by-token":
        return this.#byToken(work.tokens, work.bytes);
      case "list":
        return this.#list(work);
      case "drop-partition":
        return this.#drop(work.partition);
      case "load-meta":
        return { kind: "meta", bytes: this.meta.get(work.name) };
      case "save-meta":
        this.meta.set(work.name, work.bytes);
        return { kind: "durable" };
      default:
        return this.#runHints(work);
    }
  }

  versionsOf(key: Key): Versions {
    return this.data.get(nameOf(key))?.versions ?? noVersions;
  }

  /** True when the entry told something new. */
  join({ key, versions }: Entry): boolean {
    const before = this.data.get(nameOf(key))?.versions;
    const after = before === undefined ? versions : merge(before, versions);
    if (before !== undefined && isEqual(before, after)) return false;
    this.merged += 1;
    this.data.set(nameOf(key), { key, versions: after });
    const tree = this.#treeOf(partitionOf(key, this.#partitions));
    tree.replace(key, before && digestOf(before), digestOf(after));
    return true;
  }

  keep(target: NodeId, { key, versions }: Entry): void {
    const kept = this.hints.get(target) ?? new Map<string, Entry>();
    const before = kept.get(nameOf(key))?.versions ?? noVersions;
    kept.set(nameOf(key), { key, versions: merge(before, versions) });
    this.hints.set(target, kept);
  }

  rootOf(partition: Partition): Hash {
    return this.#treeOf(partition).root();
  }

  #runHints(work: StoreWork): StoreOutcome {
    switch (work.kind) {
      case "keep-hints":
        for (const target of work.targets) this.keep(target, work.entry);
        return { kind: "durable" };
      case "count-hints": {
        const hints = [...this.hints].map(([target, kept]) => ({ target, keys: kept.size }));
        return { kind: "counts", hints: hints.filter(({ keys }) => keys > 0) };
      }
      case "read-hints": {
        const kept = [...(this.hints.get(work.target)?.values() ?? [])];
        const page = pageOf(kept, work.bytes);
        return { kind: "hints", entries: page, isLast: page.length === kept.length };
      }
      case "drop-hints":
        for (const { key, digest } of work.entries) {
          const held = this.hints.get(work.target)?.get(nameOf(key));
          const isAsSent = held !== undefined && isSameHash(digestOf(held.versions), digest);
          if (isAsSent) this.hints.get(work.target)?.delete(nameOf(key));
        }
        return { kind: "durable" };
      default:
        throw new Error(`the memory store does no ${work.kind}`);
    }
  }

  #tree(work: StoreWork & { readonly kind: "tree" }): StoreOutcome {
    if (this.isMakingTrees) return { kind: "tree", ready: false, round: 0, hashes: [] };
    const tree = this.#treeOf(work.partition);
    const hashes =
      work.level === "root"
        ? [tree.root()]
        : work.level === "children"
          ? tree.children()
          : tree.leaves(work.parents);
    return { kind: "tree", ready: true, round: 0, hashes };
  }

  #occupied(partition: Partition): StoreOutcome {
    const tree = this.#treeOf(partition);
    const ready = !this.isMakingTrees;
    return { kind: "occupied", ready, root: tree.root(), leaves: tree.occupied() };
  }

  #leaf(partition: Partition, leaves: ReadonlySet<number>) {
    const tree = this.#treeOf(partition);
    return [...this.data.values()]
      .filter(({ key }) => partitionOf(key, this.#partitions) === partition)
      .filter(({ key }) => leaves.has(tree.leafOf(key)))
      .map(({ key: { high, low }, versions }) => ({
        token: { high, low },
        digest: digestOf(versions),
      }));
  }

  #byToken(tokens: readonly Hash[], bytes: number): StoreOutcome {
    const asked = new Set(tokens.map(({ high, low }) => `${high}/${low}`));
    const found = [...this.data.values()].filter(({ key }) => asked.has(`${key.high}/${key.low}`));
    const page = pageOf(found, bytes);
    return { kind: "entries", entries: page, isEnd: page.length === found.length, round: 0 };
  }

  #list(work: StoreWork & { readonly kind: "list" }): StoreOutcome {
    const { partition, after, limit, bytes } = work;
    const rest = this.#of(partition)
      .filter(({ key }) => after === undefined || compareKeys(key, after) > 0)
      .sort((a, b) => compareKeys(a.key, b.key));
    const page = pageOf(rest.slice(0, limit), bytes);
    return { kind: "entries", entries: page, isEnd: page.length === rest.length, round: 0 };
  }

  #drop(partition: Partition): StoreOutcome {
    for (const { key, versions } of this.#of(partition)) {
      this.data.delete(nameOf(key));
      this.#treeOf(partition).replace(key, digestOf(versions), undefined);
    }
    return { kind: "durable" };
  }

  #of(partition: Partition): Entry[] {
    return [...this.data.values()].filter(
      ({ key }) => partitionOf(key, this.#partitions) === partition,
    );
  }

  #treeOf(partition: Partition): MerkleTree {
    let tree = this.#trees.get(partition);
    if (tree === undefined) {
      tree = new MerkleTree({ partition, partitions: this.#partitions });
      this.#trees.set(partition, tree);
    }
    return tree;
  }
}

/** In the order of tokens, as the engine lists them. */
function compareKeys(a: Key, b: Key): number {
  if (a.high !== b.high) return a.high - b.high;
  return a.low - b.low || (nameOf(a) < nameOf(b) ? -1 : Number(nameOf(a) > nameOf(b)));
}

function pageOf(entries: readonly Entry[], bytes: number): readonly Entry[] {
  let held = 0;
  const end = entries.findIndex(({ key, versions }) => {
    const isFull = held > 0 && held >= bytes;
    held += key.bytes.length + 60;
    for (const { value } of versions.siblings) held += value.length + 60;
    return isFull;
  });
  return end === -1 ? entries : entries.slice(0, end);
}
