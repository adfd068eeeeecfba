/**
 * The proposing half of consensus on epochs. Any voter may propose at any time; there is no
 * leader. A proposal is a change of whatever state is in force, not a state: when another one wins
 * the epoch, the change is made again on top of it, so two nodes that join at once both get in.
 * Proposals of a node go one at a time, each in an epoch of its own.
 */
import { compare } from "../../../native-free-engine/base/bytes.ts";
import type { Out } from "../event.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Ballot, EpochMessage, Failed } from "../message.ts";
import type { Random } from "../random.ts";
import { checkRing, checkSuccessor } from "../ring/check-ring.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { Acceptor } from "./acceptor.ts";
import { type Accepted, compareBallots, latestAccepted } from "./vote.ts";

/** The next state, the same one when nothing is left to do, or why it cannot be. */
export type Change = (state: RingState) => RingState | Failed;
type Done = (outcome: RingState | Failed) => void;
export type ProposerMessage = Extract<EpochMessage, { kind: "promise" | "accepted" | "rejected" }>;

export interface ProposerParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  readonly acceptor: Acceptor;
  /** Whether this node knows what it voted on the next epoch already. */
  mayVote(): boolean;
  state(): RingState;
  encode(state: RingState): Uint8Array;
  /** A majority has accepted it. Ends in `installed`, or in `undecided` when it cannot be saved. */
  decide(state: RingState): void;
}

interface Proposal {
  readonly change: Change;
  readonly done: Done;
  readonly until: Millis;
  /** What was put to the vote for it in the present epoch: any of these may yet be decided. */
  offered: Uint8Array[];
}

interface Attempt {
  readonly epoch: number;
  readonly ballot: Ballot;
  readonly promises: Map<NodeId, Accepted | undefined>;
  readonly accepts: Set<NodeId>;
  phase: "reserving" | "promising" | "accepting" | "deciding";
  /** Put to the vote: this node's own, or what an earlier attempt may have decided already. */
  value: RingState | undefined;
  resendAt: Millis;
}

const proposalsMax = 64;
const resendMs = 250;
/** Beyond this one's own vote was not saved, and another ballot is tried. */
const reserveMsMax = 5_000;
const pauseMsMin = 50;
const pauseMsMax = 1_600;
/** Asked for at every tick: worked out anew each time it took 6 % of what a node of 40 does. */
const votersIn = new WeakMap<RingState, readonly NodeId[]>();

export class Proposer {
  readonly #parts: ProposerParts;
  readonly #queue: Proposal[] = [];
  #attempt: Attempt | undefined;
  /** The latest round heard of, and how often in a row an attempt was outdone. */
  #round = 0;
  #losses = 0;
  #pausedUntil: Millis = 0;

  constructor(parts: ProposerParts) {
    this.#parts = parts;
  }

  propose(now: Millis, change: Change, done: Done, timeoutMs: Millis): void {
    if (this.#queue.length >= proposalsMax) {
      done(failed("OVERLOADED", `${proposalsMax} changes of the ring wait already; try again`));
      return;
    }
    this.#queue.push({ change, done, until: now + timeoutMs, offered: [] });
    this.#advance(now);
  }

  receive(now: Millis, from: NodeId, message: ProposerMessage): void {
    const attempt = this.#attempt;
    const { epoch, ballot } = message;
    if (attempt === undefined || epoch !== attempt.epoch) return;
    if (message.kind === "rejected") this.#outdone(now, attempt, ballot);
    else if (compareBallots(ballot, attempt.ballot) !== 0 || !this.#voters().includes(from)) return;
    else if (message.kind === "promise") this.#promised(now, from, message.accepted);
    else this.#accepted(from);
  }

  tick(now: Millis): void {
    const late = this.#queue.filter(({ until }) => now >= until);
    for (const proposal of late) {
      if (proposal === this.#queue[0] && this.#attempt?.phase !== "deciding") {
        this.#attempt = undefined;
      }
      this.#end(proposal, this.#unavailable(proposal));
    }
    const attempt = this.#attempt;
    if (attempt === undefined) this.#advance(now);
    else if (now < attempt.resendAt) return;
    else if (attempt.phase === "reserving") this.undecided(now);
    else this.#send(now, attempt);
  }

  /** A new state is in force, whoever proposed it. */
  installed(now: Millis, before: RingState): void {
    this.#attempt = undefined;
    this.#round = 0;
    this.#losses = 0;
    this.#pausedUntil = now;
    for (const proposal of [...this.#queue]) this.#settle(proposal, before);
    this.#advance(now);
  }

  /** The attempt failed on this node's own disk. What may be decided is found by the next one. */
  undecided(now: Millis): void {
    this.#attempt = undefined;
    this.#pause(now);
  }

  /** This node's own votes in the attempt may hide earlier ones. */
  votesForgotten(): void {
    if (this.#attempt?.phase !== "deciding") this.#attempt = undefined;
  }

  #advance(now: Millis): void {
    const { self, acceptor } = this.#parts;
    const [proposal] = this.#queue;
    if (proposal === undefined || this.#attempt !== undefined || now < this.#pausedUntil) return;
    const voters = this.#voters();
    if (!voters.includes(self)) {
      this.#end(proposal, failed("NOT_READY", `node ${self} is no member that could propose`));
      this.#advance(now);
      return;
    }
    if (!this.#parts.mayVote()) return;
    const round = Math.max(this.#round, acceptor.promised.round) + 1;
    const attempt: Attempt = {
      epoch: this.#parts.state().epoch + 1,
      ballot: { round, node: self },
      promises: new Map(),
      accepts: new Set(),
      phase: "reserving",
      value: undefined,
      resendAt: now + reserveMsMax,
    };
    this.#attempt = attempt;
    if (voters.length === 1) this.#choose(now, attempt);
    else this.#reserve(now, attempt);
  }

  /**
   * One's own promise is durable before anybody else hears of the ballot: after a crash it is not
   * used a second time, perhaps for another state.
   */
  #reserve(now: Millis, attempt: Attempt): void {
    const { self, acceptor } = this.#parts;
    acceptor.prepare(now, attempt.ballot, (answer, later) => {
      if (this.#attempt !== attempt) return;
      if (answer.kind === "outdone") {
        this.#outdone(later, attempt, answer.by);
        return;
      }
      attempt.phase = "promising";
      this.#send(later, attempt);
      this.#promised(later, self, answer.accepted);
    });
  }

  #promised(now: Millis, from: NodeId, accepted: Accepted | undefined): void {
    const attempt = this.#attempt;
    if (attempt?.phase !== "promising") return;
    attempt.promises.set(from, accepted);
    if (this.#isMajority(attempt.promises.size)) this.#choose(now, attempt);
  }

  /** With a majority of promises: what may have been decided already, or else one's own. */
  #choose(now: Millis, attempt: Attempt): void {
    const state = this.#parts.state();
    const earlier = latestAccepted([...attempt.promises.values()]);
    const next = earlier?.state ?? this.#make(now, state);
    if (next === undefined) return;
    const faults = [...checkRing(next), ...checkSuccessor(state, next)];
    const [fault] = faults;
    if (fault !== undefined) {
      this.#parts.out.notice({ kind: "refused", what: "ring", why: fault });
      this.#attempt = undefined;
      this.#pause(now);
      const [proposal] = this.#queue;
      const message = `the change would make a ring that is not sound: ${fault}`;
      if (earlier === undefined && proposal !== undefined) {
        this.#end(proposal, failed("INTERNAL", message));
      }
      return;
    }
    attempt.value = next;
    if (earlier === undefined) this.#queue[0]?.offered.push(this.#parts.encode(next));
    if (this.#voters().length === 1) this.#decide(attempt);
    else this.#ask(now, attempt, next);
  }

  /** The change made now, at the latest moment; `undefined` when that ended the proposal. */
  #make(now: Millis, state: RingState): RingState | undefined {
    const [proposal] = this.#queue;
    const outcome = proposal?.change(state);
    if (outcome !== undefined && !("kind" in outcome) && outcome !== state) return outcome;
    this.#attempt = undefined;
    if (proposal !== undefined && outcome !== undefined) this.#end(proposal, outcome);
    this.#advance(now);
    return undefined;
  }

  #ask(now: Millis, attempt: Attempt, value: RingState): void {
    attempt.phase = "accepting";
    this.#send(now, attempt);
    const { self, acceptor } = this.#parts;
    const { ballot } = attempt;
    acceptor.accept(now, { ballot, state: value }, (answer, later) => {
      if (this.#attempt !== attempt) return;
      if (answer.kind === "granted") this.#accepted(self);
      else this.#outdone(later, attempt, answer.by);
    });
  }

  #accepted(from: NodeId): void {
    const attempt = this.#attempt;
    if (attempt?.phase !== "accepting") return;
    attempt.accepts.add(from);
    if (this.#isMajority(attempt.accepts.size)) this.#decide(attempt);
  }

  #decide(attempt: Attempt): void {
    attempt.phase = "deciding";
    if (attempt.value !== undefined) this.#parts.decide(attempt.value);
  }

  /** To those who have not answered yet; again and again, since messages get lost. */
  #send(now: Millis, attempt: Attempt): void {
    const { epoch, ballot, phase, value, promises, accepts } = attempt;
    attempt.resendAt = now + resendMs;
    const { self, out } = this.#parts;
    for (const node of this.#voters()) {
      if (node === self) continue;
      if (phase === "promising" && !promises.has(node)) {
        out.send(node, { kind: "prepare", epoch, ballot });
      } else if (phase === "accepting" && !accepts.has(node) && value !== undefined) {
        out.send(node, { kind: "accept", epoch, ballot, state: value });
      }
    }
  }

  #outdone(now: Millis, attempt: Attempt, by: Ballot): void {
    this.#round = Math.max(this.#round, by.round);
    if (attempt.phase === "deciding" || compareBallots(by, attempt.ballot) <= 0) return;
    this.#attempt = undefined;
    this.#losses += 1;
    this.#pause(now);
  }

  /** For a time left to chance, and longer each time, so that rivals do not outdo each other on. */
  #pause(now: Millis): void {
    const ceiling = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(this.#losses, 10));
    this.#pausedUntil = now + 1 + this.#parts.random.below(ceiling);
  }

  /** Whether the state now in force is what became of the proposal. */
  #settle(proposal: Proposal, before: RingState): void {
    const state = this.#parts.state();
    const { offered } = proposal;
    if (offered.length === 0) return;
    proposal.offered = [];
    const isNext = state.generation === before.generation && state.epoch === before.epoch + 1;
    if (isNext) {
      const bytes = this.#parts.encode(state);
      if (offered.some((other) => compare(other, bytes) === 0)) this.#end(proposal, state);
      return;
    }
    // Epochs were missed, and one of them may have been ours. If nothing is left to do, it was. If
    // the change has become impossible, perhaps so because it was made. Else it is made (again).
    const outcome = proposal.change(state);
    if (outcome === state) this.#end(proposal, state);
    else if ("kind" in outcome) this.#end(proposal, { ...outcome, applied: "maybe" });
  }

  #unavailable({ offered }: Proposal): Failed {
    const message = "too few members answer to agree on a change of the ring";
    const applied = offered.length > 0 ? "maybe" : "no";
    return failed("QUORUM_UNAVAILABLE", message, { applied });
  }

  #end(proposal: Proposal, outcome: RingState | Failed): void {
    const at = this.#queue.indexOf(proposal);
    if (at === -1) return;
    this.#queue.splice(at, 1);
    proposal.done(outcome);
  }

  #voters(): readonly NodeId[] {
    return votersOf(this.#parts.state());
  }

  #isMajority(count: number): boolean {
    return count > this.#voters().length / 2;
  }
}

/**
 * Who decides on the epoch after this state: members that own something of it. A newcomer that was
 * let in and never started must not be waited for.
 */
export function votersOf(ring: RingState): readonly NodeId[] {
  let voters = votersIn.get(ring);
  if (voters === undefined) {
    const owning = new Set(ring.owners.flat());
    const present = ring.members.filter(({ state }) => state !== "left");
    voters = present.map(({ id }) => id).filter((id) => owning.has(id));
    votersIn.set(ring, voters);
  }
  return voters;
}
