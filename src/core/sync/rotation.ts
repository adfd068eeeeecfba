/**
 * Which comparisons are due when nothing presses: every partition with every other near owner, in
 * one circle that is gone round in a set time. One of the two begins it, the one with the lower
 * number; a newcomer begins its own, because an owner need not know how far it is.
 *
 * A second circle, gone round more slowly, spans data centres: for each partition one owner here
 * is compared with one there, and what either lacks then spreads near by.
 */
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView } from "../views.ts";

export interface Pair {
  readonly partition: Partition;
  readonly peer: NodeId;
}

export interface Pace {
  /** The near circle is gone round in this time … */
  readonly roundMs: Millis;
  /** … and the far one in that; at `share` of the full pace. */
  readonly farRoundMs: Millis;
  readonly share: number;
  isLive(node: NodeId): boolean;
}

/** A partition, and who owns it in another data centre. */
interface FarPair {
  readonly partition: Partition;
  readonly peers: readonly NodeId[];
}

/** At most so many at once after a pause, so that a stall is not followed by a burst. */
const creditMax = 32;

export class Rotation {
  #state: RingState | undefined;
  readonly #near = new Circle<Pair>();
  readonly #far = new Circle<FarPair>();
  #lastAt: Millis | undefined;

  /** The pairs whose turn it is. */
  take(now: Millis, ring: RingView, { roundMs, farRoundMs, share, isLive }: Pace): readonly Pair[] {
    if (this.#state !== ring.state) {
      this.#state = ring.state;
      this.#near.items = nearPairs(ring);
      this.#far.items = farPairs(ring);
    }
    const passed = (now - (this.#lastAt ?? now)) * share;
    this.#lastAt = now;
    const far = this.#far.take(passed / farRoundMs).flatMap(({ partition, peers }) => {
      // The first that lives stands for the others: on both sides it is one and the same.
      const self = ring.near(partition).find(isLive);
      const peer = peers.find(isLive);
      return self === ring.self && peer !== undefined ? [{ partition, peer }] : [];
    });
    return [...this.#near.take(passed / roundMs), ...far];
  }
}

/** Its items in turn, again and again. */
class Circle<T> {
  items: readonly T[] = [];
  #next = 0;
  #credit = 0;

  take(rounds: number): readonly T[] {
    this.#credit = Math.min(creditMax, this.#credit + this.items.length * rounds);
    const taken: T[] = [];
    for (; this.#credit >= 1; this.#credit -= 1) {
      this.#next = (this.#next + 1) % this.items.length;
      const item = this.items[this.#next];
      if (item !== undefined) taken.push(item);
    }
    return taken;
  }
}

function nearPairs(ring: RingView): readonly Pair[] {
  const { self } = ring;
  return ring.held().flatMap((partition) => {
    const owners = ring.near(partition);
    const isOwner = owners.includes(self);
    const peers = owners.filter((peer) => (isOwner ? self < peer : peer !== self));
    return peers.map((peer) => ({ partition, peer }));
  });
}

/** Of two data centres the one whose name comes first begins. */
function farPairs(ring: RingView): readonly FarPair[] {
  const here = ring.dcOf(ring.self) ?? "";
  return ring.held().flatMap((partition) => {
    if (!ring.near(partition).includes(ring.self)) return [];
    const owners = new Set(ring.owners(partition));
    const groups = ring.far(partition).map((group) => group.filter((node) => owners.has(node)));
    const isOurs = ([first]: readonly NodeId[]): boolean =>
      first !== undefined && here < (ring.dcOf(first) ?? "");
    return groups.filter(isOurs).map((peers) => ({ partition, peers }));
  });
}
