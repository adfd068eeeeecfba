/**
 * Who answers. A node trusts what it saw itself: its own probes, its own requests, its own
 * connections. That decides whom requests go to. Only silence after a question counts: in a large
 * cluster most nodes have nothing to say to each other. Only when a second observer agrees is a
 * node called down for everyone (the seeds ask for two sources). Ownership never follows from it.
 */
import type { Millis, NodeId } from "../ids.ts";
import type { LivenessView } from "../views.ts";
import { Phi } from "./phi.ts";

export interface LivenessTuning {
  /** Beyond this phi a silence is held against a peer … */
  readonly phiMax: number;
  /**
   * … if it also lasted so long: a stall of the peer's event loop is no death. Where answers take
   * long, as between data centres, so many times that long more, at most as much again.
   */
  readonly silenceMs: Millis;
  readonly latencies: number;
  /** A silence counts from the last word on, but no longer than so before the first question. */
  readonly unaskedMs: Millis;
  /** Or so, where others have waited already. */
  readonly doubtedMs: Millis;
  /** So many requests in a row without an answer are as good as a silence. */
  readonly missesMax: number;
  /** A node that went away so often within a minute is believed again only after a pause. */
  readonly flapsMax: number;
  readonly flapPauseMs: Millis;
}

export const livenessDefaults: LivenessTuning = {
  phiMax: 8,
  silenceMs: 3_000,
  latencies: 4,
  unaskedMs: 1_000,
  doubtedMs: 2_000,
  missesMax: 8,
  flapsMax: 6,
  flapPauseMs: 3_000,
};

/** `suspect`: this node gets no answer. `down`: and somebody else gets none either. */
export type PeerState = "live" | "suspect" | "down";

const minuteMs = 60_000;
/** Weight of the newest latency in the running mean. */
const latencyShare = 0.1;
/** Of a peer that is silent for now: longer than any other takes. */
const muteLatencyMs = 1_000;
/** So much longer a node counts as taking while it is filled: whoever has all comes before it. */
const fillingMs = 500;

class Peer {
  state: PeerState = "suspect";
  /** Whether the transport has a connection. Nothing can be heard without one. */
  linked = false;
  heardAt: Millis = 0;
  /** Since when it owes an answer: of whom nobody asks anything, nobody hears. */
  silentSince: Millis | undefined;
  misses = 0;
  /** An answer is late, and nothing else came since it was asked for. */
  isMute = false;
  latencyMs = 1;
  why = "not heard of yet";
  readonly phi = new Phi();
  readonly fallsAt: Millis[] = [];
}

export class Liveness implements LivenessView {
  readonly #self: NodeId;
  readonly #tuning: LivenessTuning;
  readonly #peers = new Map<NodeId, Peer>();
  /** Those that lack some of what they should hold, as they say, and spend their time on that. */
  readonly #filling = new Set<NodeId>();
  /** Whether a peer changed between live and not since the last look. */
  #changed = false;

  constructor(self: NodeId, tuning: LivenessTuning) {
    this.#self = self;
    this.#tuning = tuning;
  }

  /**
   * Members that nothing is known of yet get the benefit of the doubt: a node that has just started
   * must not refuse what its peers would gladly take. A connection that fails ends it at once.
   */
  expect(nodes: readonly NodeId[], now: Millis): void {
    for (const node of nodes) {
      if (node === this.#self || this.#peers.has(node)) continue;
      const peer = this.#peer(node);
      peer.state = "live";
      peer.heardAt = now;
      peer.silentSince = now;
    }
  }

  isLive(node: NodeId): boolean {
    return node === this.#self || this.#peers.get(node)?.state === "live";
  }

  stateOf(node: NodeId): PeerState {
    return node === this.#self ? "live" : (this.#peers.get(node)?.state ?? "suspect");
  }

  /** Why a peer is not live, in words. */
  whyNot(node: NodeId): string {
    return this.#peers.get(node)?.why ?? "not heard of yet";
  }

  latencyMs(node: NodeId): number {
    const peer = this.#peers.get(node);
    // The node itself answers without a network; anything else ties at one millisecond.
    if (peer === undefined) return node === this.#self ? 0 : 1;
    const usual = this.#filling.has(node) ? peer.latencyMs + fillingMs : peer.latencyMs;
    return peer.isMute ? Math.max(muteLatencyMs, usual) : usual;
  }

  /** The peer has said whether it is being filled. Tells whether that is news. */
  fills(node: NodeId, isFilling: boolean): boolean {
    if (!isFilling) return this.#filling.delete(node);
    const isNew = !this.#filling.has(node);
    this.#filling.add(node);
    return isNew;
  }

  /** Peers that are being filled. */
  filling(): readonly NodeId[] {
    return [...this.#filling].sort((a, b) => a - b);
  }

  answered(node: NodeId, now: Millis, tookMs: number): void {
    const peer = this.#peer(node);
    peer.latencyMs += latencyShare * (tookMs - peer.latencyMs);
    if (node !== this.#self) this.heard(node, now);
  }

  late(node: NodeId, askedAt: Millis): boolean {
    if (node === this.#self) return false;
    const peer = this.#peer(node);
    // It only stands still, or is frozen. Whoever speaks and is slow has its latency for that.
    peer.isMute = peer.heardAt < askedAt;
    return peer.isMute;
  }

  missed(node: NodeId, now: Millis): void {
    if (node === this.#self) return;
    this.asked(node, now);
    this.#peer(node).misses += 1;
  }

  /** A probe is on its way, or a request was. */
  asked(node: NodeId, now: Millis): void {
    const peer = this.#peer(node);
    if (peer.silentSince !== undefined) return;
    const { unaskedMs } = this.#tuning;
    peer.silentSince = Math.max(peer.heardAt, now - unaskedMs);
    // Answers are as regular as the questions: whoever is seldom asked is judged as all others.
    peer.phi.forgive(now - unaskedMs);
  }

  /** Others get no answer from it: to ask once oneself, and wait a little, is enough. */
  doubted(node: NodeId, now: Millis): void {
    const peer = this.#peer(node);
    const since = Math.max(peer.heardAt, now - this.#tuning.doubtedMs);
    peer.silentSince = Math.min(peer.silentSince ?? since, since);
  }

  /** Whoever was asked something, and has said nothing since. */
  owing(): readonly NodeId[] {
    const found: NodeId[] = [];
    for (const [node, peer] of this.#peers) if (peer.silentSince !== undefined) found.push(node);
    return found;
  }

  /** Any message from the peer itself. */
  heard(node: NodeId, now: Millis): void {
    const peer = this.#peer(node);
    peer.heardAt = now;
    peer.silentSince = undefined;
    peer.misses = 0;
    peer.isMute = false;
    peer.linked = true;
    if (peer.state !== "live") this.#revive(peer, now);
  }

  /** The answer to a probe: what regularity is learnt from. */
  probed(node: NodeId, now: Millis, tookMs: number): void {
    this.#peer(node).phi.arrived(now);
    this.answered(node, now, tookMs);
  }

  linkChanged(node: NodeId, up: boolean, now: Millis): void {
    const peer = this.#peer(node);
    peer.linked = up;
    if (up) {
      peer.heardAt = now;
      peer.silentSince = now;
      peer.isMute = false;
      peer.phi.forgive(now);
    } else if (peer.state === "live") this.#suspect(peer, now, "its connection broke");
  }

  /** Judges the silences. */
  tick(now: Millis): void {
    for (const peer of this.#peers.values()) {
      if (peer.state !== "live" || peer.silentSince === undefined) continue;
      const { silenceMs, latencies, phiMax, missesMax } = this.#tuning;
      const silence = now - peer.silentSince;
      const patience = silenceMs + Math.min(silenceMs, latencies * peer.latencyMs);
      const isOdd = (): boolean => !peer.phi.hasLearnt || peer.phi.at(now) > phiMax;
      if (silence > patience && isOdd()) {
        this.#suspect(peer, now, `silent for ${Math.round(silence)} ms`);
      } else if (peer.misses >= missesMax && silence > patience / 3) {
        this.#suspect(peer, now, `${peer.misses} requests without an answer`);
      }
    }
  }

  /** This node itself stood still: whatever seems silent now may only not have been read yet. */
  forgive(now: Millis): void {
    for (const peer of this.#peers.values()) {
      peer.heardAt = Math.max(peer.heardAt, now);
      if (peer.silentSince !== undefined) peer.silentSince = now;
      peer.misses = 0;
      peer.isMute = false;
      peer.phi.forgive(now);
    }
  }

  /** A second observer agrees, or nobody is left to ask. */
  confirmDown(node: NodeId): void {
    const peer = this.#peer(node);
    if (peer.state !== "suspect") return;
    peer.state = "down";
    this.#changed = true;
  }

  /** Others reach it, although this node does not. */
  doubtDown(node: NodeId): void {
    const peer = this.#peer(node);
    if (peer.state !== "down") return;
    peer.state = "suspect";
    this.#changed = true;
  }

  suspects(): readonly NodeId[] {
    const found: NodeId[] = [];
    for (const [node, peer] of this.#peers) if (peer.state !== "live") found.push(node);
    return found.sort((a, b) => a - b);
  }

  forget(node: NodeId): void {
    this.#peers.delete(node);
    this.#filling.delete(node);
  }

  /** True once after each change of anybody's state. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  #suspect(peer: Peer, now: Millis, why: string): void {
    peer.state = "suspect";
    peer.why = why;
    peer.fallsAt.push(now);
    while (peer.fallsAt[0] !== undefined && peer.fallsAt[0] < now - minuteMs) peer.fallsAt.shift();
    this.#changed = true;
  }

  #revive(peer: Peer, now: Millis): void {
    const { flapsMax, flapPauseMs } = this.#tuning;
    const last = peer.fallsAt.at(-1);
    const flaps = peer.fallsAt.length >= flapsMax;
    if (flaps && last !== undefined && now - last < flapPauseMs) return;
    peer.state = "live";
    peer.why = "";
    this.#changed = true;
  }

  #peer(node: NodeId): Peer {
    let peer = this.#peers.get(node);
    if (peer === undefined) {
      peer = new Peer();
      this.#peers.set(node, peer);
    }
    return peer;
  }
}
