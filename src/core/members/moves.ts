/**
 * Brings moves to their end. Once all owners to come say that they hold what they should, the
 * lowest live member proposes the epoch that puts them in place; if two think they are the lowest,
 * one finds nothing left to do. A node that is no holder of a partition any more forgets its data,
 * after a time of grace, and not before all owners are known to be complete.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Failed } from "../message.ts";
import type { Move, RingState } from "../ring/ring-state.ts";
import type { LivenessView, RingView } from "../views.ts";
import { finishMoves } from "./changes.ts";

export interface MovesTuning {
  readonly checkMs: Millis;
  readonly proposeMsMax: Millis;
  /** Data that moved away stays so long, in case the move was a mistake. */
  readonly graceMs: Millis;
}

export const movesDefaults: MovesTuning = {
  checkMs: 500,
  proposeMsMax: 10_000,
  graceMs: 600_000,
};

export interface MovesParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly liveness: LivenessView;
  readonly tuning: MovesTuning;
  ring(): RingView;
  /** The node has said, in the present epoch, that it holds all of all its partitions. */
  isFilled(node: NodeId): boolean;
  propose(
    now: Millis,
    change: (state: RingState) => RingState | Failed,
    done: (outcome: RingState | Failed) => void,
    timeoutMs: Millis,
  ): void;
}

export class Moves {
  readonly #parts: MovesParts;
  #nextCheck: Millis = 0;
  #isProposing = false;
  /**
   * Partitions that this node does not hold, since when it was seen so, until they are dropped. A
   * start begins with all of them: nobody remembers which have data.
   */
  readonly #foreign = new Map<Partition, Millis>();
  readonly #dropped = new Set<Partition>();
  #isDropping = false;
  #ring: RingView | undefined;

  constructor(parts: MovesParts) {
    this.#parts = parts;
  }

  tick(now: Millis): void {
    if (now < this.#nextCheck) return;
    this.#nextCheck = now + this.#parts.tuning.checkMs;
    this.#propose(now);
    this.#watch(now);
    this.#drop(now);
  }

  #propose(now: Millis): void {
    if (this.#isProposing || !this.#isLowest()) return;
    const { state } = this.#parts.ring();
    const ready = state.moves.filter(({ to }) => to.every((node) => this.#parts.isFilled(node)));
    if (ready.length === 0) return;
    this.#isProposing = true;
    const done = (): void => {
      this.#isProposing = false;
    };
    this.#parts.propose(now, finishing(state, ready), done, this.#parts.tuning.proposeMsMax);
  }

  #isLowest(): boolean {
    const { liveness, self } = this.#parts;
    const { members } = this.#parts.ring().state;
    const live = members.filter(({ id, state }) => state !== "left" && liveness.isLive(id));
    return live.every(({ id }) => id >= self) && live.some(({ id }) => id === self);
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
        this.#foreign.set(partition, now);
      }
    }
  }

  /** One at a time: there is no hurry, and requests come first. */
  #drop(now: Millis): void {
    if (this.#isDropping) return;
    const { out, tuning } = this.#parts;
    for (const [partition, since] of this.#foreign) {
      if (now - since < tuning.graceMs || !this.#isSafe(partition)) continue;
      this.#isDropping = true;
      out.store({ kind: "drop-partition", partition }, (outcome, later) => {
        this.#isDropping = false;
        // It may have come back meanwhile, and what failed is tried again after another grace.
        if (!this.#foreign.has(partition)) return;
        this.#foreign.delete(partition);
        if (outcome.kind === "failed") this.#foreign.set(partition, later);
        else this.#dropped.add(partition);
      });
      return;
    }
  }

  #isSafe(partition: Partition): boolean {
    const ring = this.#parts.ring();
    if (ring.holders(partition).includes(this.#parts.self)) return false;
    if (ring.future(partition) !== undefined) return false;
    return ring.owners(partition).every((owner) => this.#parts.isFilled(owner));
  }
}

/**
 * Holds for the state in which the owners to come were seen to be complete, and for no other: in a
 * later one they may be others, or may have been emptied and be filling again.
 */
function finishing(seen: RingState, ready: readonly Move[]): (state: RingState) => RingState {
  return (state) => {
    const isSeen = state.epoch === seen.epoch && state.generation === seen.generation;
    return isSeen ? finishMoves(state, ready) : state;
  };
}
