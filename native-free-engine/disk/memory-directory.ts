/**
 * The names of a `MemoryDisk`: a tree of directories that lead to inodes. Like bytes, names exist
 * twice, as seen and as certain to survive, with the unsynced changes in order between them.
 */
import type { Coin, Inode } from "./memory-inode.ts";

export type Node = Directory | Inode;

/** What becomes of some names of one directory, all at once: a rename is one change of two. */
export type NameChange = readonly (readonly [name: string, node: Node | undefined])[];

export class Directory {
  #live = new Map<string, Node>();
  #durable = new Map<string, Node>();
  #unsynced: NameChange[] = [];
  /** Changes ever made; see `Inode.mark`. */
  #changed = 0;

  get(name: string): Node | undefined {
    return this.#live.get(name);
  }

  /** As seen now, in no order. */
  entries(): IterableIterator<[string, Node]> {
    return this.#live.entries();
  }

  get isEmpty(): boolean {
    return this.#live.size === 0;
  }

  change(change: NameChange): void {
    apply(this.#live, change);
    this.#unsynced.push(change);
    this.#changed += 1;
  }

  mark(): number {
    return this.#changed;
  }

  sync(mark: number): void {
    for (const change of this.#take(mark)) apply(this.#durable, change);
  }

  /** A failed sync: the names stay visible, and a crash takes them back. */
  forget(mark: number): void {
    this.#take(mark);
  }

  /**
   * Each unsynced change gets through or not by itself; those that do are made in their order, so
   * that of several changes to one name the last that got through decides.
   */
  afterCrash(coin: Coin, copies: Map<Node, Node>): Directory {
    const left = new Map(this.#durable);
    for (const change of this.#unsynced) if (coin()) apply(left, change);
    const copy = new Directory();
    const copyNode = (node: Node): Node =>
      node instanceof Directory ? node.afterCrash(coin, copies) : node.afterCrash(coin);
    copy.#durable = copyNames(left, copies, copyNode);
    copy.#live = new Map(copy.#durable);
    return copy;
  }

  clone(copies: Map<Node, Node>): Directory {
    const copy = new Directory();
    const copyNode = (node: Node): Node =>
      node instanceof Directory ? node.clone(copies) : node.clone();
    copy.#durable = copyNames(this.#durable, copies, copyNode);
    copy.#live = copyNames(this.#live, copies, copyNode);
    copy.#unsynced = this.#unsynced.map((change) => [
      ...copyNames(new Map(change), copies, copyNode),
    ]);
    copy.#changed = this.#changed;
    return copy;
  }

  #take(mark: number): NameChange[] {
    const count = mark - (this.#changed - this.#unsynced.length);
    return count <= 0 ? [] : this.#unsynced.splice(0, count);
  }
}

function apply(names: Map<string, Node>, change: NameChange): void {
  for (const [name, node] of change) {
    if (node === undefined) names.delete(name);
    else names.set(name, node);
  }
}

/** An inode with two names keeps them: `copies` remembers what was copied already. */
function copyNames<N extends Node | undefined>(
  names: Map<string, N>,
  copies: Map<Node, Node>,
  copyNode: (node: Node) => Node,
): Map<string, N> {
  const copied = new Map<string, N>();
  for (const [name, node] of names) {
    if (node === undefined) {
      copied.set(name, node);
      continue;
    }
    const copy = copies.get(node) ?? copyNode(node);
    copies.set(node, copy);
    copied.set(name, copy as N);
  }
  return copied;
}
