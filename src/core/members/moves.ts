/**
 * Brings moves to their end, partition by partition. Who is to own a partition is asked whether it
 * holds all of it; the lowest live member asks, and proposes the epoch that puts owners in place
 * that say so. If two think they are the lowest, one finds nothing left to do. Several partitions
 * share an epoch, so that epochs stay few; none waits for another one, nor for a dead node. Who was
 * leaving and owns nothing any more leaves once it says that nothing is lost with it.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Failed } from "../message.ts";
import type { Move, RingState } from "../ring/ring-state.ts";
import type { LivenessView, RingView } from "../views.ts";
import { departed, finishMoves } from "./changes.ts";
import { votersOf } from "./proposer.ts";
import { leavingIdle } from "./reassign.ts";

export interface MovesTuning {
  readonly checkMs: Millis;
  /** Between two epochs that end moves, unless the second ends the last of them. */
  readonly batchMs: Millis;
  readonly proposeMsMax: Millis;
  /** When no move has ended for so long, somebody should look. */
  readonly stuckMs: Millis;
}

export const movesDefaults: MovesTuning = {
  checkMs: 250,
  batchMs: 1_000,
  proposeMsMax: 10_000,
  stuckMs: 30 * 60_000,
};

export interface MovesParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly liveness: LivenessView;
  readonly tuning: MovesTuning;
  ring(): RingView;
  /**
   * The node has said, in the present epoch, that it holds all of the partition; or, where it is
   * no holder, that nothing which it has of it is lost with it.
   */
  isFilled(now: Millis, node: NodeId, partition: Partition): boolean;
  askFilled(node: NodeId, partitions: readonly Partition[]): void;
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
  /** When moves were last ended by this node. */
  #endedAt: Millis = Number.NEGATIVE_INFINITY;
  /** How many there were, and since when there are no fewer. */
  #seen = { moves: 0, since: 0 };

  constructor(parts: MovesParts) {
    this.#parts = parts;
  }

  tick(now: Millis): void {
    if (now < this.#nextCheck) return;
    this.#nextCheck = now + this.#parts.tuning.checkMs;
    if (!this.#isLowest()) return;
    this.#ask();
    this.#propose(now);
    this.#watch(now);
  }

  /** Of those that may propose at all. */
  #isLowest(): boolean {
    const { self, liveness } = this.#parts;
    const live = votersOf(this.#parts.ring().state).filter((node) => liveness.isLive(node));
    return live.includes(self) && live.every((node) => node >= self);
  }

  #ask(): void {
    const { state } = this.#parts.ring();
    const byNode = new Map<NodeId, Partition[]>();
    for (const { partition, to } of state.moves) {
      for (const node of to) {
        const partitions = byNode.get(node) ?? [];
        partitions.push(partition);
        byNode.set(node, partitions);
      }
    }
    const everything = state.owners.map((_, partition) => partition);
    for (const node of leavingIdle(state)) byNode.set(node, everything);
    for (const [node, partitions] of byNode) {
      if (this.#parts.liveness.isLive(node)) this.#parts.askFilled(node, partitions);
    }
  }

  #propose(now: Millis): void {
    if (this.#isProposing) return;
    const { state } = this.#parts.ring();
    const ready = state.moves.filter((move) => this.#waitsFor(now, move).length === 0);
    const gone = leavingIdle(state).filter((node) => this.#isEmpty(now, node));
    if (ready.length === 0 && gone.length === 0) return;
    const isLast = ready.length === state.moves.length;
    if (!isLast && now - this.#endedAt < this.#parts.tuning.batchMs) return;
    this.#isProposing = true;
    this.#endedAt = now;
    const done = (): void => {
      this.#isProposing = false;
    };
    const change = finishing(state, ready, gone);
    this.#parts.propose(now, change, done, this.#parts.tuning.proposeMsMax);
  }

  #isEmpty(now: Millis, node: NodeId): boolean {
    const { owners } = this.#parts.ring().state;
    return owners.every((_, partition) => this.#parts.isFilled(now, node, partition));
  }

  /**
   * A dead owner that stays is not waited for, where as many come as go: who comes has been
   * compared with all that live, and so stands for who goes.
   */
  #waitsFor(now: Millis, { partition, to }: Move): readonly NodeId[] {
    const { isFilled, liveness } = this.#parts;
    const owners = this.#parts.ring().owners(partition);
    const isSpared = (node: NodeId): boolean =>
      to.length >= owners.length && owners.includes(node) && !liveness.isLive(node);
    return to.filter((node) => !isFilled(now, node, partition) && !isSpared(node));
  }

  #watch(now: Millis): void {
    const { moves } = this.#parts.ring().state;
    if (moves.length === 0 || moves.length !== this.#seen.moves) {
      this.#seen = { moves: moves.length, since: now };
    } else if (now - this.#seen.since >= this.#parts.tuning.stuckMs) {
      this.#seen = { moves: moves.length, since: now };
      const nodes = [...new Set(moves.flatMap((move) => this.#waitsFor(now, move)))];
      this.#parts.out.notice({ kind: "moves-stuck", moves: moves.length, nodes });
    }
  }
}

/**
 * Holds for the state in which the owners to come were seen to be complete, and for no other: in a
 * later one they may be others, or may have been emptied and be filling again.
 */
function finishing(
  seen: RingState,
  ready: readonly Move[],
  gone: readonly NodeId[],
): (state: RingState) => RingState {
  return (state) => {
    const isSeen = state.epoch === seen.epoch && state.generation === seen.generation;
    if (!isSeen) return state;
    return ready.length > 0 ? finishMoves(state, ready) : departed(state, gone);
  };
}
