/**
 * What must never be, at any moment and under any trouble, judged from outside by what nodes store
 * and say: no dot stands for two writes, no epoch has two states, no acknowledgement lacks its
 * copies (durability.ts), and no answer contradicts what was done (answers.ts).
 */
import type { Versions } from "../../src/core/clock/versions.ts";
import type { Notice, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import { type Key, nameOf, partitionOf } from "../../src/core/key.ts";
import type { Command, Message, Result } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { Answers } from "./answers.ts";
import { Durability } from "./durability.ts";

export interface WatchParts {
  readonly partitions: number;
  /** Whether the two are in different data centres. */
  isFar(from: NodeId, to: NodeId): boolean;
}

export class Watch {
  readonly durability: Durability;
  readonly answers: Answers;
  readonly #wrongs: string[] = [];
  /** Messages by kind: all of them, and those between data centres. */
  readonly counts = new Map<Message["kind"], number>();
  readonly farCounts = new Map<Message["kind"], number>();
  /** Entries that copies were brought by, one for each time that one was sent. */
  entries = 0;
  /** Versions of keys that went between data centres, by whatever kind of message. */
  farEntries = 0;
  /** By dot: the key and the value it stands for. */
  readonly #dots = new Map<string, string>();
  readonly #seen = new WeakSet<object>();
  readonly #epochs = new Map<string, string>();
  /** By node, the partitions that it is still filling, as it said last. */
  readonly #filling = new Map<NodeId, Set<Partition>>();
  /** By node, the ring that it has in force. */
  readonly #rings = new Map<NodeId, RingState>();
  readonly #parts: WatchParts;

  constructor(parts: WatchParts) {
    this.#parts = parts;
    this.durability = new Durability(parts.partitions);
    this.answers = new Answers(this.durability);
  }

  /** Everything that was seen up to now. */
  get wrongs(): readonly string[] {
    const { answers, durability } = this;
    const told = [...this.#wrongs, ...durability.wrongs, ...answers.wrongs];
    return [...told, ...answers.liesAboutRefusals];
  }

  /** A client asks: what is returned is to be called with the answer, and tells the client. */
  asked(node: NodeId, command: Command, tell: (result: Result) => void): (result: Result) => void {
    const judge = this.answers.asked(node, command);
    return (result) => {
      judge(result);
      tell(result);
    };
  }

  /** What was on the node's disk is gone, older, or hurt. */
  lost(node: NodeId): void {
    this.durability.destroyed(node);
    this.answers.isSteady = false;
  }

  stored(node: NodeId, work: StoreWork, outcome: StoreOutcome): void {
    if (work.kind === "write" && outcome.kind === "written") {
      this.#look(work.key, outcome.versions, `node ${node} writes`);
    }
    this.answers.stored(node, work, outcome);
    this.durability.stored(node, work, outcome);
    if (work.kind !== "drop-partition" || outcome.kind !== "durable") return;
    // One that came back meanwhile keeps what has come with it.
    const { owners = [], moves = [] } = this.#rings.get(node) ?? {};
    const isBack = moves.some(({ partition, to }) => {
      return partition === work.partition && to.includes(node);
    });
    if (isBack || owners[work.partition]?.includes(node) === true) return;
    this.durability.removed(node, work.partition);
  }

  sent(from: NodeId, to: NodeId, message: Message): void {
    count(this.counts, message.kind);
    if (this.#parts.isFar(from, to)) {
      count(this.farCounts, message.kind);
      this.farEntries += entriesIn(message);
    }
    if (message.kind === "write") this.#look(message.key, message.versions, `node ${from} sends`);
    if (!("entries" in message) || message.kind === "list-reply") return;
    this.entries += message.entries.length;
    for (const { key, versions } of message.entries) {
      this.#look(key, versions, `node ${from} sends`);
    }
  }

  noticed(node: NodeId, notice: Notice): void {
    if (notice.kind !== "standing") return;
    const filling = this.#filling.get(node) ?? new Set();
    if (notice.standing === "rebuilding") filling.add(notice.partition);
    else filling.delete(notice.partition);
    this.#filling.set(node, filling);
  }

  /** A process that ends says nothing more. */
  ended(node: NodeId): void {
    this.#filling.delete(node);
    this.answers.ended(node);
  }

  /** Whether none of the nodes says that it still fills something. */
  areFilled(nodes: readonly NodeId[]): boolean {
    return nodes.every((node) => this.fillingOf(node).length === 0);
  }

  fillingOf(node: NodeId): readonly Partition[] {
    return [...(this.#filling.get(node) ?? [])];
  }

  installed(node: NodeId, state: RingState): void {
    // Of what it does not hold any more, a node says nothing.
    const isHeld = (partition: Partition): boolean =>
      state.owners[partition]?.includes(node) === true ||
      state.moves.some((move) => move.partition === partition && move.to.includes(node));
    this.#filling.set(node, new Set(this.fillingOf(node).filter(isHeld)));
    this.#rings.set(node, state);
    const name = `${state.generation}/${state.epoch}`;
    const text = JSON.stringify(state);
    const known = this.#epochs.get(name);
    this.#epochs.set(name, known ?? text);
    if (this.#epochs.size > 1) this.answers.isSteady = false;
    if (known !== undefined && known !== text) {
      this.#wrongs.push(`epoch ${name} has another state at node ${node}: ${known} and ${text}`);
    }
  }

  #look(key: Key, { siblings }: Versions, who: string): void {
    for (const sibling of siblings) {
      // One and the same goes to several nodes.
      if (this.#seen.has(sibling)) continue;
      this.#seen.add(sibling);
      const { dot, value, time } = sibling;
      // Counters run per actor and partition.
      const partition = partitionOf(key, this.#parts.partitions);
      const name = `${partition}/${dot.actor}/${dot.counter}`;
      const text = `${nameOf(key)}=${Buffer.from(value).toString()} at ${time}`;
      const known = this.#dots.get(name);
      if (known === undefined) this.#dots.set(name, text);
      else if (known !== text) {
        this.#wrongs.push(`${who} the dot ${name} for ${text}, which stands for ${known}`);
      }
    }
  }
}

function count<T>(counts: Map<T, number>, item: T): void {
  counts.set(item, (counts.get(item) ?? 0) + 1);
}

function entriesIn(message: Message): number {
  if (message.kind === "write") return 1;
  return "entries" in message ? message.entries.length : 0;
}
