/**
 * The voting half of consensus on epochs: promises to heed no earlier ballot, and accepts a state
 * unless a later ballot was promised. An answer is given only once the vote behind it is durable,
 * so a node that crashes and returns stands by all it said.
 */
import type { Out } from "../event.ts";
import type { Millis } from "../ids.ts";
import type { Ballot } from "../message.ts";
import type { RingState } from "../ring/ring-state.ts";
import {
  type Accepted,
  compareBallots,
  decodeVote,
  encodeVote,
  latestAccepted,
  noBallot,
  type Vote,
} from "./vote.ts";

export interface AcceptorParts {
  readonly out: Out;
  /** The state in force; votes are for the epoch after it. */
  state(): RingState;
  encode(state: RingState): Uint8Array;
  decode(bytes: Uint8Array): RingState | undefined;
  /** The record cannot be read: it may hold a vote for this epoch. */
  onForgotten(epoch: number): void;
}

/** An answer, or the later ballot that stands against it. */
export type Answer =
  | { readonly kind: "granted"; readonly accepted: Accepted | undefined }
  | { readonly kind: "outdone"; readonly by: Ballot };
type Then = (answer: Answer, now: Millis) => void;

const metaName = "vote";

export class Acceptor {
  readonly #parts: AcceptorParts;
  #saved: Vote | undefined;
  #isLoaded = false;

  constructor(parts: AcceptorParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.out.store({ kind: "load-meta", name: metaName }, (outcome) => {
      if (outcome.kind === "meta" && outcome.bytes === undefined) this.#isLoaded = true;
      else if (outcome.kind === "meta" && outcome.bytes !== undefined) this.#load(outcome.bytes);
      else this.#parts.out.notice({ kind: "refused", what: "vote", why: "it cannot be read" });
    });
  }

  /** It knows what it voted already, as far as its disk does. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** The latest ballot promised for the next epoch. */
  get promised(): Ballot {
    return this.#vote().promised;
  }

  prepare(now: Millis, ballot: Ballot, then: Then): void {
    const vote = this.#vote();
    const order = compareBallots(ballot, vote.promised);
    if (order < 0) then({ kind: "outdone", by: vote.promised }, now);
    else {
      const { accepted } = vote;
      const next = { ...vote, promised: ballot };
      this.#save(next, (later) => then({ kind: "granted", accepted }, later));
    }
  }

  accept(now: Millis, { ballot, state }: Accepted, then: Then): void {
    const vote = this.#vote();
    if (compareBallots(ballot, vote.promised) < 0) {
      then({ kind: "outdone", by: vote.promised }, now);
      return;
    }
    const accepted = { ballot, state };
    const next = { ...vote, promised: ballot, accepted };
    this.#save(next, (later) => then({ kind: "granted", accepted }, later));
  }

  /** What other voters remember takes the place of what this one forgot (recall.ts). */
  restore(
    ballot: Ballot,
    accepted: Accepted | undefined,
    then: (isDurable: boolean) => void,
  ): void {
    const { generation, epoch } = this.#parts.state();
    const known = latestAccepted([accepted, this.#vote().accepted]);
    const vote = { generation, epoch: epoch + 1, promised: ballot, accepted: known };
    this.#save(
      vote,
      () => then(true),
      () => then(false),
    );
  }

  /** What was voted for the next epoch. Votes for epochs that are decided are void. */
  #vote(): Vote {
    const { generation, epoch } = this.#parts.state();
    const saved = this.#saved;
    if (saved?.generation === generation && saved.epoch === epoch + 1) return saved;
    return { generation, epoch: epoch + 1, promised: noBallot, accepted: undefined };
  }

  /**
   * In memory at once, so that what is asked meanwhile is judged by it. A vote that could not be
   * saved binds this node nevertheless, which costs nothing but a ballot.
   */
  #save(vote: Vote, then: (now: Millis) => void, orElse: () => void = () => {}): void {
    const { out, encode } = this.#parts;
    this.#saved = vote;
    const bytes = encodeVote(vote, encode);
    out.store({ kind: "save-meta", name: metaName, bytes }, (outcome, now) => {
      if (outcome.kind !== "failed") then(now);
      else {
        out.notice({ kind: "refused", what: "vote", why: outcome.message });
        orElse();
      }
    });
  }

  #load(bytes: Uint8Array): void {
    const vote = decodeVote(bytes, (state) => this.#parts.decode(state));
    this.#isLoaded = true;
    this.#saved = vote;
    if (vote !== undefined) return;
    const epoch = this.#parts.state().epoch + 1;
    const why = `its record is damaged; none is cast on epoch ${epoch} but with all other voters`;
    this.#parts.out.notice({ kind: "refused", what: "vote", why });
    this.#parts.onForgotten(epoch);
  }
}
