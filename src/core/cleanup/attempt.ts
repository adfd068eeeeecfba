/**
 * One clean-up round for one partition, by the owner that leads it. What it comes to is a floor:
 * a set of events that every owner had all of, stored or superseded, at one time.
 *
 *   cut      Each owner tells the newest event of every actor that it has seen. Fixed here: what
 *            is seen later may not be everywhere (the mutant `lateCut` of the model).
 *   rest     As long as a client may repeat a request: its operation is still remembered.
 *   loose    No member keeps a hint for the partition, or a copy that it does not own: whatever
 *            the cut names is at an owner. Asked after the cut, so nothing slips in between.
 *   compare  The leader compares with all owners, and gets everything any of them has.
 *   spread   Once that is durable it compares again, and they get everything from it.
 *   seal     Each owner makes that durable, and promises the round.
 *
 * Any refusal, silence, death or change of the ring ends the attempt, and nothing has happened.
 */
import type { FloorNews } from "../clock/floor.ts";
import { sortedEvents } from "../clock/floor.ts";
import type { Out, StoreOutcome } from "../event.ts";
import type { Actor, Millis, NodeId, Partition } from "../ids.ts";
import type { LivenessView, RingView } from "../views.ts";
import type { CleanupMessage } from "./message.ts";

export interface AttemptTuning {
  /** Between the cut and the floor. */
  readonly restMs: Millis;
  /** An answer that takes longer does not come. */
  readonly answerMs: Millis;
  /** Whoever keeps something loose is asked again so often, and so long in all. */
  readonly looseAgainMs: Millis;
  readonly looseMsMax: Millis;
  readonly compareMsMax: Millis;
}

export interface AttemptParts {
  readonly self: NodeId;
  readonly partition: Partition;
  /** Names the attempt in messages. */
  readonly attempt: number;
  readonly out: Out;
  readonly liveness: LivenessView;
  readonly tuning: AttemptTuning;
  /** Siblings that expired before are to go. */
  readonly expiredBefore: Millis;
  ring(): RingView;
  /** Compares with every other owner, both ways; false when one of them could not be. */
  compare(done: (isWell: boolean) => void): void;
  onEnd(now: Millis, end: AttemptEnd): void;
  /** An owner is in another round: both have to be in the same one first. */
  onRound(now: Millis, peer: NodeId, round: number): void;
}

export type AttemptEnd =
  | { readonly kind: "proven"; readonly floor: FloorNews }
  | { readonly kind: "failed"; readonly why: string };

type Step = "cut" | "rest" | "loose" | "compare" | "spread" | "seal" | "over";
type Cut = StoreOutcome & { readonly kind: "cut" };
type Answer = CleanupMessage & { readonly kind: "cut" | "loose" | "sealed" };

/** More than one every ten minutes for a year. */
const roundsPerEpoch = 1 << 16;

export class Attempt {
  readonly #parts: AttemptParts;
  readonly #ring: RingView;
  readonly #owners: readonly NodeId[];
  #step: Step = "cut";
  #startedAt: Millis = 0;
  /** When the step in hand began, and when loose ends were last asked for. */
  #stepAt: Millis = 0;
  #askedAt: Millis = 0;
  /** Whose answer the step waits for. */
  #waiting = new Set<NodeId>();
  #compared: boolean | undefined;
  #round = 0;
  readonly #cuts = new Map<NodeId, Pick<Cut, "round" | "promised">>();
  readonly #events = new Map<Actor, number>();

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.#ring = parts.ring();
    this.#owners = this.#ring.owners(parts.partition);
  }

  /** It does more than wait: of these there should be few at a time. */
  get isBusy(): boolean {
    return this.#step !== "cut" && this.#step !== "rest" && this.#step !== "over";
  }

  start(now: Millis): void {
    const { self, partition, attempt, out, expiredBefore } = this.#parts;
    this.#startedAt = now;
    this.#begin(now, "cut", this.#owners);
    const { epoch } = this.#ring.state;
    for (const owner of this.#owners) {
      if (owner === self) continue;
      out.send(owner, { kind: "cut-ask", partition, attempt, epoch, expiredBefore });
    }
    out.store({ kind: "cut", partition }, (outcome, later) => {
      if (outcome.kind === "cut" && outcome.ready) this.#takeCut(later, self, outcome);
      else this.#fail(later, "this node is not ready");
    });
  }

  receive(now: Millis, from: NodeId, message: Answer): void {
    switch (message.kind) {
      case "cut":
        if (this.#step !== "cut") return;
        if (message.isReady) this.#takeCut(now, from, message);
        else {
          this.#parts.onRound(now, from, message.round);
          this.#fail(now, `node ${from} is not ready`);
        }
        return;
      case "loose":
        if (this.#step === "loose" && message.isFree) this.#freed(now, from);
        return;
      case "sealed":
        if (this.#step !== "seal") return;
        if (message.isSealed) this.#sealed(now, from);
        else this.#fail(now, `node ${from} does not seal`);
        return;
    }
  }

  /** `hasRoom`: another partition may be compared now. */
  tick(now: Millis, hasRoom: boolean): void {
    const { tuning, liveness, self } = this.#parts;
    if (this.#step === "over") return;
    const dead = this.#owners.find((owner) => owner !== self && !liveness.isLive(owner));
    if (this.#parts.ring().state !== this.#ring.state) this.#fail(now, "the ring has changed");
    else if (dead !== undefined) this.#fail(now, `node ${dead} is down`);
    else if (this.#step === "rest") {
      if (now - this.#startedAt >= tuning.restMs && hasRoom) this.#askLoose(now);
    } else if (this.#step === "loose") this.#tickLoose(now);
    else if (this.#step === "compare" || this.#step === "spread") this.#tickCompared(now);
    else if (now - this.#stepAt >= tuning.answerMs) this.#fail(now, this.#silence());
  }

  #begin(now: Millis, step: Step, waiting: readonly NodeId[]): void {
    this.#step = step;
    this.#stepAt = now;
    this.#waiting = new Set(waiting);
  }

  #takeCut(now: Millis, from: NodeId, { round, promised, events }: Omit<Cut, "kind" | "ready">) {
    if (this.#step !== "cut" || !this.#waiting.delete(from)) return;
    this.#cuts.set(from, { round, promised });
    for (const { actor, counter } of events) {
      if ((this.#events.get(actor) ?? 0) < counter) this.#events.set(actor, counter);
    }
    if (this.#waiting.size > 0) return;
    const own = this.#cuts.get(this.#parts.self)?.round;
    // No promise of an earlier epoch counts in this one: its maker may have lost the partition.
    this.#round = this.#ring.state.epoch * roundsPerEpoch + 1;
    for (const [owner, cut] of this.#cuts) {
      this.#round = Math.max(this.#round, cut.round + 1, cut.promised + 1);
      if (cut.round === own) continue;
      this.#parts.onRound(now, owner, cut.round);
      this.#fail(now, `node ${owner} is in round ${cut.round}`);
      return;
    }
    this.#begin(now, "rest", []);
  }

  #askLoose(now: Millis): void {
    this.#begin(now, "loose", keepers(this.#ring));
    this.#askAgain(now);
  }

  #askAgain(now: Millis): void {
    const { self, partition, attempt, out } = this.#parts;
    const { epoch } = this.#ring.state;
    this.#askedAt = now;
    for (const node of this.#waiting) {
      if (node === self) {
        out.store({ kind: "loose", partition, isHolder: true }, (outcome, later) => {
          if (this.#step !== "loose") return;
          if (outcome.kind === "loose" && outcome.isFree) this.#freed(later, self);
        });
      } else out.send(node, { kind: "loose-ask", partition, attempt, epoch });
    }
  }

  #tickLoose(now: Millis): void {
    const { looseAgainMs, looseMsMax } = this.#parts.tuning;
    const dead = [...this.#waiting].find(
      (node) => node !== this.#parts.self && !this.#parts.liveness.isLive(node),
    );
    if (dead !== undefined) this.#fail(now, `node ${dead} is down`);
    else if (now - this.#stepAt >= looseMsMax) {
      this.#fail(now, `node ${[...this.#waiting].join(", ")} keeps something`);
    } else if (now - this.#askedAt >= looseAgainMs) this.#askAgain(now);
  }

  #freed(now: Millis, from: NodeId): void {
    this.#waiting.delete(from);
    if (this.#waiting.size === 0) this.#compare(now, "compare");
  }

  #compare(now: Millis, step: "compare" | "spread"): void {
    this.#begin(now, step, []);
    this.#compared = undefined;
    this.#parts.compare((isWell) => {
      if (this.#step === step) this.#compared = isWell;
    });
  }

  #tickCompared(now: Millis): void {
    if (this.#compared === undefined) {
      const isLate = now - this.#stepAt >= this.#parts.tuning.compareMsMax;
      if (isLate) this.#fail(now, "comparing takes too long");
    } else if (!this.#compared) this.#fail(now, "an owner could not be compared with");
    else if (this.#step === "spread") this.#seal(now);
    else this.#promise(now);
  }

  /** What came of the comparison is durable here before it is spread. */
  #promise(now: Millis): void {
    const { partition, out, self } = this.#parts;
    this.#begin(now, "seal", [self]);
    out.store({ kind: "promise", partition, round: this.#round }, (outcome, later) => {
      if (this.#step !== "seal") return;
      if (outcome.kind === "durable") this.#compare(later, "spread");
      else this.#fail(later, "this node does not seal");
    });
  }

  #seal(now: Millis): void {
    const { self, partition, attempt, out } = this.#parts;
    const { epoch } = this.#ring.state;
    const others = this.#owners.filter((owner) => owner !== self);
    this.#begin(now, "seal", others);
    const round = this.#round;
    for (const owner of others) out.send(owner, { kind: "seal", partition, attempt, epoch, round });
    if (others.length === 0) this.#prove(now);
  }

  #sealed(now: Millis, from: NodeId): void {
    if (this.#waiting.delete(from) && this.#waiting.size === 0) this.#prove(now);
  }

  #prove(now: Millis): void {
    this.#step = "over";
    const { expiredBefore } = this.#parts;
    const floor = { round: this.#round, events: sortedEvents(this.#events), expiredBefore };
    this.#parts.onEnd(now, { kind: "proven", floor });
  }

  #silence(): string {
    return `no answer from node ${[...this.#waiting].join(", ")}`;
  }

  #fail(now: Millis, why: string): void {
    if (this.#step === "over") return;
    this.#step = "over";
    this.#parts.onEnd(now, { kind: "failed", why });
  }
}

/** Whoever may keep something of a partition: all members but those that wait to be let in. */
export function keepers({ state }: RingView): readonly NodeId[] {
  const present = state.members.filter((one) => one.state === "member" || one.state === "leaving");
  return present.map(({ id }) => id);
}
