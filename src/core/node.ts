/**
 * A node: takes one event, lets the machine concerned act, and gives back what is to be done. It
 * knows all machines, and they do not know each other. The same node runs under sockets and inside
 * the simulator.
 */
import { unreachable } from "../../native-free-engine/base/assert.ts";
import { Admin } from "./admin/admin.ts";
import { Budget, budgetDefaults } from "./budget.ts";
import { Cleanup, type CleanupTuning, cleanupDefaults, isCleanup } from "./cleanup/cleanup.ts";
import type { CleanupMessage } from "./cleanup/message.ts";
import type { Effect, Event, Notice, Out, StoreOutcome, StoreWork } from "./event.ts";
import { failed } from "./failure.ts";
import { Handoff, handoffDefaults } from "./handoff.ts";
import type { Millis, NodeId, Partition, Ticket } from "./ids.ts";
import { Epochs } from "./members/epochs.ts";
import { Gossip, gossipDefaults } from "./members/gossip.ts";
import { Liveness, livenessDefaults } from "./members/liveness.ts";
import { Lives, livesDefaults } from "./members/lives.ts";
import { votersOf } from "./members/proposer.ts";
import type { Heartbeat, Message, TransferMessage } from "./message.ts";
import { NumberTable } from "./number-table.ts";
import { Coordinator } from "./quorum/coordinator.ts";
import type { Random } from "./random.ts";
import { Replica } from "./replica.ts";
import { Ring } from "./ring/ring.ts";
import type { RingState } from "./ring/ring-state.ts";
import { Standing, standingDefaults } from "./standing.ts";
import { Exchanges, exchangeDefaults } from "./sync/exchange.ts";
import { isTransfer, Relocation } from "./transfer/relocation.ts";
import type { RingView } from "./views.ts";
import { decodeRing, encodeRing } from "./wire/ring.ts";

export interface NodeOptions {
  readonly self: NodeId;
  /** Start of the process in milliseconds; grows at each start. */
  readonly started: Millis;
  /** The newest epoch that the node has saved. */
  readonly ring: RingState;
  readonly random: Random;
  /** Quorums of requests that name none. */
  readonly r: number;
  readonly w: number;
  /** Where a test has no ten minutes to wait for a clean-up. */
  readonly cleanup?: Partial<CleanupTuning> | undefined;
}

type OtherMessage = Exclude<Message, CleanupMessage | TransferMessage>;
type Then = (outcome: StoreOutcome, now: Millis) => void;

export class Node implements Out {
  readonly #self: NodeId;
  #ring: Ring;
  #effects: Effect[] = [];
  readonly #waiting = new NumberTable<Then>();
  #lastTicket = 0;
  readonly #liveness: Liveness;
  readonly #gossip: Gossip;
  readonly #lives: Lives;
  readonly #epochs: Epochs;
  readonly #relocation: Relocation;
  readonly #standing: Standing;
  readonly #handoff: Handoff;
  readonly #exchanges: Exchanges;
  readonly #coordinator: Coordinator;
  readonly #replica: Replica;
  readonly #admin: Admin;
  readonly #cleanup: Cleanup;
  readonly #budget = new Budget(budgetDefaults);
  /** Some of what this node should hold is still on its way. */
  #isFilling = false;

  readonly #startedOf = (node: NodeId) => this.#gossip.heartbeatOf(node)?.started;

  constructor({ self, started, ring, random, r, w, cleanup }: NodeOptions) {
    this.#self = self;
    this.#ring = new Ring(ring, self);
    const liveness = new Liveness(self, livenessDefaults);
    const common = { self, out: this, random, liveness, ring: () => this.#ring };
    const starts = { started, startedOf: this.#startedOf };
    const share = (): number => this.#budget.share();
    const standing = new Standing({
      ...{ ...common, started },
      tuning: standingDefaults,
      epochOf: (node) => this.#gossip.heartbeatOf(node)?.epoch,
    });
    this.#liveness = liveness;
    this.#standing = standing;
    this.#gossip = new Gossip({
      ...common,
      started,
      tuning: gossipDefaults,
      report: () => ({ hints: this.#handoff.pending(), filling: standing.filling() }),
      heartbeatMax: () => this.#lives.heartbeatMax,
      onHeartbeat: (heartbeat, now) => this.#heard(heartbeat, now),
    });
    this.#lives = new Lives({
      ...{ ...common, started },
      tuning: livesDefaults,
      heartbeat: () => this.#gossip.heartbeat,
      isFilled: () => standing.filling() === 0,
      onForgotten: (now) => this.#forgot(now),
    });
    this.#epochs = new Epochs({
      ...common,
      encode: encodeRing,
      decode: decodeRing,
      knowsItself: () => this.#lives.isTold(votersOf(this.#ring.state)),
      onDecided: (state, now) => this.#install(state, now),
    });
    this.#relocation = new Relocation({
      ...{ ...common, share, standing },
      propose: (now, change, done, timeoutMs) => this.#epochs.propose(now, change, done, timeoutMs),
      give: (_now, pair, done) => this.#exchanges.give(pair, done),
      keepsNone: () => this.#handoff.keepsNone,
    });
    this.#handoff = new Handoff({
      ...{ ...common, ...starts, share },
      tuning: handoffDefaults,
      onNoHints: (now, from, since) => standing.noHints(now, from, since),
    });
    this.#exchanges = new Exchanges({
      ...{ ...common, share },
      tuning: exchangeDefaults,
      standing: this.#relocation.filling,
      onRound: (now, peer, theirs) => this.#cleanup.met(now, peer, theirs),
    });
    this.#cleanup = new Cleanup({
      ...{ ...common, standing, departed: this.#relocation, exchanges: this.#exchanges },
      tuning: { ...cleanupDefaults, ...cleanup },
    });
    this.#coordinator = new Coordinator({ ...common, standing, r, w, ...starts });
    this.#replica = new Replica({ ...common, standing, cleanup: this.#cleanup });
    this.#admin = new Admin({
      ...{ ...common, standing, r, w },
      propose: (now, change, done, timeoutMs) => this.#epochs.propose(now, change, done, timeoutMs),
      force: (lost, done) => this.#epochs.force(lost, done),
      hasForgottenVotes: () => this.#epochs.hasForgottenVotes,
      transfers: () => this.#relocation.report(),
      cleanup: () => this.#cleanup.report(),
      repair: (_now, done) => this.#exchanges.exchangeNow(done),
    });
  }

  get ring(): RingView {
    return this.#ring;
  }

  /** Reads what the node has to remember; to be called once, before the first event. */
  start(now: Millis): readonly Effect[] {
    this.#effects.push({ kind: "ring", state: this.#ring.state });
    this.#gossip.expectPeers(now);
    this.#epochs.start(now);
    this.#standing.start(now);
    this.#lives.start(now);
    return this.#take();
  }

  step(event: Event): readonly Effect[] {
    const { now } = event;
    switch (event.kind) {
      case "message":
        this.#receive(now, event.from, event.message);
        break;
      case "stored":
        this.#stored(now, event.ticket, event.outcome);
        break;
      case "request":
        this.#request(event);
        break;
      case "tick":
        this.#tick(now);
        break;
      case "damage":
        this.#standing.lost(now, event.partition);
        this.#renewActor(event.partition);
        break;
      case "link":
        this.#liveness.linkChanged(event.peer, event.up, now);
        break;
      default:
        unreachable(event);
    }
    if (this.#liveness.takeChanged()) this.#livenessChanged();
    return this.#take();
  }

  send(to: NodeId, message: Message): void {
    this.#effects.push({ kind: "send", to, message });
  }

  store(work: StoreWork, then: Then): void {
    const ticket = ++this.#lastTicket;
    this.#waiting.add(ticket, then);
    this.#effects.push({ kind: "store", ticket, work });
  }

  notice(notice: Notice): void {
    this.#effects.push({ kind: "notice", notice });
  }

  #take(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #request({ now, id, command, by = "" }: Extract<Event, { kind: "request" }>): void {
    const answer = (result: Extract<Effect, { kind: "reply" }>["result"]): void => {
      this.#effects.push({ kind: "reply", id, result });
    };
    const state = this.#ring.selfState;
    if (state === undefined || state === "left") {
      answer(failed("NOT_READY", `node ${this.#self} is not a member of the cluster any more`));
    } else if (state === "joining") {
      const message = `node ${this.#self} waits to be let in: ask a member to commit its plan`;
      answer(failed("NOT_READY", message));
    } else if (command.kind === "admin") this.#admin.request(now, command, by, answer);
    else this.#coordinator.request(now, command, answer);
  }

  #receive(now: Millis, from: NodeId, message: Message): void {
    const isEpoch = message.kind === "ring" || message.kind === "ring-ask";
    if (!this.#ring.isMember(from) && !isEpoch) {
      this.notice({ kind: "refused", what: message.kind, why: `node ${from} is no member` });
      // It may not have heard that it was removed.
      this.#epochs.seen(now, from, 0);
      return;
    }
    if (from !== this.#self) this.#liveness.heard(from, now);
    if (isCleanup(message)) this.#cleanup.receive(now, from, message);
    else if (isTransfer(message)) this.#relocation.receive(now, from, message);
    else this.#dispatch(now, from, message);
  }

  #dispatch(now: Millis, from: NodeId, message: OtherMessage): void {
    switch (message.kind) {
      case "write":
        if (message.relay.length > 0) this.#coordinator.receive(now, from, message);
        else this.#replica.receive(now, from, message);
        this.#cleanup.heard(now, from, message);
        return;
      case "read":
      case "list":
        this.#replica.receive(now, from, message);
        return;
      case "read-reply":
      case "write-reply":
      case "list-reply":
      case "forward":
      case "forward-reply":
        this.#coordinator.receive(now, from, message);
        return;
      case "hints":
      case "hints-reply":
      case "no-hints":
        this.#handoff.receive(now, from, message);
        return;
      case "tree-open":
      case "tree-nodes":
      case "tree-leaves":
      case "tree-pull":
      case "tree-push":
      case "tree-close":
        this.#exchanges.receive(now, from, message);
        return;
      case "prepare":
      case "promise":
      case "accept":
      case "accepted":
      case "rejected":
      case "ring-ask":
      case "ring":
        this.#epochs.receive(now, from, message);
        return;
      case "gossip":
      case "gossip-reply":
      case "ping":
      case "pong":
      case "ping-for":
      case "pong-for":
        this.#gossip.receive(now, from, message);
        return;
      case "lives-ask":
      case "lives":
        this.#lives.receive(now, from, message);
        return;
      case "survey":
      case "survey-reply":
        this.#admin.receive(now, from, message);
        return;
      case "context-keys":
        // Taken by the edge of the node already, where contexts are sealed and opened.
        return;
      case "request":
      case "result":
      case "watch-ring":
      case "ring-news":
      case "go-away":
        this.notice({ kind: "refused", what: message.kind, why: "peers do not send it" });
        return;
      default:
        unreachable(message);
    }
  }

  /** Unknown tickets are of an earlier life of whoever asked. */
  #stored(now: Millis, ticket: Ticket, outcome: StoreOutcome): void {
    // A write is answered twice: once it is known, and once it is durable.
    const isLast = outcome.kind !== "written";
    const then = isLast ? this.#waiting.take(ticket) : this.#waiting.get(ticket);
    then?.(outcome, now);
  }

  #tick(now: Millis): void {
    this.#budget.tick(now);
    this.#gossip.tick(now);
    this.#lives.tick(now);
    this.#epochs.tick(now);
    this.#standing.tick(now);
    this.#noteFilling();
    this.#relocation.tick(now);
    this.#handoff.tick(now);
    this.#exchanges.tick(now);
    this.#cleanup.tick(now);
    this.#coordinator.tick(now);
    this.#admin.tick(now);
  }

  /** Tells peers and clients at once whom requests should not go to. */
  #livenessChanged(): void {
    this.#gossip.spread();
    this.#tellWhomToAskLast();
  }

  #tellWhomToAskLast(): void {
    const isMember = (node: NodeId): boolean => this.#ring.isMember(node);
    const nodes = this.#liveness.suspects().filter(isMember);
    const isUp = (node: NodeId): boolean => isMember(node) && !nodes.includes(node);
    const others = this.#liveness.filling().filter(isUp);
    const filling = this.#isFilling ? [this.#self, ...others] : others;
    this.#effects.push({ kind: "down", nodes, filling });
  }

  #noteFilling(): void {
    const isFilling = this.#standing.filling() > 0;
    if (isFilling === this.#isFilling) return;
    this.#isFilling = isFilling;
    this.#livenessChanged();
  }

  /**
   * The disk is older than what this node did: whatever it should hold may be missing some of it,
   * and what it voted is not known.
   */
  #forgot(now: Millis): void {
    for (const partition of this.#ring.held()) {
      this.#standing.lost(now, partition);
      this.#renewActor(partition);
    }
    this.#epochs.forgetVotes();
  }

  #heard(heartbeat: Heartbeat, now: Millis): void {
    this.#lives.heard(heartbeat);
    const isNews = this.#liveness.fills(heartbeat.node, heartbeat.filling > 0);
    if (isNews) this.#tellWhomToAskLast();
    this.#epochs.seen(now, heartbeat.node, heartbeat.epoch);
  }

  #install(state: RingState, now: Millis): void {
    const before = new Set(this.#ring.held());
    this.#ring = new Ring(state, this.#self);
    for (const partition of this.#ring.held()) {
      if (!before.has(partition)) this.#renewActor(partition);
    }
    this.#effects.push({ kind: "ring", state });
    this.notice({ kind: "epoch", epoch: state.epoch, why: "decided" });
    this.#standing.ringChanged(now);
  }

  /** An actor vouches for an unbroken hold. */
  #renewActor(partition: Partition): void {
    this.store({ kind: "renew-actor", partition }, () => {});
  }
}
