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

interface Gained {
  readonly until: Millis;
  readonly owners: Set<NodeId>;
}

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
  /** Partitions held in the ring that was looked at last. */
  #held: ReadonlySet<Partition> | undefined;
  #watched: RingView | undefined;
  /** Of those that came with a ring: owners that have yet to say in which round they are. */
  readonly #gained = new Map<Partition, Gained>();

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
      for (const theirs of message.rounds) {
        this.compare(now, from, theirs);
        // Whose round is later sends its floor next.
        const isBehind = theirs.round > this.roundOf(theirs.partition);
        if (!isBehind) this.#gained.get(theirs.partition)?.owners.delete(from);
      }
    }
  }

  /**
   * A node that starts may come with an old copy of its disk. Before it has met its peers, nobody
   * should hear from it what they have forgotten. Neither should they from one that owns again what
   * it held before, and kept meanwhile.
   */
  isSettled(partition: Partition): boolean {
    if (this.#coming.has(partition) || !this.#isFamiliar(partition)) return false;
    if (this.#isSettled) return true;
    const { self, liveness } = this.#parts;
    const others = this.#parts
      .ring()
      .owners(partition)
      .filter((owner) => owner !== self);
    const isMet = others.some((owner) => this.#heardOf.has(owner));
    if (!isMet && others.some((owner) => liveness.isLive(owner))) return false;
    return this.#isSurveyed;
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
      const isUnproven = outcome.promised < floor.round;
      if (isUnproven) this.#distrust(later, partition, floor.round);
      out.store({ kind: "raise-floor", partition, floor }, ({ kind }, at) => {
        if (this.#coming.get(partition) === floor.round) this.#coming.delete(partition);
        if (kind === "durable") this.#learned(partition, floor.round);
        this.#gained.delete(partition);
        // What was compared while the store had yet to let go of it counts for nothing.
        const isHeld = this.#parts.ring().held().includes(partition);
        if (isUnproven && isHeld) this.#parts.standing.lost(at, partition);
      });
    });
  }

  surveyed(now: Millis, states: readonly RoundState[]): void {
    // What the store has dropped it has no floor of any more: it takes the same one over again.
    this.#rounds.clear();
    for (const { partition, round, promised } of states) {
      this.#learned(partition, round);
      const isFirst = !this.#isSurveyed && promised < round;
      // A crash may have come between: the floor is here, and filling was not remembered.
      if (isFirst && !this.#distrusted.has(partition)) this.#distrust(now, partition, round);
      if (this.#distrusted.has(partition)) this.#vouch(partition, { round, promised });
    }
    this.#isSurveyed = true;
  }

  tick(now: Millis): void {
    this.#settledAt ??= now + settleMsMax;
    this.#isSettled ||= now >= this.#settledAt;
    const ring = this.#parts.ring();
    this.#watch(now, ring);
    if (!this.#isSurveyed) return;
    if (this.#greetedIn !== ring) this.#greeted.clear();
    this.#greetedIn = ring;
    for (const { id } of ring.state.members) {
      const isThere = id !== this.#parts.self && ring.isMember(id);
      if (!isThere || !this.#parts.liveness.isLive(id)) this.#greeted.delete(id);
      else if (!this.#greeted.has(id)) this.#greet(ring, id);
    }
  }

  /** Takes note of partitions that come to this node while it runs. */
  #watch(now: Millis, ring: RingView): void {
    for (const [partition, { until, owners }] of this.#gained) {
      const isAwaited = [...owners].some((owner) => this.#parts.liveness.isLive(owner));
      if (now >= until || !isAwaited) this.#gained.delete(partition);
    }
    if (ring === this.#watched) return;
    const before = this.#held;
    this.#watched = ring;
    this.#held = new Set(ring.held());
    for (const partition of this.#gained.keys()) {
      if (!this.#held.has(partition)) this.#gained.delete(partition);
    }
    for (const partition of this.#held) {
      if (before?.has(partition) !== false) continue;
      const owners = ring.owners(partition).filter((owner) => owner !== ring.self);
      this.#gained.set(partition, { until: now + settleMsMax, owners: new Set(owners) });
    }
  }

  /** It was this node's before the ring in force, or its owners have told of their rounds. */
  #isFamiliar(partition: Partition): boolean {
    return this.#held?.has(partition) !== false && !this.#gained.has(partition);
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
  #vouch(partition: Partition, { round, promised }: Pick<RoundState, "round" | "promised">): void {
    const { standing, out } = this.#parts;
    const isHeld = this.#parts.ring().held().includes(partition);
    if (!isHeld || standing.of(partition) === "rebuilding" || this.#vouching.has(partition)) return;
    if (this.#coming.has(partition)) return;
    if (promised >= round) {
      // It had promised this round before it was found to be behind.
      this.#distrusted.delete(partition);
      return;
    }
    this.#vouching.add(partition);
    out.store({ kind: "promise", partition, round }, ({ kind }) => {
      this.#vouching.delete(partition);
      if (kind === "durable") this.#distrusted.delete(partition);
    });
  }
}
