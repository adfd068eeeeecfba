/**
 * Partitions that this node holds no longer. What it has of one is given to the owners, as far as
 * they lack it, once the ring has settled: a coordinator that had not heard of the change may have
 * written here and nowhere else. Then, after a time of grace in case the move was a mistake, and
 * while all owners say that they are complete, the data is dropped.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Hash } from "../message.ts";
import type { LivenessView, RingView } from "../views.ts";

export interface DepartedTuning {
  readonly checkMs: Millis;
  /** So long after the change coordinators that know the old ring only may still write. */
  readonly settleMs: Millis;
  readonly graceMs: Millis;
}

export const departedDefaults: DepartedTuning = {
  checkMs: 500,
  settleMs: 2_000,
  graceMs: 600_000,
};

export interface DepartedParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly liveness: LivenessView;
  readonly tuning: DepartedTuning;
  ring(): RingView;
  isFilled(now: Millis, node: NodeId, partition: Partition): boolean;
  askFilled(node: NodeId, partitions: readonly Partition[]): void;
  /** Brings over what the peer lacks of this node's data. */
  give(
    now: Millis,
    what: { readonly partition: Partition; readonly peer: NodeId },
    done: (now: Millis, isGiven: boolean) => void,
  ): void;
}

interface Foreign {
  readonly since: Millis;
  isGiven: boolean;
  isGiving: boolean;
  /** There was nothing of it: nobody need be asked before what is left of it goes. */
  isEmpty: boolean;
}

/** Partitions that are given at a time. */
const givesMax = 16;
/** Owners are asked no more often than this whether they hold everything. */
const askMs = 2_000;

export class Departed {
  readonly #parts: DepartedParts;
  #nextCheck: Millis = 0;
  /** A start begins with all partitions: nobody remembers which have data. */
  readonly #foreign = new Map<Partition, Foreign>();
  readonly #dropped = new Set<Partition>();
  #isDropping = false;
  #askAt: Millis = 0;
  #ring: RingView | undefined;

  constructor(parts: DepartedParts) {
    this.#parts = parts;
  }

  tick(now: Millis): void {
    this.#watch(now);
    if (now < this.#nextCheck) return;
    this.#nextCheck = now + this.#parts.tuning.checkMs;
    this.#give(now);
    this.#drop(now);
  }

  /** Nothing that this node has of the partition is lost with it. */
  isGiven(partition: Partition): boolean {
    return this.#dropped.has(partition) || this.#foreign.get(partition)?.isGiven === true;
  }

  /** Takes note of what this node holds no longer, and of what it holds again. */
  #watch(now: Millis): void {
    const ring = this.#parts.ring();
    if (ring === this.#ring) return;
    this.#ring = ring;
    const held = new Set(ring.held());
    for (let partition = 0; partition < ring.partitions; partition++) {
      if (held.has(partition)) {
        this.#foreign.delete(partition);
        this.#dropped.delete(partition);
      } else if (!this.#foreign.has(partition) && !this.#dropped.has(partition)) {
        this.#foreign.set(partition, foreignSince(now));
      }
    }
  }

  #give(now: Millis): void {
    let giving = 0;
    for (const { isGiving } of this.#foreign.values()) giving += Number(isGiving);
    for (const [partition, foreign] of this.#foreign) {
      if (giving >= givesMax) return;
      const { since, isGiven, isGiving } = foreign;
      if (isGiven || isGiving || now - since < this.#parts.tuning.settleMs) continue;
      giving += 1;
      this.#giveOne(partition, foreign);
    }
  }

  #giveOne(partition: Partition, foreign: Foreign): void {
    foreign.isGiving = true;
    const done = (now: Millis, isGiven: boolean): void => {
      foreign.isGiving = false;
      foreign.isGiven ||= isGiven;
      // What could not be given now waits for the next look.
      if (isGiven) this.#give(now);
    };
    const root = { kind: "tree", partition, level: "root", parents: [] } as const;
    this.#parts.out.store(root, (outcome, now) => {
      const own = outcome.kind === "tree" && outcome.ready ? outcome.hashes[0] : undefined;
      if (own === undefined) done(now, false);
      else if (isNothing(own)) {
        foreign.isEmpty = true;
        done(now, true);
      } else {
        const peer = this.#ownerFor(partition);
        if (peer === undefined) done(now, false);
        else this.#parts.give(now, { partition, peer }, done);
      }
    });
  }

  #ownerFor(partition: Partition): NodeId | undefined {
    const ring = this.#parts.ring();
    const live = ring.owners(partition).filter((node) => this.#parts.liveness.isLive(node));
    const near = live.filter((node) => ring.dcOf(node) === ring.dcOf(ring.self));
    return near[0] ?? live[0];
  }

  /** One at a time: there is no hurry, and requests come first. */
  #drop(now: Millis): void {
    if (this.#isDropping) return;
    const { out, tuning } = this.#parts;
    const due = [...this.#foreign].filter(
      ([, { since, isGiven }]) => isGiven && now - since >= tuning.graceMs,
    );
    const safe = due.find(([partition, foreign]) => this.#isSafe(now, partition, foreign));
    if (safe === undefined) {
      this.#askOwners(
        now,
        due.map(([partition]) => partition),
      );
      return;
    }
    const [partition, foreign] = safe;
    this.#isDropping = true;
    out.store({ kind: "drop-partition", partition }, (outcome, later) => {
      this.#isDropping = false;
      // It may have come back meanwhile, and what failed is tried again after another grace.
      if (this.#foreign.get(partition) !== foreign) return;
      if (outcome.kind === "failed") {
        this.#foreign.set(partition, { ...foreignSince(later), isGiven: true });
        return;
      }
      this.#foreign.delete(partition);
      this.#dropped.add(partition);
      this.#drop(later);
    });
  }

  #askOwners(now: Millis, partitions: readonly Partition[]): void {
    if (now < this.#askAt) return;
    this.#askAt = now + askMs;
    const ring = this.#parts.ring();
    const byNode = new Map<NodeId, Partition[]>();
    for (const partition of partitions) {
      for (const node of ring.owners(partition)) {
        const asked = byNode.get(node) ?? [];
        asked.push(partition);
        byNode.set(node, asked);
      }
    }
    for (const [node, asked] of byNode) this.#parts.askFilled(node, asked);
  }

  #isSafe(now: Millis, partition: Partition, { isEmpty }: Foreign): boolean {
    const ring = this.#parts.ring();
    if (ring.holders(partition).includes(this.#parts.self)) return false;
    if (isEmpty) return true;
    if (ring.future(partition) !== undefined) return false;
    return ring.owners(partition).every((node) => this.#parts.isFilled(now, node, partition));
  }
}

function foreignSince(since: Millis): Foreign {
  return { since, isGiven: false, isGiving: false, isEmpty: false };
}

function isNothing({ high, low }: Hash): boolean {
  return high === 0 && low === 0;
}
