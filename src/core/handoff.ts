/**
 * Hinted handoff (Dynamo, section 4.6): brings the hints that this node keeps to the nodes they are
 * for, once those answer again. A hint is forgotten only after its target has made it durable, and
 * only if it did not change meanwhile; it never expires. Hints of a node that is no member any
 * more, or no holder of the key, go to those who are.
 *
 * What was kept for another data centre goes to any owner there, which stores it, keeps hints for
 * the others there in the same step, and so brings it to them itself.
 *
 * A target with nothing kept for it is told so: it then knows that it missed nothing here.
 */
import { digestOf } from "./clock/digest.ts";
import type { Out } from "./event.ts";
import { addresseesOf, heirsOf, isFar, neighboursOf } from "./hint-addresses.ts";
import type { Millis, NodeId, RequestId } from "./ids.ts";
import { pageBytesAim } from "./limits.ts";
import type { Entry, HintMessage } from "./message.ts";
import type { Random } from "./random.ts";
import type { LivenessView, RingView } from "./views.ts";

export interface HandoffTuning {
  /** How often the hints kept are counted again. */
  readonly countMs: Millis;
  /** A target that comes back is left alone for a random part of this: others wait for it too. */
  readonly jitterMs: Millis;
  readonly timeoutMs: Millis;
  /** After a failure; doubled with each further one, up to the maximum. */
  readonly retryMs: Millis;
  readonly retryMsMax: Millis;
  /** Batches that this node takes in at a time: many nodes may keep hints for one. */
  readonly batchesInMax: number;
}

export const handoffDefaults: HandoffTuning = {
  countMs: 500,
  jitterMs: 2_000,
  timeoutMs: 5_000,
  retryMs: 500,
  retryMsMax: 30_000,
  batchesInMax: 4,
};

/** `no-hints` is not acknowledged, so it is said a few times. */
const sayTimes = 3;
const sayAgainMs = 1_000;
const pauseMsMax = 2_000;
/** Over a long way a batch is so many pages: one is under way at a time. */
const farPages = 4;
const shareMin = 0.02;

export interface HandoffParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  readonly liveness: LivenessView;
  readonly tuning: HandoffTuning;
  ring(): RingView;
  /** The start of a member's process, as gossip tells it. */
  startedOf(node: NodeId): Millis | undefined;
  /** The part of the time that background work may take: above 0, at most 1. */
  share(): number;
  /** A peer keeps nothing for the process of this node that started at `since`. */
  onNoHints(now: Millis, from: NodeId, since: Millis): void;
}

class Target {
  keys = 0;
  isLive = false;
  started: Millis | undefined;
  /** When it was last seen to come up or to have started anew. */
  changedAt: Millis = 0;
  /** Nothing is sent before. */
  notBefore: Millis = 0;
  failures = 0;
  /** A batch is being read, sent, moved or dropped. */
  isBusy = false;
  sent: Batch | undefined;
  /** How often it was told that nothing is kept; and when that is due again. */
  said = 0;
  sayAt: Millis = 0;
}

interface Batch {
  readonly to: NodeId;
  readonly request: RequestId;
  readonly entries: readonly Entry[];
  readonly at: Millis;
}

export class Handoff {
  readonly #parts: HandoffParts;
  readonly #targets = new Map<NodeId, Target>();
  #lastRequest: RequestId;
  #countAt: Millis = 0;
  #isCounting = false;
  /** The ring in which they were counted last; none before the first count since the start. */
  #countedIn: RingView | undefined;
  #batchesIn = 0;

  constructor(parts: HandoffParts) {
    this.#parts = parts;
    // Not from 0: what an earlier process of this node sent is no batch of this one.
    this.#lastRequest = parts.random.below(2 ** 30);
  }

  /** No hints are kept for anybody, as last counted in the present ring. */
  get keepsNone(): boolean {
    return this.#countedIn === this.#parts.ring() && this.pending() === 0;
  }

  /** Keys that hints are kept for, over all targets, as last counted. */
  pending(): number {
    let keys = 0;
    for (const target of this.#targets.values()) keys += target.keys;
    return keys;
  }

  receive(now: Millis, from: NodeId, message: HintMessage): void {
    switch (message.kind) {
      case "hints":
        this.#takeIn(from, message);
        return;
      case "hints-reply":
        this.#answered(now, from, message.request, message.stored);
        return;
      case "no-hints":
        this.#parts.onNoHints(now, from, message.since);
        return;
    }
  }

  tick(now: Millis): void {
    const ring = this.#parts.ring();
    for (const { id } of ring.state.members) {
      if (id !== this.#parts.self && ring.isMember(id)) this.#watch(now, id);
    }
    if (now >= this.#countAt && !this.#isCounting) this.#count(now);
    for (const [node, target] of this.#targets) {
      const { sent } = target;
      if (sent !== undefined) {
        const isLate = now - sent.at >= this.#parts.tuning.timeoutMs;
        if (isLate) this.#parts.liveness.missed(sent.to, now);
        if (isLate || !this.#parts.liveness.isLive(sent.to)) this.#fail(now, target);
      }
      const isReady = target.keys > 0 && !target.isBusy && now >= target.notBefore;
      if (isReady && this.#isReachable(node)) this.#readBatch(now, node, target);
    }
  }

  /** Sees a member come up, go down, or start anew. */
  #watch(now: Millis, node: NodeId): void {
    const target = this.#target(node);
    const isLive = this.#parts.liveness.isLive(node);
    const started = this.#parts.startedOf(node);
    if (isLive === target.isLive && started === target.started) return;
    if (isLive) {
      target.changedAt = now;
      target.failures = 0;
      target.said = 0;
      target.sayAt = now;
      target.notBefore = now + this.#parts.random.below(this.#parts.tuning.jitterMs + 1);
      this.#countAt = now;
    }
    target.isLive = isLive;
    target.started = started;
  }

  #isReachable(node: NodeId): boolean {
    const { liveness } = this.#parts;
    const ring = this.#parts.ring();
    if (!ring.isMember(node) || liveness.isLive(node)) return true;
    if (!isFar(ring, node)) return false;
    const dc = ring.dcOf(node);
    return ring.state.members.some(({ id }) => ring.dcOf(id) === dc && liveness.isLive(id));
  }

  #count(now: Millis): void {
    this.#isCounting = true;
    this.#countAt = now + this.#parts.tuning.countMs;
    const ring = this.#parts.ring();
    this.#parts.out.store({ kind: "count-hints" }, (outcome, later) => {
      this.#isCounting = false;
      if (outcome.kind !== "counts") return;
      this.#countedIn = ring;
      const keys = new Map(outcome.hints.map((count) => [count.target, count.keys]));
      for (const node of keys.keys()) this.#target(node);
      for (const [node, target] of this.#targets) {
        target.keys = keys.get(node) ?? 0;
        if (target.keys > 0) target.said = 0;
        else if (!this.#parts.ring().isMember(node)) this.#targets.delete(node);
        // A count from before it came up says nothing of what was kept until then.
        else if (now >= target.changedAt) this.#sayNone(later, node, target);
      }
    });
  }

  #sayNone(now: Millis, node: NodeId, target: Target): void {
    const { isLive, started, said, sayAt } = target;
    if (!isLive || started === undefined) return;
    if (said >= sayTimes || now < sayAt) return;
    target.said += 1;
    target.sayAt = now + sayAgainMs;
    this.#parts.out.send(node, { kind: "no-hints", since: started });
  }

  #readBatch(now: Millis, node: NodeId, target: Target): void {
    target.isBusy = true;
    const pages = isFar(this.#parts.ring(), node) ? farPages : 1;
    const bytes = pages * pageBytesAim;
    const work = { kind: "read-hints", target: node, bytes } as const;
    this.#parts.out.store(work, (outcome, later) => {
      if (outcome.kind !== "hints") {
        this.#fail(later, target);
      } else if (outcome.entries.length === 0) {
        target.keys = 0;
        target.isBusy = false;
      } else {
        const ring = this.#parts.ring();
        const moved = outcome.entries.filter(
          ({ key }) => addresseesOf(ring, node, key).length === 0,
        );
        if (moved.length > 0) this.#moveOn(later, node, target, moved);
        else this.#send(now, node, target, outcome.entries);
      }
    });
  }

  /** Together goes what the first addressee who lives may take. */
  #send(now: Millis, node: NodeId, target: Target, batch: readonly Entry[]): void {
    const { liveness } = this.#parts;
    const ring = this.#parts.ring();
    const takersOf = ({ key }: Entry) => addresseesOf(ring, node, key);
    const to = batch.flatMap(takersOf).find((taker) => liveness.isLive(taker));
    if (to === undefined) {
      this.#fail(now, target);
      return;
    }
    const entries = batch.filter((entry) => takersOf(entry).includes(to));
    const request = ++this.#lastRequest;
    target.sent = { to, request, entries, at: now };
    this.#parts.out.send(to, { kind: "hints", request, entries, round: 0 });
  }

  #answered(now: Millis, from: NodeId, request: RequestId, stored: boolean): void {
    const found = [...this.#targets].find(([, { sent }]) => sent?.request === request);
    const [node, target] = found ?? [];
    const sent = target?.sent;
    if (node === undefined || target === undefined || sent?.to !== from) return;
    this.#parts.liveness.answered(from, now, now - sent.at);
    target.sent = undefined;
    if (!stored) {
      this.#fail(now, target);
      return;
    }
    this.#parts.out.notice({ kind: "hints-delivered", target: node, keys: sent.entries.length });
    this.#drop(sent.at, node, target, sent.entries);
  }

  /** To the present holders: as hints of theirs, or into this node's own data. */
  #moveOn(now: Millis, node: NodeId, target: Target, entries: readonly Entry[]): void {
    const { out, self } = this.#parts;
    const ring = this.#parts.ring();
    const safe: Entry[] = [];
    let waiting = entries.length;
    const settle = (later: Millis, entry: Entry, isKept: boolean): void => {
      if (isKept) safe.push(entry);
      waiting -= 1;
      if (waiting > 0) return;
      if (safe.length > 0) this.#drop(now, node, target, safe);
      else this.#fail(later, target);
    };
    for (const entry of entries) {
      const holders = heirsOf(ring, node, entry.key);
      const targets = holders.filter((holder) => holder !== self && holder !== node);
      let [steps, isKept] = [0, true];
      const step = (later: Millis, isDone: boolean): void => {
        isKept &&= isDone;
        steps -= 1;
        if (steps === 0) settle(later, entry, isKept);
      };
      if (targets.length > 0) {
        steps += 1;
        out.store({ kind: "keep-hints", targets, entry, round: 0 }, ({ kind }, later) =>
          step(later, kind === "durable"),
        );
      }
      if (holders.includes(self)) {
        steps += 1;
        out.store({ kind: "merge", entries: [entry], round: 0 }, ({ kind }, later) =>
          step(later, kind === "merged"),
        );
      }
      // Nobody to move it to is a ring without owners, which no epoch allows: it stays.
      if (steps === 0) settle(now, entry, false);
    }
  }

  #drop(since: Millis, node: NodeId, target: Target, entries: readonly Entry[]): void {
    const dropped = entries.map(({ key, versions }) => ({ key, digest: digestOf(versions) }));
    const work = { kind: "drop-hints", target: node, entries: dropped } as const;
    this.#parts.out.store(work, (outcome, now) => {
      if (outcome.kind === "failed") {
        this.#fail(now, target);
        return;
      }
      const pause = (now - since) * (1 / Math.max(shareMin, this.#parts.share()) - 1);
      target.isBusy = false;
      target.failures = 0;
      target.notBefore = now + Math.min(pause, pauseMsMax);
      target.keys = Math.max(1, target.keys - entries.length);
      this.#countAt = Math.min(this.#countAt, now);
    });
  }

  #fail(now: Millis, target: Target): void {
    const { retryMs, retryMsMax } = this.#parts.tuning;
    const pause = Math.min(retryMsMax, retryMs * 2 ** Math.min(target.failures, 10));
    target.failures += 1;
    target.isBusy = false;
    target.sent = undefined;
    target.notBefore = now + pause / 2 + this.#parts.random.below(Math.ceil(pause / 2) + 1);
  }

  /** The receiving side: what was kept for this node becomes its own data. */
  #takeIn(from: NodeId, message: HintMessage & { readonly kind: "hints" }): void {
    const { out } = this.#parts;
    const { request, entries, round } = message;
    const ring = this.#parts.ring();
    const held = new Set(ring.held());
    // Refused are keys that this node does not hold: one of the two has yet to learn of an epoch.
    const isWelcome =
      this.#batchesIn < this.#parts.tuning.batchesInMax &&
      entries.every(({ key }) => held.has(ring.partitionOf(key)));
    if (!isWelcome) {
      out.send(from, { kind: "hints-reply", request, stored: false });
      return;
    }
    this.#batchesIn += 1;
    let [left, stored] = [1, true];
    const step = (isDone: boolean): void => {
      left -= 1;
      stored &&= isDone;
      if (left > 0) return;
      this.#batchesIn -= 1;
      out.send(from, { kind: "hints-reply", request, stored });
    };
    for (const entry of isFar(ring, from) ? entries : []) {
      const targets = neighboursOf(ring, entry.key);
      if (targets.length === 0) continue;
      left += 1;
      out.store({ kind: "keep-hints", targets, entry, round }, (outcome) => {
        // No room for one that has been away for long: comparing the copies brings it to that one.
        const isFull = outcome.kind === "failed" && outcome.code === "HINTS_FULL";
        step(outcome.kind === "durable" || isFull);
      });
    }
    // What of them is stale was superseded since, and need not come again.
    out.store({ kind: "merge", entries, round }, ({ kind }) => step(kind === "merged"));
  }

  #target(node: NodeId): Target {
    let target = this.#targets.get(node);
    if (target === undefined) {
      target = new Target();
      this.#targets.set(node, target);
    }
    return target;
  }
}
