/**
 * Forgetting safely: what of the causal past nobody needs any more is removed at all owners of a
 * partition, tombstones with it, once it is proven that each of them has everything that it
 * explains. By proof, never by the clock: a node may be away for a year.
 *
 * The lowest live owner of a partition leads its rounds (attempt.ts). A floor that was proven is
 * true for ever, so whoever missed it takes it over from anyone (floors.ts); who was not there
 * when it was proven does not vouch for what lies below it, and fills anew.
 */
import type { FloorNews } from "../clock/floor.ts";
import type { Out, RoundState } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { Message } from "../message.ts";
import type { Random } from "../random.ts";
import type { LivenessView, RingView } from "../views.ts";
import { Attempt, type AttemptEnd, type AttemptTuning, keepers } from "./attempt.ts";
import type { CleanupMessage, PartitionRound } from "./message.ts";
import { FloorNewsroom, type FloorStanding } from "./newsroom.ts";

export interface CleanupTuning extends AttemptTuning {
  /** A partition has a round this often, if there is something to reap. */
  readonly intervalMs: Millis;
  /** After an attempt that failed. */
  readonly retryMs: Millis;
  /** How often the store is asked for what there is to reap. */
  readonly surveyMs: Millis;
  /** Clocks of owners differ by less: what has expired so long ago has expired for all. */
  readonly skewMs: Millis;
  /** Attempts that do more than rest, and all of them. */
  readonly busyMax: number;
  readonly attemptsMax: number;
}

export const cleanupDefaults: CleanupTuning = {
  intervalMs: 600_000,
  retryMs: 30_000,
  surveyMs: 1_000,
  skewMs: 60_000,
  // Twice what a client may give a request: no repetition of it is under way any more.
  restMs: 120_000,
  answerMs: 10_000,
  looseAgainMs: 2_000,
  looseMsMax: 60_000,
  compareMsMax: 600_000,
  busyMax: 4,
  attemptsMax: 64,
};

export interface CleanupParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  readonly liveness: LivenessView;
  readonly standing: FloorStanding;
  readonly exchanges: Comparer;
  /** Of what a node that is no owner (any more) has left of a partition, its owners have all. */
  readonly departed: { isGiven(partition: Partition): boolean };
  readonly tuning: CleanupTuning;
  ring(): RingView;
}

/** Compares partitions with every other live holder, both ways. */
export interface Comparer {
  exchangeNow(
    done: (counts: { readonly partitions: number }) => void,
    partitions: readonly Partition[],
  ): void;
}

/** For `status`: what is left to clean up here, and what was cleaned since the start. */
export interface CleanupReport {
  readonly reapable: number;
  readonly tombstones: number;
  readonly rounds: number;
  readonly running: number;
  /** Why the last attempt that this node led came to nothing; empty when it did not. */
  readonly lastFailure: string;
}

type Write = Message & { readonly kind: "write" };

const kinds: ReadonlySet<Message["kind"]> = new Set<CleanupMessage["kind"]>([
  ...(["cut-ask", "cut", "loose-ask", "loose", "seal", "sealed", "floor", "rounds"] as const),
]);

export function isCleanup(message: Message): message is CleanupMessage {
  return kinds.has(message.kind);
}

export class Cleanup {
  readonly #parts: CleanupParts;
  readonly #newsroom: FloorNewsroom;
  readonly #attempts = new Map<Partition, Attempt>();
  readonly #numbers = new Map<number, Partition>();
  /**
   * Who was told a cut of the partition last, and in which attempt. Only that one is promised
   * anything, and only by the same process: after a start the disk may be an older one, which has
   * not got what was compared since.
   */
  readonly #cuts = new Map<Partition, { readonly leader: NodeId; readonly attempt: number }>();
  /** Rounds of a partition are led from here again at this time. */
  readonly #nextAt = new Map<Partition, Millis>();
  #states: readonly RoundState[] = [];
  #surveyAt: Millis = 0;
  #isSurveying = false;
  #lastAttempt: number;
  #rounds = 0;
  #lastFailure = "";

  constructor(parts: CleanupParts) {
    this.#parts = parts;
    this.#lastAttempt = parts.random.below(2 ** 30);
    this.#newsroom = new FloorNewsroom(parts);
  }

  receive(now: Millis, from: NodeId, message: CleanupMessage): void {
    switch (message.kind) {
      case "cut-ask":
        this.#answerCut(now, from, message);
        return;
      case "loose-ask":
        this.#answerLoose(from, message);
        return;
      case "seal":
        this.#answerSeal(from, message);
        return;
      case "floor":
      case "rounds":
        this.#newsroom.receive(now, from, message);
        return;
      default: {
        const partition = this.#numbers.get(message.attempt);
        if (partition !== message.partition) return;
        this.#attempts.get(partition)?.receive(now, from, message);
      }
    }
  }

  /** A peer wrote in this round of the partition. */
  heard(now: Millis, peer: NodeId, { key, round }: Pick<Write, "key" | "round">): void {
    if (round === 0) return;
    this.#newsroom.heard(now, peer, { partition: this.#parts.ring().partitionOf(key), round });
  }

  /** A peer that would compare the partition is in another round than this node. */
  met(now: Millis, peer: NodeId, theirs: PartitionRound): void {
    this.#newsroom.compare(now, peer, theirs);
  }

  /** Whether this node's copies are of the round of its peers, as far as it can know. */
  isSettled(partition: Partition): boolean {
    return this.#newsroom.isSettled(partition);
  }

  report(): CleanupReport {
    let [reapable, tombstones] = [0, 0];
    const held = new Set(this.#parts.ring().held());
    for (const state of this.#states) {
      // What a former owner has left waits for its removal, not for a round.
      if (!held.has(state.partition)) continue;
      reapable += state.reapable;
      tombstones += state.tombstones;
    }
    return {
      reapable,
      tombstones,
      rounds: this.#rounds,
      running: this.#attempts.size,
      lastFailure: this.#lastFailure,
    };
  }

  tick(now: Millis): void {
    const { tuning } = this.#parts;
    this.#newsroom.tick(now);
    let busy = [...this.#attempts.values()].filter(({ isBusy }) => isBusy).length;
    for (const attempt of [...this.#attempts.values()]) {
      const wasBusy = attempt.isBusy;
      attempt.tick(now, busy < tuning.busyMax);
      if (!wasBusy && attempt.isBusy) busy += 1;
    }
    if (now >= this.#surveyAt && !this.#isSurveying) this.#survey(now);
  }

  #survey(now: Millis): void {
    this.#isSurveying = true;
    this.#surveyAt = now + this.#parts.tuning.surveyMs;
    this.#parts.out.store({ kind: "survey-rounds" }, (outcome, later) => {
      this.#isSurveying = false;
      if (outcome.kind !== "rounds") return;
      this.#states = outcome.rounds;
      this.#newsroom.surveyed(later, outcome.rounds);
      for (const state of outcome.rounds) {
        if (this.#attempts.size >= this.#parts.tuning.attemptsMax) break;
        if (this.#isDue(later, state)) this.#begin(later, state.partition);
      }
    });
  }

  #isDue(now: Millis, state: RoundState): boolean {
    const { partition, reapable, expiresFrom, isSweeping } = state;
    const { intervalMs, skewMs } = this.#parts.tuning;
    const hasExpired = expiresFrom > 0 && expiresFrom <= now - skewMs;
    if (isSweeping || (reapable === 0 && !hasExpired)) return false;
    if (this.#attempts.has(partition) || !this.#leads(partition)) return false;
    const nextAt = this.#nextAt.get(partition);
    if (nextAt !== undefined) return now >= nextAt;
    // Spread over the interval: partitions that are written to all have something to reap.
    this.#nextAt.set(partition, now + this.#parts.random.below(intervalMs + 1));
    return false;
  }

  /** Every member is here, and this node is the first of the partition's owners. */
  #leads(partition: Partition): boolean {
    const { self, liveness } = this.#parts;
    const ring = this.#parts.ring();
    if (!this.#isAtRest(partition)) return false;
    if (Math.min(...ring.owners(partition)) !== self) return false;
    return keepers(ring).every((id) => id === self || liveness.isLive(id));
  }

  /** This node owns the partition, all of it is here, and it is not moving. */
  #isAtRest(partition: Partition): boolean {
    const ring = this.#parts.ring();
    if (partition >= ring.partitions || !ring.owners(partition).includes(ring.self)) return false;
    if (ring.future(partition) !== undefined || this.#newsroom.distrusts(partition)) return false;
    return this.#parts.standing.of(partition) === "current";
  }

  #begin(now: Millis, partition: Partition): void {
    const { tuning } = this.#parts;
    this.#lastAttempt += 1;
    const number = this.#lastAttempt;
    const attempt = new Attempt({
      ...this.#parts,
      partition,
      attempt: number,
      expiredBefore: Math.floor(now - tuning.skewMs),
      ring: () => this.#parts.ring(),
      compare: (done) => this.#compare(partition, done),
      onRound: (at, peer, round) => this.#newsroom.compare(at, peer, { partition, round }),
      onEnd: (at, end) => this.#ended(at, partition, number, end),
    });
    this.#attempts.set(partition, attempt);
    this.#numbers.set(number, partition);
    attempt.start(now);
  }

  #ended(now: Millis, partition: Partition, number: number, end: AttemptEnd): void {
    const { tuning, out } = this.#parts;
    this.#attempts.delete(partition);
    this.#numbers.delete(number);
    const pauseMs = end.kind === "proven" ? tuning.intervalMs : tuning.retryMs;
    this.#nextAt.set(partition, now + pauseMs);
    this.#lastFailure = end.kind === "failed" ? end.why : "";
    if (end.kind === "failed") return;
    this.#rounds += 1;
    this.#newsroom.takeOver(partition, end.floor);
    this.#send(partition, end.floor);
    out.notice({ kind: "cleaned", partition, round: end.floor.round });
  }

  #compare(partition: Partition, done: (isWell: boolean) => void): void {
    const others = this.#parts.ring().owners(partition).length - 1;
    this.#parts.exchanges.exchangeNow((counts) => done(counts.partitions === others), [partition]);
  }

  #send(partition: Partition, floor: FloorNews): void {
    const { self, out } = this.#parts;
    for (const owner of this.#parts.ring().owners(partition)) {
      if (owner !== self) out.send(owner, { kind: "floor", partition, floor });
    }
  }

  #answerCut(
    now: Millis,
    from: NodeId,
    message: CleanupMessage & { readonly kind: "cut-ask" },
  ): void {
    const { partition, attempt, epoch, expiredBefore } = message;
    const { out } = this.#parts;
    const isSame = epoch === this.#parts.ring().state.epoch;
    // A clock that is far ahead would have values go before their time.
    const isWell = isSame && this.#isAtRest(partition) && expiredBefore <= now;
    const about = { kind: "cut", partition, attempt } as const;
    const state = this.#newsroom.roundOf(partition);
    if (!isWell) {
      out.send(from, { ...about, isReady: false, round: state, promised: 0, events: [] });
      return;
    }
    out.store({ kind: "cut", partition }, (outcome) => {
      if (outcome.kind !== "cut") return;
      const { ready, round, promised, events } = outcome;
      this.#cuts.set(partition, { leader: from, attempt });
      out.send(from, { ...about, isReady: ready, round, promised, events });
    });
  }

  #answerLoose(from: NodeId, message: CleanupMessage & { readonly kind: "loose-ask" }): void {
    const { partition, attempt, epoch } = message;
    const { out, self, departed } = this.#parts;
    const ring = this.#parts.ring();
    if (epoch !== ring.state.epoch || partition >= ring.partitions) return;
    const isHolder = ring.holders(partition).includes(self) || departed.isGiven(partition);
    out.store({ kind: "loose", partition, isHolder }, (outcome) => {
      const isFree = outcome.kind === "loose" && outcome.isFree;
      out.send(from, { kind: "loose", partition, attempt, isFree });
    });
  }

  #answerSeal(from: NodeId, message: CleanupMessage & { readonly kind: "seal" }): void {
    const { partition, attempt, epoch, round } = message;
    const { out } = this.#parts;
    const answer = (isSealed: boolean): void =>
      out.send(from, { kind: "sealed", partition, attempt, isSealed });
    const cut = this.#cuts.get(partition);
    const isCut = cut?.leader === from && cut.attempt === attempt;
    // The same epoch and no move: nobody was given data of the partition since the cut.
    if (!isCut || epoch !== this.#parts.ring().state.epoch || !this.#isAtRest(partition)) {
      answer(false);
      return;
    }
    this.#cuts.delete(partition);
    out.store({ kind: "promise", partition, round }, ({ kind }) => answer(kind === "durable"));
  }
}
