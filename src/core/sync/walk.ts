/**
 * One comparison of one partition with one peer, by the side that began it: the root, unequal
 * children, unequal leaves, and then (trade.ts) exactly the keys that differ in those.
 *
 * Writes on their way make leaves unequal for a moment. So, unless the walk is thorough, leaves
 * are looked at twice, and only those that stood still count.
 */
import { isSameHash } from "../clock/digest.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Entry, Hash, TreeMessage } from "../message.ts";
import type { Random } from "../random.ts";
import { Dialogue, type DialogueParts } from "./dialogue.ts";
import { differingAt } from "./differences.ts";
import { fanOut } from "./merkle.ts";
import { Trade } from "./trade.ts";

export interface WalkParts extends DialogueParts {
  /** Leaves nothing out: for filling, and for an operator's command. */
  readonly isThorough: boolean;
  /** The partition is not this node's any more: what it has is given, and nothing taken in. */
  readonly isGiving: boolean;
  readonly random: Random;
  readonly recheckMs: Millis;
  partitionOf(entry: Entry): Partition;
  /** The walk knows which leaves differ and waits for `proceed` to trade their keys. */
  onReady(): void;
}

interface UnequalLeaf {
  readonly leaf: number;
  readonly mine: Hash;
  readonly theirs: Hash;
}

/** Of the leaves that keep changing one in so many is traded all the same. */
const restlessOneIn = 4;

export class Walk {
  readonly #parts: WalkParts;
  readonly #dialogue: Dialogue;
  begunAt: Millis = 0;
  /** Unequal children of the root. */
  #parents: readonly number[] = [];
  #unequal: readonly number[] = [];

  constructor(parts: WalkParts) {
    this.#parts = parts;
    this.#dialogue = new Dialogue({
      ...parts,
      nextExchange: () => parts.nextExchange(),
      share: () => parts.share(),
      onEnd: (end, now) => parts.onEnd(end, now),
    });
  }

  get peer(): NodeId {
    return this.#parts.peer;
  }

  get partition(): Partition {
    return this.#parts.partition;
  }

  get isGiving(): boolean {
    return this.#parts.isGiving;
  }

  start(now: Millis): void {
    this.begunAt = now;
    this.#tree("root", [], ([root], later, round) => {
      if (root === undefined) return;
      this.#dialogue.askAny(later, { kind: "tree-open", round, root }, (answer, at) =>
        this.#opened(at, answer),
      );
    });
  }

  receive(now: Millis, message: TreeMessage): void {
    this.#dialogue.receive(now, message);
  }

  tick(now: Millis): void {
    this.#dialogue.tick(now);
  }

  /** Trades the keys of the leaves found unequal. */
  proceed(now: Millis): void {
    const trade = new Trade({
      dialogue: this.#dialogue,
      leaves: this.#unequal,
      isGiving: this.#parts.isGiving,
      partitionOf: (entry) => this.#parts.partitionOf(entry),
      onTraded: (later, counts) => this.#dialogue.end(later, { kind: "repaired", ...counts }),
    });
    trade.start(now);
  }

  /** The peer went down, or the ring no longer wants this: no fault of the peer's. */
  stop(now: Millis): void {
    this.#dialogue.fail(now, "refused");
  }

  #opened(now: Millis, answer: TreeMessage): void {
    if (answer.kind === "tree-close") this.#dialogue.end(now, { kind: "equal" });
    else if (answer.kind !== "tree-nodes" || answer.hashes.length !== fanOut) {
      this.#dialogue.fail(now, "refused");
    } else {
      this.#tree("children", [], (mine, later) => {
        this.#parents = differingAt(mine, answer.hashes);
        this.#look(later, (unequal, at) => this.#looked(at, unequal));
      });
    }
  }

  /** Compares the leaves below the unequal children. */
  #look(now: Millis, then: (unequal: readonly UnequalLeaf[], now: Millis) => void): void {
    const parents = this.#parents;
    if (parents.length === 0) {
      then([], now);
      return;
    }
    const question = { kind: "tree-nodes", level: 1, parents, hashes: [] } as const;
    this.#dialogue.ask(now, question, "tree-nodes", ({ hashes }, later) => {
      if (hashes.length !== parents.length * fanOut) {
        this.#dialogue.fail(later, "refused");
        return;
      }
      this.#tree("leaves", parents, (mine, at) => {
        const unequal = differingAt(mine, hashes).map((place) => ({
          leaf: parents[Math.floor(place / fanOut)]! * fanOut + (place % fanOut),
          mine: mine[place]!,
          theirs: hashes[place]!,
        }));
        then(unequal, at);
      });
    });
  }

  #looked(now: Millis, unequal: readonly UnequalLeaf[]): void {
    if (unequal.length === 0) this.#dialogue.end(now, { kind: "equal" });
    else if (this.#parts.isThorough) this.#found(unequal);
    else {
      const before = new Map(unequal.map((each) => [each.leaf, each]));
      this.#parents = [...new Set(unequal.map(({ leaf }) => Math.floor(leaf / fanOut)))];
      this.#dialogue.sleep(now, this.#parts.recheckMs, (later) =>
        this.#look(later, (again, at) => this.#lookedAgain(at, before, again)),
      );
    }
  }

  #lookedAgain(
    now: Millis,
    before: ReadonlyMap<number, UnequalLeaf>,
    unequal: readonly UnequalLeaf[],
  ): void {
    const lasting = unequal.filter(({ leaf, mine, theirs }) => {
      const first = before.get(leaf);
      if (first === undefined) return false;
      const stoodStill = isSameHash(first.mine, mine) && isSameHash(first.theirs, theirs);
      return stoodStill || this.#parts.random.below(restlessOneIn) === 0;
    });
    if (unequal.length === 0) this.#dialogue.end(now, { kind: "equal" });
    else if (lasting.length > 0) this.#found(lasting);
    else this.#dialogue.end(now, { kind: "repaired", sent: 0, received: 0 });
  }

  #found(unequal: readonly UnequalLeaf[]): void {
    this.#unequal = unequal.map(({ leaf }) => leaf);
    this.#parts.onReady();
  }

  /** This side's own hashes. */
  #tree(
    level: "root" | "children" | "leaves",
    parents: readonly number[],
    then: (hashes: readonly Hash[], now: Millis, round: number) => void,
  ): void {
    const work = { kind: "tree", partition: this.partition, level, parents } as const;
    this.#dialogue.store(work, "tree", ({ ready, hashes, round }, now) => {
      if (ready) then(hashes, now, round);
      else this.#dialogue.fail(now, "busy");
    });
  }
}
