/**
 * The gossip machine: once a second it raises its own heartbeat, tells one random peer what it
 * knows and is told what it lacks (push-pull; heartbeats.ts says how much), and probes some peers
 * directly: a few always the same, a few by chance, and everybody of whom there is a doubt. From
 * that come the epochs that others are in, how many hints they hold, and whom they cannot reach.
 */
import type { Out } from "../event.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { GossipMessage, Heartbeat } from "../message.ts";
import type { Random } from "../random.ts";
import type { RingState } from "../ring/ring-state.ts";
import type { RingView } from "../views.ts";
import { Heartbeats } from "./heartbeats.ts";
import type { Liveness } from "./liveness.ts";

export interface GossipTuning {
  readonly gossipMs: Millis;
  readonly probeMs: Millis;
  /** Peers probed for good, next in the order of numbers; then some at random. */
  readonly neighbours: number;
  readonly strangers: number;
  /** What one message tells at most: of so many nodes. */
  readonly heartbeatsMax: number;
  /** Helpers asked to probe a peer that does not answer. */
  readonly helpers: number;
  /** A gap between ticks beyond this is a stall of one's own: nobody is accused for it. */
  readonly stallMs: Millis;
}

export const gossipDefaults: GossipTuning = {
  gossipMs: 1_000,
  probeMs: 1_000,
  neighbours: 4,
  strangers: 2,
  heartbeatsMax: 128,
  helpers: 2,
  stallMs: 500,
};

/** Unanswered probes of a peer that are remembered. */
const probesMax = 8;

export interface GossipParts {
  readonly self: NodeId;
  readonly started: Millis;
  readonly out: Out;
  readonly random: Random;
  readonly tuning: GossipTuning;
  readonly liveness: Liveness;
  ring(): RingView;
  /** What this node says of itself. */
  report(): { readonly hints: number; readonly filling: number };
  /** Heartbeats above this must not be told; at 0 nothing of this node may be. */
  heartbeatMax(): number;
  /** News of a member, from itself or by hearsay. */
  onHeartbeat(heartbeat: Heartbeat, now: Millis): void;
}

/** Probes by helpers for one suspect, in one round. */
interface Inquiry {
  readonly since: Millis;
  answered: boolean;
}

export class Gossip {
  readonly #parts: GossipParts;
  readonly #known: Heartbeats;
  /** Probes without an answer yet: over a long way the next goes out before it comes. */
  readonly #sentAt = new Map<NodeId, { sequence: number; at: Millis }[]>();
  readonly #inquiries = new Map<NodeId, Inquiry>();
  /** The ring whose members are known to the judge of liveness. */
  #expected: RingState | undefined;
  #sequence = 0;
  #heartbeat = 0;
  #lastTick: Millis | undefined;
  #nextGossip: Millis = 0;
  #nextProbe: Millis = 0;

  constructor(parts: GossipParts) {
    this.#parts = parts;
    this.#known = new Heartbeats(parts.tuning.heartbeatsMax);
  }

  /** The latest that this node told of itself. */
  get heartbeat(): number {
    return this.#heartbeat;
  }

  heartbeatOf(node: NodeId): Heartbeat | undefined {
    return node === this.#parts.self ? this.#own() : this.#known.of(node);
  }

  receive(now: Millis, from: NodeId, message: GossipMessage): void {
    const { out, self } = this.#parts;
    switch (message.kind) {
      case "gossip": {
        const newer = this.#known.lackedBy(message.heartbeats, this.#told());
        this.#learn(message.heartbeats, now);
        out.send(from, { kind: "gossip-reply", heartbeats: newer });
        return;
      }
      case "gossip-reply":
        this.#learn(message.heartbeats, now);
        return;
      case "ping":
        out.send(from, { kind: "pong", sequence: message.sequence, load: 0 });
        return;
      case "pong":
        this.#ponged(from, message.sequence, now);
        return;
      case "ping-for":
        // The helper answers from what it knows at first hand, which is at most a probe old.
        if (message.target === self || this.#parts.liveness.isLive(message.target)) {
          out.send(from, { ...message, kind: "pong-for" });
        }
        return;
      case "pong-for": {
        const inquiry = this.#inquiries.get(message.target);
        if (inquiry !== undefined) inquiry.answered = true;
        this.#parts.liveness.doubtDown(message.target);
        return;
      }
    }
  }

  /** Counts members that were never heard of as live, for a while. */
  expectPeers(now: Millis): void {
    const { state } = this.#parts.ring();
    if (state === this.#expected) return;
    this.#expected = state;
    this.#parts.liveness.expect(this.#peers(), now);
  }

  tick(now: Millis): void {
    const { liveness, tuning } = this.#parts;
    this.expectPeers(now);
    const gap = this.#lastTick === undefined ? 0 : now - this.#lastTick;
    this.#lastTick = now;
    if (gap > tuning.stallMs) liveness.forgive(now);
    liveness.tick(now);
    if (now >= this.#nextProbe) {
      this.#nextProbe = now + tuning.probeMs;
      this.#probe(now);
    }
    this.#judge(now);
    if (now >= this.#nextGossip) {
      this.#nextGossip = now + tuning.gossipMs;
      this.#beat();
      for (const peer of this.#partners()) this.#tell(peer);
      this.#known.age();
    }
  }

  /** Says at once what changed, instead of at the next round. */
  spread(): void {
    this.#beat();
    const live = this.#peers().filter((peer) => this.#parts.liveness.isLive(peer));
    for (let i = 0; i < 3 && live.length > 0; i++) this.#tell(this.#take(live));
  }

  #beat(): void {
    this.#heartbeat = Math.min(this.#heartbeat + 1, this.#parts.heartbeatMax());
  }

  #tell(peer: NodeId): void {
    this.#parts.out.send(peer, { kind: "gossip", heartbeats: this.#known.toTell(this.#told()) });
  }

  /** What this node may tell of itself. */
  #told(): Heartbeat | undefined {
    return this.#parts.heartbeatMax() > 0 ? this.#own() : undefined;
  }

  #own(): Heartbeat {
    const { self, started, liveness } = this.#parts;
    const epoch = this.#parts.ring().state.epoch;
    const suspects = liveness.suspects().filter((node) => this.#parts.ring().isMember(node));
    const heartbeat = this.#heartbeat;
    return { node: self, started, heartbeat, epoch, ...this.#parts.report(), suspects };
  }

  #learn(heartbeats: readonly Heartbeat[], now: Millis): void {
    for (const heartbeat of heartbeats) {
      if (heartbeat.node === this.#parts.self) continue;
      if (this.#known.learn(heartbeat)) this.#parts.onHeartbeat(heartbeat, now);
    }
  }

  /** One live peer; now and then one that does not answer, in case it does again. */
  #partners(): readonly NodeId[] {
    const { liveness, random } = this.#parts;
    const peers = this.#peers();
    const live = peers.filter((peer) => liveness.isLive(peer));
    const silent = peers.filter((peer) => !liveness.isLive(peer));
    const partners: NodeId[] = [];
    if (live.length > 0) partners.push(this.#take(live));
    if (random.below(live.length + 1) < silent.length) partners.push(this.#take(silent));
    return partners;
  }

  #probe(now: Millis): void {
    const { self, tuning, liveness, out } = this.#parts;
    const peers = this.#peers();
    const after = peers.filter((peer) => peer > self);
    const circle = [...after, ...peers.filter((peer) => peer < self)];
    const probed = new Set(circle.slice(0, tuning.neighbours));
    const others = circle.slice(tuning.neighbours);
    for (let i = 0; i < tuning.strangers && others.length > 0; i++) probed.add(this.#take(others));
    const doubted = this.#suspectsOfOthers();
    for (const peer of [...liveness.suspects(), ...liveness.owing(), ...doubted]) {
      if (peers.includes(peer)) probed.add(peer);
    }
    for (const peer of probed) {
      if (doubted.has(peer)) liveness.doubted(peer, now);
      liveness.asked(peer, now);
      this.#sequence += 1;
      const sent = this.#sentAt.get(peer) ?? [];
      sent.push({ sequence: this.#sequence, at: now });
      this.#sentAt.set(peer, sent.slice(-probesMax));
      out.send(peer, { kind: "ping", sequence: this.#sequence });
    }
  }

  /** What somebody said before it died, or left, is nobody's word any more. */
  #suspectsOfOthers(): ReadonlySet<NodeId> {
    const { liveness } = this.#parts;
    const doubted = new Set<NodeId>();
    for (const { node: observer, suspects } of this.#known.all()) {
      if (liveness.isLive(observer)) for (const node of suspects) doubted.add(node);
    }
    return doubted;
  }

  #ponged(from: NodeId, sequence: number, now: Millis): void {
    const sent = this.#sentAt.get(from) ?? [];
    const probe = sent.find((one) => one.sequence === sequence);
    if (probe === undefined) return;
    this.#sentAt.set(
      from,
      sent.filter((one) => one.sequence > sequence),
    );
    this.#parts.liveness.probed(from, now, now - probe.at);
  }

  /** Makes a suspicion a verdict once a second observer shares it. */
  #judge(now: Millis): void {
    const { liveness, out, tuning } = this.#parts;
    const suspects = liveness.suspects();
    if (suspects.length + this.#inquiries.size === 0) return;
    const peers = this.#peers();
    for (const node of this.#inquiries.keys()) {
      if (!suspects.includes(node)) this.#inquiries.delete(node);
    }
    for (const node of suspects) {
      if (!peers.includes(node)) continue;
      const observers = peers.filter((peer) => peer !== node && liveness.isLive(peer));
      if (observers.length === 0 || observers.some((peer) => this.#isSuspectOf(peer, node))) {
        liveness.confirmDown(node);
        continue;
      }
      const inquiry = this.#inquiries.get(node);
      if (inquiry === undefined || now - inquiry.since > 2 * tuning.probeMs) {
        if (inquiry !== undefined && !inquiry.answered) liveness.confirmDown(node);
        this.#inquiries.set(node, { since: now, answered: false });
        for (let i = 0; i < tuning.helpers && observers.length > 0; i++) {
          out.send(this.#take(observers), { kind: "ping-for", sequence: 0, target: node });
        }
      }
    }
  }

  #isSuspectOf(observer: NodeId, node: NodeId): boolean {
    return this.#known.of(observer)?.suspects.includes(node) ?? false;
  }

  #peers(): NodeId[] {
    const { self } = this.#parts;
    const members = this.#parts.ring().state.members;
    return members.filter(({ id, state }) => id !== self && state !== "left").map(({ id }) => id);
  }

  #take(from: NodeId[]): NodeId {
    const [taken] = from.splice(this.#parts.random.below(from.length), 1);
    return taken as NodeId;
  }
}
