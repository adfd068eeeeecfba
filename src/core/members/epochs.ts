/**
 * Agreement on the ring, epoch by epoch: each epoch is one instance of single-decree consensus
 * among the members of the epoch before it. Ownership follows from nothing else. The data path
 * never waits for it.
 *
 * A node may jump over epochs. Whoever sends a state has it in force, so it was decided: by a
 * majority of the voters of the epoch before it, which they in turn had in force. All decided
 * epochs of one generation therefore form one chain, and any later link says everything that is
 * true now. The node's votes for epochs it jumped over are void and can harm nobody: it answers
 * no question about a decided epoch but with the ring. A forced generation outranks any epoch of an
 * earlier one, because an administrator has declared those who might still agree there lost.
 */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import { compare } from "../../../native-free-engine/base/bytes.ts";
import type { Out } from "../event.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { EpochMessage, Failed } from "../message.ts";
import type { Random } from "../random.ts";
import { checkRing, checkSuccessor } from "../ring/check-ring.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView } from "../views.ts";
import { Acceptor } from "./acceptor.ts";
import { forced } from "./changes.ts";
import { type Change, Proposer, votersOf } from "./proposer.ts";
import { Recall } from "./recall.ts";

export interface EpochParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  ring(): RingView;
  encode(state: RingState): Uint8Array;
  /** `undefined` for bytes that are no ring state. */
  decode(bytes: Uint8Array): RingState | undefined;
  /**
   * Whether as many voters as decide have told this node that it forgot nothing, or what: before,
   * it might vote again where it voted. It waits for nobody whom a decision would not need.
   */
  knowsItself(): boolean;
  /** The state is durable: from the end of this call `ring()` must give it. */
  onDecided(state: RingState, now: Millis): void;
}

type Question = Extract<EpochMessage, { kind: "prepare" | "accept" }>;

/** The same peer is told, or asked, of the ring no more often than this. */
const repeatMs = 200;

export class Epochs {
  readonly #parts: EpochParts;
  readonly #acceptor: Acceptor;
  readonly #recall: Recall;
  readonly #proposer: Proposer;
  /** The newest state that is being saved. */
  #saving: RingState | undefined;
  readonly #toldAt = new Map<NodeId, Millis>();
  readonly #askedAt = new Map<NodeId, Millis>();

  constructor(parts: EpochParts) {
    this.#parts = parts;
    const state = (): RingState => parts.ring().state;
    const { self, out, random } = parts;
    const encode = (ring: RingState): Uint8Array => parts.encode(ring);
    const decode = (bytes: Uint8Array): RingState | undefined => parts.decode(bytes);
    this.#recall = new Recall({
      ...{ self, out, random },
      nextEpoch: () => state().epoch + 1,
      voters: () => votersOf(state()),
      restore: (ballot, accepted, then) => this.#acceptor.restore(ballot, accepted, then),
    });
    const onForgotten = (epoch: number): void => this.#recall.begin(epoch);
    this.#acceptor = new Acceptor({ out, state, encode, decode, onForgotten });
    this.#proposer = new Proposer({
      ...{ self, out, random, acceptor: this.#acceptor, state, encode },
      mayVote: () => this.#mayVote(),
      decide: (ring) => this.#save(ring, "decided"),
    });
  }

  /** Reads what this node has voted. It neither votes nor proposes before. */
  start(_now: Millis): void {
    this.#acceptor.start();
    this.#recall.start();
  }

  /**
   * The disk is older than what this node did with it: it may have voted on any epoch, and votes
   * again only once every other voter has told it what it remembers (recall.ts).
   */
  forgetVotes(): void {
    this.#recall.begin(Number.POSITIVE_INFINITY);
    this.#proposer.votesForgotten();
  }

  get hasForgottenVotes(): boolean {
    return !this.#recall.isOver;
  }

  tick(now: Millis): void {
    this.#recall.tick(now);
    this.#proposer.tick(now);
  }

  /**
   * `done` gets the state in which the change is in force; or why it is not, or that it is unknown
   * (`applied: "maybe"`). A change may be made more than once, on different states.
   */
  propose(
    now: Millis,
    change: Change,
    done: (outcome: RingState | Failed) => void,
    timeoutMs: Millis,
  ): void {
    this.#proposer.propose(now, change, done, timeoutMs);
  }

  /**
   * A new generation of this node's own making, without any vote: an administrator says that the
   * lost nodes never come back. `done` gets it once it is in force here; survivors learn it.
   */
  force(lost: readonly NodeId[], done: (outcome: RingState | Failed) => void): void {
    const next = forced(this.#parts.ring().state, lost);
    const fault = "kind" in next ? undefined : checkRing(next)[0];
    if ("kind" in next) done(next);
    else if (fault === undefined) {
      this.#save(next, "decided", (outcome) => {
        if (!("kind" in outcome)) this.#recall.end();
        done(outcome);
      });
    } else done(failed("INTERNAL", `the ring would not be sound: ${fault}`));
  }

  /** A member says which epoch it is in. Whoever is behind gets the newest, and that is all. */
  seen(now: Millis, node: NodeId, epoch: number): void {
    const { state } = this.#parts.ring();
    if (epoch < state.epoch) this.#tell(now, node);
    else if (epoch > state.epoch) this.#ask(now, node);
  }

  receive(now: Millis, from: NodeId, message: EpochMessage): void {
    switch (message.kind) {
      case "prepare":
      case "accept":
        if (this.#mayAnswer(now, from, message)) this.#answer(now, from, message);
        return;
      case "promise":
        this.#recall.promised(from, message);
        this.#proposer.receive(now, from, message);
        return;
      case "rejected":
        this.#recall.rejected(message);
        this.#proposer.receive(now, from, message);
        return;
      case "accepted":
        this.#proposer.receive(now, from, message);
        return;
      case "ring-ask":
        this.#tell(now, from);
        return;
      case "ring":
        this.#learn(now, from, message.state);
        return;
      default:
        unreachable(message);
    }
  }

  /** Only a voter of this epoch may ask, and only about the next one. */
  #mayAnswer(now: Millis, from: NodeId, { epoch, ballot }: Question): boolean {
    const { state } = this.#parts.ring();
    if (epoch > state.epoch + 1) this.#ask(now, from);
    else if (epoch <= state.epoch || !votersOf(state).includes(from)) this.#tell(now, from);
    else return ballot.node === from && this.#mayVote();
    return false;
  }

  /** Not before it knows what it voted already. */
  #mayVote(): boolean {
    return this.#acceptor.isLoaded && this.#recall.isOver && this.#parts.knowsItself();
  }

  #answer(now: Millis, from: NodeId, message: Question): void {
    const { epoch, ballot } = message;
    const { out } = this.#parts;
    if (message.kind === "prepare") {
      this.#acceptor.prepare(now, ballot, (answer) => {
        if (answer.kind === "outdone") {
          out.send(from, { kind: "rejected", epoch, ballot: answer.by });
        } else out.send(from, { kind: "promise", epoch, ballot, accepted: answer.accepted });
      });
      return;
    }
    const { state } = message;
    const current = this.#parts.ring().state;
    const [fault] = [...checkRing(state), ...checkSuccessor(current, state)];
    if (fault !== undefined) {
      this.#refuse("accept", from, fault);
      return;
    }
    this.#acceptor.accept(now, { ballot, state }, (answer) => {
      if (answer.kind === "outdone") {
        out.send(from, { kind: "rejected", epoch, ballot: answer.by });
      } else out.send(from, { kind: "accepted", epoch, ballot });
    });
  }

  /** A ring that another node has in force. */
  #learn(now: Millis, from: NodeId, state: RingState): void {
    const known = this.#parts.ring().state;
    const order = compareRings(state, known);
    const fault = this.#faultOf(state, known);
    if (fault !== undefined) this.#refuse("ring", from, fault);
    else if (order > 0) this.#save(state, "learnt");
    if (order < 0 && state.clusterId === known.clusterId) this.#tell(now, from);
  }

  #faultOf(state: RingState, known: RingState): string | undefined {
    if (state.clusterId !== known.clusterId) return `it is of cluster ${state.clusterId}`;
    if (state.generation < known.generation) return `its generation ${state.generation} is fenced`;
    const isSameRing = compareRings(state, known) === 0;
    if (isSameRing && compare(this.#parts.encode(state), this.#parts.encode(known)) !== 0) {
      return `there are two states for epoch ${state.epoch}`;
    }
    if (state.n !== known.n) return `n would become ${state.n}`;
    if (state.owners.length !== known.owners.length) return "it has other partitions";
    return checkRing(state)[0];
  }

  /** Durable before it takes force: a node never forgets an epoch that it acted on. */
  #save(
    state: RingState,
    how: "decided" | "learnt",
    done: (outcome: RingState | Failed) => void = () => {},
  ): void {
    // What is being saved already is this very state, or a later one that says all it says.
    if (this.#saving !== undefined && compareRings(state, this.#saving) <= 0) {
      done(failed("OVERLOADED", "another ring is being saved; try again"));
      return;
    }
    this.#saving = state;
    const bytes = this.#parts.encode(state);
    this.#parts.out.store({ kind: "save-meta", name: "ring", bytes }, (outcome, later) => {
      if (this.#saving === state) this.#saving = undefined;
      if (outcome.kind === "failed") {
        this.#parts.out.notice({ kind: "refused", what: "ring", why: outcome.message });
        this.#proposer.undecided(later);
        done(failed("LOG_FAILED", `the ring cannot be saved: ${outcome.message}`));
      } else {
        this.#install(later, state, how);
        done(this.#parts.ring().state);
      }
    });
  }

  #install(now: Millis, state: RingState, how: "decided" | "learnt"): void {
    const before = this.#parts.ring().state;
    if (compareRings(state, before) <= 0) return;
    // Who leaves by this epoch is told before it is in force: after that nobody is connected to it.
    const gone = new Set(presentIn(before));
    for (const node of presentIn(state)) gone.delete(node);
    if (how === "decided") for (const node of gone) this.#send(node, state);
    this.#parts.onDecided(state, now);
    this.#toldAt.clear();
    this.#askedAt.clear();
    // Who misses it hears by the heartbeats.
    if (how === "decided") for (const node of presentIn(state)) this.#tell(now, node);
    this.#proposer.installed(now, before);
  }

  #tell(now: Millis, node: NodeId): void {
    if (isDue(this.#toldAt, node, now)) this.#send(node, this.#parts.ring().state);
  }

  #send(node: NodeId, state: RingState): void {
    if (node !== this.#parts.self) this.#parts.out.send(node, { kind: "ring", state });
  }

  #ask(now: Millis, node: NodeId): void {
    if (isDue(this.#askedAt, node, now)) this.#parts.out.send(node, { kind: "ring-ask" });
  }

  #refuse(what: string, from: NodeId, why: string): void {
    this.#parts.out.notice({ kind: "refused", what: `${what} of node ${from}`, why });
  }
}

/** By generation, then by epoch. */
function compareRings(a: RingState, b: RingState): number {
  return a.generation - b.generation || a.epoch - b.epoch;
}

function presentIn({ members }: RingState): readonly NodeId[] {
  return members.filter(({ state }) => state !== "left").map(({ id }) => id);
}

function isDue(last: Map<NodeId, Millis>, node: NodeId, now: Millis): boolean {
  const at = last.get(node);
  if (at !== undefined && now - at < repeatMs) return false;
  last.set(node, now);
  return true;
}
