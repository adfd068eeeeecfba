/**
 * A voter that may have forgotten votes (its record is damaged, or its disk is older than what it
 * did) must not vote again where it voted: two states could be decided for one epoch. It keeps
 * silent until every other voter has promised it a ballot. Whatever it promised or accepted and
 * mattered, one of them knows: no earlier ballot can be decided any more without them, and what
 * may have been decided is among what they accepted. With two voters the other one is enough, so
 * such a cluster does not lock up; when another voter is gone for good, strike it out while a
 * majority votes without this node, or force a ring. Where so many have forgotten that they wait
 * for each other, a ring forced on one of them ends it there: nobody has voted in its generation.
 *
 * As saved: a version byte, then the last epoch concerned as a varint; 0 for "unknown".
 */
import type { Out, StoreOutcome } from "../event.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Ballot, EpochMessage } from "../message.ts";
import type { Random } from "../random.ts";
import { Malformed, Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";
import { type Accepted, compareBallots, latestAccepted } from "./vote.ts";

export interface RecallParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  /** The epoch that would be voted on next. */
  nextEpoch(): number;
  voters(): readonly NodeId[];
  /** Makes what was recalled this node's vote; `then` once that is durable. */
  restore(ballot: Ballot, accepted: Accepted | undefined, then: (isDurable: boolean) => void): void;
}

type Promised = Extract<EpochMessage, { kind: "promise" }>;
type Rejected = Extract<EpochMessage, { kind: "rejected" }>;

interface Round {
  readonly epoch: number;
  readonly ballot: Ballot;
  readonly promises: Map<NodeId, Accepted | undefined>;
}

/** The name of its record. */
export const recallName = "recall";
const recordVersion = 1;
const unknown = 0;
/** The record of a node whose votes are forgotten, whatever they were on. */
export const forgottenVotes = Uint8Array.of(recordVersion, unknown);
/** Nobody votes on the first epoch: none is concerned. */
const over = 1;
const repeatMs = 1_000;
/** Ballots of the life that was forgotten are not met by chance. */
const roundsMax = 1 << 30;

export class Recall {
  readonly #parts: RecallParts;
  #isLoaded = false;
  /** The last epoch that it may have voted on; Infinity when that is unknown. */
  #until = over;
  #round: Round | undefined;
  #isRestoring = false;
  #repeatAt: Millis = 0;

  constructor(parts: RecallParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.out.store({ kind: "load-meta", name: recallName }, (outcome) => {
      this.#until = Math.max(this.#until, untilIn(outcome));
      this.#isLoaded = true;
    });
  }

  /** Whether this node remembers all that it voted on the next epoch. */
  get isOver(): boolean {
    return this.#isLoaded && this.#parts.nextEpoch() > this.#until;
  }

  /** From now on it does not vote on epochs up to this one. */
  begin(until: number): void {
    if (until <= this.#until) return;
    this.#until = until;
    this.#round = undefined;
    this.#save();
  }

  /** Nothing that was forgotten concerns epochs to come. */
  end(): void {
    if (this.#until === over) return;
    this.#until = over;
    this.#save();
  }

  tick(now: Millis): void {
    if (!this.#isLoaded || this.isOver || this.#isRestoring || now < this.#repeatAt) return;
    this.#repeatAt = now + repeatMs;
    const { self, out, random } = this.#parts;
    const epoch = this.#parts.nextEpoch();
    if (!this.#parts.voters().includes(self)) return;
    if (this.#round?.epoch !== epoch) {
      const ballot = { round: 1 + random.below(roundsMax), node: self };
      this.#round = { epoch, ballot, promises: new Map() };
    }
    const { ballot, promises } = this.#round;
    for (const node of this.#others()) {
      if (!promises.has(node)) out.send(node, { kind: "prepare", epoch, ballot });
    }
    this.#judge(this.#round);
  }

  promised(from: NodeId, { epoch, ballot, accepted }: Promised): void {
    const round = this.#round;
    if (round?.epoch !== epoch || compareBallots(ballot, round.ballot) !== 0) return;
    round.promises.set(from, accepted);
    this.#judge(round);
  }

  /** A rival's ballot is higher: another one is tried. */
  rejected({ epoch, ballot: by }: Rejected): void {
    const round = this.#round;
    if (round?.epoch !== epoch || compareBallots(by, round.ballot) <= 0) return;
    const next = by.round + 1 + this.#parts.random.below(16);
    this.#round = {
      epoch,
      ballot: { round: next, node: this.#parts.self },
      promises: new Map(),
    };
  }

  #judge(round: Round): void {
    const { epoch, ballot, promises } = round;
    if (this.#isRestoring || epoch !== this.#parts.nextEpoch()) return;
    if (!this.#others().every((node) => promises.has(node))) return;
    this.#isRestoring = true;
    const accepted = latestAccepted([...promises.values()]);
    this.#parts.restore(ballot, accepted, (isDurable) => {
      this.#isRestoring = false;
      this.#round = undefined;
      if (isDurable) this.end();
    });
  }

  #others(): readonly NodeId[] {
    return this.#parts.voters().filter((node) => node !== this.#parts.self);
  }

  /** If this fails, the next start recalls once more than it would have to. */
  #save(): void {
    const writer = new Writer(16);
    writer.u8(recordVersion);
    writer.varint(Number.isFinite(this.#until) ? this.#until : unknown);
    const bytes = writer.bytes.slice(0, writer.at);
    this.#parts.out.store({ kind: "save-meta", name: recallName, bytes }, () => {});
  }
}

/** What cannot be read may say that votes are forgotten. */
function untilIn(outcome: StoreOutcome): number {
  if (outcome.kind !== "meta") return Number.POSITIVE_INFINITY;
  if (outcome.bytes === undefined) return over;
  const reader = new Reader(outcome.bytes);
  try {
    if (reader.u8() !== recordVersion) return Number.POSITIVE_INFINITY;
    const until = reader.varint();
    reader.finish();
    return until === unknown ? Number.POSITIVE_INFINITY : until;
  } catch (error) {
    if (error instanceof Malformed) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
