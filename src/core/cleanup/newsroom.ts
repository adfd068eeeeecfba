/**
 * Keeps this node's floors as new as those of its peers: by what peers say when they meet, and by
 * the round that any message about a partition carries.
 *
 * A floor says that all owners had everything below it. Where this node's store has not promised
 * that round, it was not among them: its disk is an older copy, or it has come to the partition
 * since. What it holds below the floor may be deleted everywhere else, so the store lets go of it,
 * and the partition is filled again. Once it is, the node vouches for the round after all.
 */
import type { FloorNews } from "../clock/floor.ts";
import type { Out, RoundState } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { LivenessView, RingView, StandingView } from "../views.ts";
import type { CleanupMessage, PartitionRound } from "./message.ts";

export interface NewsroomParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly liveness: LivenessView;
  readonly standing: FloorStanding;
  ring(): RingView;
}

export interface FloorStanding extends StandingView {
  /** What is held of the partition is not to be believed: it has to be filled again. */
  lost(now: Millis, partition: Partition): void;
}

/** A peer is asked for the same floor again after so long. */
const askAgainMs = 1_000;
/** After a start a node answers for its copies at the latest now: nobody may be there to ask. */
const settleMsMax = 1_000;

export class FloorNewsroom {
  readonly #parts: NewsroomParts;
  /** Rounds in force here, as far as they are known. */
  readonly #rounds = new Map<Partition, number>();
  /** Floors that are being taken over. */
  readonly #coming = new Map<Partition, number>();
  readonly #distrusted = new Set<Partition>();
  readonly #vouching = new Set<Partition>();
  readonly #askedAt = new Map<Partition, Millis>();
  /** Peers that were told of this node's rounds, in this ring. */
  readonly #greeted = new Set<NodeId>();
  #greetedIn: RingView | undefined;
  #isSurveyed = false;
  /** Peers that have said in which rounds they are; and until when that is waited for. */
  readonly #heardOf = new Set<NodeId>();
  #settledAt: Millis | undefined;
  #isSettled = false;

  constructor(parts: NewsroomParts) {
    this.#parts = parts;
  }

  roundOf(partition: Partition): number {
    return this.#rounds.get(partition) ?? 0;
  }

  /** The store has a floor of the partition that it was not there for. */
  distrusts(partition: Partition): boolean {
    return this.#distrusted.has(partition);
  }

  receive(
    now: Millis,
    from: NodeId,
    message: CleanupMessage & { readonly kind: "floor" | "rounds" },
  ): void {
    if (message.kind === "floor") this.takeOver(message.partition, message.floor);
    else {
      this.#heardOf.add(from);
      for (const theirs of message.rounds) this.compare(now, from, theirs);
    }
  }

  /**
   * A node that starts may come with an old copy of its disk. Before it has met its peers, nobody
   * should hear from it what they have forgotten.
   */
  isSettled(partition: Partition): boolean {
    if (this.#isSettled) return !this.#coming.has(partition);
    const { self, liveness } = this.#parts;
    const others = this.#parts
      .ring()
      .owners(partition)
      .filter((owner) => owner !== self);
    const isMet = others.some((owner) => this.#heardOf.has(owner));
    if (!isMet && others.some((owner) => liveness.isLive(owner))) return false;
    return this.#isSurveyed && !this.#coming.has(partition);
  }

  /** Something came that was composed in this round: if it is a later one, its floor is needed. */
  heard(now: Millis, peer: NodeId, { partition, round }: PartitionRound): void {
    if (round > this.roundOf(partition)) this.#ask(now, peer, partition);
  }

  /** Whoever of the two is behind gets the floor. */
  compare(now: Millis, peer: NodeId, { partition, round }: PartitionRound): void {
    const own = this.roundOf(partition);
    if (round > own) this.#ask(now, peer, partition);
    if (round >= own) return;
    this.#parts.out.store({ kind: "read-floor", partition }, (outcome) => {
      if (outcome.kind !== "floor" || outcome.floor.round <= round) return;
      this.#parts.out.send(peer, { kind: "floor", partition, floor: outcome.floor });
    });
  }

  takeOver(partition: Partition, floor: FloorNews): void {
    const { out } = this.#parts;
    const known = Math.max(this.roundOf(partition), this.#coming.get(partition) ?? 0);
    if (floor.round <= known || partition >= this.#parts.ring().partitions) return;
    this.#coming.set(partition, floor.round);
    out.store({ kind: "read-floor", partition }, (outcome, later) => {
      if (outcome.kind !== "floor") {
        this.#coming.delete(partition);
        return;
      }
      if (outcome.promised < floor.round) this.#distrust(later, partition, floor.round);
      out.store({ kind: "raise-floor", partition, floor }, ({ kind }) => {
        if (this.#coming.get(partition) === floor.round) this.#coming.delete(partition);
        if (kind === "durable") this.#learned(partition, floor.round);
      });
    });
  }

  surveyed(now: Millis, states: readonly RoundState[]): void {
    for (const { partition, round, promised } of states) {
      this.#learned(partition, round);
      const isFirst = !this.#isSurveyed && promised < round;
      // A crash may have come between: the floor is here, and filling was not remembered.
      if (isFirst && !this.#distrusted.has(partition)) this.#distrust(now, partition, round);
      if (promised < round && this.#distrusted.has(partition)) this.#vouch(partition, round);
    }
    this.#isSurveyed = true;
  }

  tick(now: Millis): void {
    this.#settledAt ??= now + settleMsMax;
    this.#isSettled ||= now >= this.#settledAt;
    if (!this.#isSurveyed) return;
    const ring = this.#parts.ring();
    if (this.#greetedIn !== ring) this.#greeted.clear();
    this.#greetedIn = ring;
    for (const { id } of ring.state.members) {
      const isThere = id !== this.#parts.self && ring.isMember(id);
      if (!isThere || !this.#parts.liveness.isLive(id)) this.#greeted.delete(id);
      else if (!this.#greeted.has(id)) this.#greet(ring, id);
    }
  }

  #greet(ring: RingView, peer: NodeId): void {
    this.#greeted.add(peer);
    const rounds = ring
      .held()
      .filter((partition) => ring.holders(partition).includes(peer))
      .map((partition) => ({ partition, round: this.roundOf(partition) }));
    if (rounds.length > 0) this.#parts.out.send(peer, { kind: "rounds", rounds });
  }

  #ask(now: Millis, peer: NodeId, partition: Partition): void {
    if (this.#coming.has(partition)) return;
    const askedAt = this.#askedAt.get(partition);
    if (askedAt !== undefined && now - askedAt < askAgainMs) return;
    this.#askedAt.set(partition, now);
    const rounds = [{ partition, round: this.roundOf(partition) }];
    this.#parts.out.send(peer, { kind: "rounds", rounds });
  }

  #learned(partition: Partition, round: number): void {
    if (round > this.roundOf(partition)) this.#rounds.set(partition, round);
  }

  #distrust(now: Millis, partition: Partition, round: number): void {
    const { standing, out } = this.#parts;
    // Whoever fills the partition anyway had no business there before.
    const isOld = standing.of(partition) !== "rebuilding";
    const isHeld = this.#parts.ring().held().includes(partition);
    this.#distrusted.add(partition);
    if (isOld && isHeld) out.notice({ kind: "rolled-back", partition, round });
    if (isHeld) standing.lost(now, partition);
  }

  /** Everything below the floor is here again. */
  #vouch(partition: Partition, round: number): void {
    const { standing, out } = this.#parts;
    const isHeld = this.#parts.ring().held().includes(partition);
    if (!isHeld || standing.of(partition) === "rebuilding" || this.#vouching.has(partition)) return;
    this.#vouching.add(partition);
    out.store({ kind: "promise", partition, round }, ({ kind }) => {
      this.#vouching.delete(partition);
      if (kind === "durable") this.#distrusted.delete(partition);
    });
  }
}
