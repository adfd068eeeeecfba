/**
 * Which comparisons are due when nothing presses: every partition with every other owner, in one
 * circle that is gone round in a set time. One of the two begins it, the one with the lower
 * number; a newcomer begins its own, because an owner need not know how far it is.
 */
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView } from "../views.ts";

export interface Pair {
  readonly partition: Partition;
  readonly peer: NodeId;
}

/** At most so many at once after a pause, so that a stall is not followed by a burst. */
const creditMax = 32;

export class Rotation {
  #state: RingState | undefined;
  #pairs: readonly Pair[] = [];
  #next = 0;
  #credit = 0;
  #lastAt: Millis | undefined;

  /** The pairs whose turn it is; `share` of the full pace. */
  take(now: Millis, ring: RingView, pace: { roundMs: Millis; share: number }): readonly Pair[] {
    if (this.#state !== ring.state) {
      this.#state = ring.state;
      this.#pairs = pairsOf(ring);
    }
    const passed = now - (this.#lastAt ?? now);
    this.#lastAt = now;
    const due = (this.#pairs.length * passed * pace.share) / pace.roundMs;
    this.#credit = Math.min(creditMax, this.#credit + due);
    const taken: Pair[] = [];
    for (; this.#credit >= 1; this.#credit -= 1) {
      this.#next = (this.#next + 1) % this.#pairs.length;
      const pair = this.#pairs[this.#next];
      if (pair !== undefined) taken.push(pair);
    }
    return taken;
  }
}

function pairsOf(ring: RingView): readonly Pair[] {
  const { self } = ring;
  return ring.held().flatMap((partition) => {
    const owners = ring.owners(partition);
    const isOwner = owners.includes(self);
    const peers = owners.filter((peer) => (isOwner ? self < peer : peer !== self));
    return peers.map((peer) => ({ partition, peer }));
  });
}
