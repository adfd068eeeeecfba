/**
 * Anti-entropy (Dynamo, section 4.7): this node's copies compared with those of other owners, in
 * the background without end, so that a replica that missed a write gets it even if hints and read
 * repair do not bring it. Partitions being filled come first, then an operator's wish, which alone
 * is at full speed, then the rotation at the pace that the budget leaves.
 *
 * Comparing is cheap and many partitions do it at a time; trading keys is not, and one walk does
 * it with each peer.
 */
import type { PartitionRound } from "../cleanup/message.ts";
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { TreeMessage } from "../message.ts";
import { NumberTable } from "../number-table.ts";
import type { Random } from "../random.ts";
import type { Filling } from "../standing.ts";
import type { LivenessView, RingView, StandingView } from "../views.ts";
import type { WalkEnd } from "./dialogue.ts";
import { Responder } from "./responder.ts";
import { type Pair, Rotation } from "./rotation.ts";
import { Walk } from "./walk.ts";

export interface ExchangeTuning {
  /** Every pair of copies is compared once in this time when the node has nothing else to do. */
  readonly roundMs: Millis;
  /** Every partition with one copy of each other data centre. */
  readonly farRoundMs: Millis;
  /** Leaves have to be unequal for so long before their keys are traded. */
  readonly recheckMs: Millis;
  /** A question without an answer is asked again after this. */
  readonly timeoutMs: Millis;
  /** A pair that could not be compared is left alone for about this. */
  readonly retryMs: Millis;
  /** Walks with one peer, and of all walks those that trade keys. */
  readonly walksPerPeerMax: number;
  readonly tradesMax: number;
  /** Filling trades keys for at most this part of the time, however idle the node is. */
  readonly fillShareMax: number;
}

export const exchangeDefaults: ExchangeTuning = {
  roundMs: 10_000,
  farRoundMs: 60_000,
  recheckMs: 500,
  timeoutMs: 3_000,
  retryMs: 500,
  walksPerPeerMax: 32,
  tradesMax: 4,
  fillShareMax: 0.12,
};

/** New walks are begun so often: what begins together travels in one frame. */
const beginMs = 50;
/** Of comparisons that fill: more at a time make requests wait for tens of milliseconds. */
const fillingsAtOnce = 8;
const shareMin = 0.02;
const howToFill = { isThorough: true, isFilling: true } as const;

/** What filling needs of the exchange, and tells it. */
export interface FillingView extends StandingView {
  fillings(): Iterable<Filling>;
  visited(partition: Partition, peer: NodeId, begunAt: Millis): void;
}

export interface ExchangeParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  readonly liveness: LivenessView;
  readonly standing: FillingView;
  readonly tuning: ExchangeTuning;
  ring(): RingView;
  /** The part of the time that background work may take: above 0, at most 1. */
  share(): number;
  /** The peer is in another clean-up round. */
  onRound(now: Millis, peer: NodeId, theirs: PartitionRound): void;
}

export interface Repaired {
  /** Comparisons that came to an end: a partition counts once for each other holder. */
  readonly partitions: number;
  readonly sent: number;
  readonly received: number;
  /** Comparisons that did not. */
  readonly failed: number;
}

/** An operator's wish: what is left of it, and what came of the rest. */
interface Wish {
  readonly waiting: Set<string>;
  readonly counts: { -readonly [Name in keyof Repaired]: Repaired[Name] };
  readonly done: (repaired: Repaired) => void;
}

interface Running {
  readonly walk: Walk;
  readonly pair: Pair;
  readonly how: How;
  /** The number of what it asked last. */
  question: number | undefined;
}

interface How {
  readonly isThorough: boolean;
  /** Nobody waits for it: it leaves most of the time to requests. */
  readonly isFilling?: boolean;
  /** Data that this node is not to hold any more: nothing is taken in. */
  readonly isGiving?: boolean;
  readonly done?: (now: Millis, end: WalkEnd) => void;
}

/** What waits for its turn; `missed` when the peer is gone. */
interface Due {
  readonly pair: Pair;
  readonly how: How;
  readonly missed: (now: Millis) => void;
}

export class Exchanges {
  readonly #parts: ExchangeParts;
  readonly #responder: Responder;
  readonly #rotation = new Rotation();
  /** At most one walk a pair. */
  readonly #running = new Map<string, Running>();
  /** By the number of the question that it waits for an answer to. */
  readonly #asking = new NumberTable<Walk>();
  /** Walks that wait to trade, in order; and the peers with which one does. */
  #ready: Running[] = [];
  readonly #trading = new Map<NodeId, Running>();
  readonly #due: Due[] = [];
  /** Pairs left alone until then. */
  readonly #restUntil = new Map<string, Millis>();
  /** Numbers of questions, told apart by the last bit from those of the peer. */
  #lastExchange: number;
  #beginAt: Millis = 0;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
    // Not from 0: an answer to an earlier process of this node must find no question.
    this.#lastExchange = parts.random.below(2 ** 30);
    this.#responder = new Responder({
      out: parts.out,
      ring: () => parts.ring(),
      onRound: (now, peer, theirs) => parts.onRound(now, peer, theirs),
    });
  }

  receive(now: Millis, from: NodeId, message: TreeMessage): void {
    const isAnswer = message.exchange % 2 === this.#parity(from);
    if (!isAnswer) {
      this.#responder.receive(now, from, message);
      return;
    }
    const walk = this.#asking.get(message.exchange);
    if (walk?.peer !== from || walk.partition !== message.partition) return;
    this.#asking.take(message.exchange);
    // What came of a partition that the ring has taken away would stay for ever.
    if (this.#isWanted(walk)) walk.receive(now, message);
    else walk.stop(now);
  }

  /** Compares what is asked for with every live holder, now. Calls `done` once. */
  exchangeNow(
    done: (repaired: Repaired) => void,
    partitions: readonly Partition[] = this.#parts.ring().held(),
  ): void {
    const ring = this.#parts.ring();
    const pairs = partitions.flatMap((partition) =>
      ring
        .holders(partition)
        .filter((peer) => peer !== ring.self && this.#parts.liveness.isLive(peer))
        .map((peer) => ({ partition, peer })),
    );
    const counts = { partitions: 0, sent: 0, received: 0, failed: 0 };
    const wish: Wish = { waiting: new Set(pairs.map(nameOf)), counts, done };
    for (const pair of pairs) {
      const count = (end?: WalkEnd): void => countEnd(wish, pair, end);
      const how = { isThorough: true, done: (_now: Millis, end: WalkEnd) => count(end) };
      this.#due.push({ pair, how, missed: () => count() });
    }
    if (pairs.length === 0) done(counts);
  }

  /** Brings what the peer lacks of a partition that this node holds no longer. */
  give(pair: Pair, done: (now: Millis, isGiven: boolean) => void): void {
    const ended = (now: Millis, { kind }: WalkEnd): void => done(now, kind !== "failed");
    const how = { isThorough: true, isGiving: true, done: ended };
    this.#due.push({ pair, how, missed: (now) => done(now, false) });
  }

  tick(now: Millis): void {
    const ring = this.#parts.ring();
    for (const { walk } of this.#running.values()) {
      if (this.#isWanted(walk)) walk.tick(now);
      else walk.stop(now);
    }
    if (now >= this.#beginAt) {
      this.#beginAt = now + beginMs;
      for (const [name, until] of this.#restUntil) if (now >= until) this.#restUntil.delete(name);
      this.#beginFillings(now);
      this.#beginDue(now);
      this.#beginRotation(now, ring);
    }
    this.#trade(now);
  }

  #isWanted({ partition, peer, isGiving }: Walk): boolean {
    const ring = this.#parts.ring();
    if (partition >= ring.partitions || !ring.isMember(peer)) return false;
    const isHeld = ring.holders(partition).includes(ring.self);
    return isHeld !== isGiving && this.#parts.liveness.isLive(peer);
  }

  #beginFillings(now: Millis): void {
    let left = fillingsAtOnce;
    for (const { partition, peers } of this.#parts.standing.fillings()) {
      if (left === 0) return;
      // One peer after the other: what the first has brought, the next need not. Partitions begin
      // with different peers, which share the work.
      if (peers.some((peer) => this.#running.has(nameOf({ partition, peer })))) continue;
      const first = partition % Math.max(1, peers.length);
      const order = [...peers.slice(first), ...peers.slice(0, first)];
      if (order.some((peer) => this.#begin(now, { partition, peer }, howToFill))) {
        left -= 1;
      }
    }
  }

  #beginDue(now: Millis): void {
    // A pair that is walked already, or whose peer is busy, waits its turn in the list.
    for (const due of this.#due.splice(0)) {
      if (!this.#parts.liveness.isLive(due.pair.peer)) due.missed(now);
      else if (!this.#begin(now, due.pair, due.how)) this.#due.push(due);
    }
  }

  #beginRotation(now: Millis, ring: RingView): void {
    const { tuning, standing, liveness } = this.#parts;
    const isLive = (node: NodeId): boolean => liveness.isLive(node);
    const pace = { ...tuning, share: this.#share(), isLive };
    for (const pair of this.#rotation.take(now, ring, pace)) {
      if (standing.of(pair.partition) === "rebuilding") continue;
      this.#begin(now, pair, { isThorough: false });
    }
  }

  /** False when it cannot begin now. */
  #begin(now: Millis, pair: Pair, how: How): boolean {
    const { out, random, liveness, tuning } = this.#parts;
    const { partition, peer } = pair;
    const name = nameOf(pair);
    if (!liveness.isLive(peer) || this.#running.has(name) || this.#restUntil.has(name)) {
      return false;
    }
    if (this.#walksWith(peer) >= tuning.walksPerPeerMax) return false;
    const { isThorough, isFilling = false, isGiving = false } = how;
    const isAtOnce = isThorough && !isFilling && !isGiving;
    const shareMax = isFilling ? tuning.fillShareMax : 1;
    const walk: Walk = new Walk({
      peer,
      partition,
      isThorough,
      isGiving,
      out,
      random,
      timeoutMs: tuning.timeoutMs,
      recheckMs: tuning.recheckMs,
      nextExchange: () => this.#nextExchange(running),
      share: () => (isAtOnce ? 1 : Math.max(shareMin, shareMax * this.#share())),
      partitionOf: ({ key }) => this.#parts.ring().partitionOf(key),
      onReady: () => this.#ready.push(running),
      onEnd: (end, later) => this.#ended(later, running, end),
    });
    const running: Running = { walk, pair, how, question: undefined };
    this.#running.set(name, running);
    walk.start(now);
    return true;
  }

  #trade(now: Millis): void {
    if (this.#ready.length === 0) return;
    // What is thorough is waited for.
    this.#ready.sort((a, b) => Number(b.how.isThorough) - Number(a.how.isThorough));
    this.#ready = this.#ready.filter((running) => {
      const { peer } = running.pair;
      const isFull = this.#trading.size >= this.#parts.tuning.tradesMax;
      if (isFull || this.#trading.has(peer)) return true;
      this.#trading.set(peer, running);
      running.walk.proceed(now);
      return false;
    });
  }

  #ended(now: Millis, running: Running, end: WalkEnd): void {
    const { pair, walk, how } = running;
    const { partition, peer } = pair;
    const name = nameOf(pair);
    this.#running.delete(name);
    this.#ready = this.#ready.filter((each) => each !== running);
    if (this.#trading.get(peer) === running) this.#trading.delete(peer);
    if (running.question !== undefined) this.#asking.take(running.question);
    if (end.kind === "failed") {
      const { retryMs } = this.#parts.tuning;
      this.#restUntil.set(name, now + retryMs / 2 + this.#parts.random.below(retryMs));
      if (end.why === "silent") this.#parts.liveness.missed(peer, now);
    } else if (end.kind === "equal" || how.isThorough) {
      this.#parts.standing.visited(partition, peer, walk.begunAt);
    }
    if (end.kind === "repaired" && end.sent + end.received > 0) {
      const { sent, received } = end;
      this.#parts.out.notice({ kind: "exchanged", partition, peer, sent, received });
    }
    how.done?.(now, end);
  }

  #walksWith(peer: NodeId): number {
    let walks = 0;
    for (const { pair } of this.#running.values()) if (pair.peer === peer) walks += 1;
    return walks;
  }

  #nextExchange(running: Running): number {
    this.#lastExchange += 1;
    const exchange = this.#lastExchange * 2 + this.#parity(running.pair.peer);
    running.question = exchange;
    this.#asking.add(exchange, running.walk);
    return exchange;
  }

  /** Of two nodes the one with the lower number asks under even numbers. */
  #parity(peer: NodeId): number {
    return this.#parts.self < peer ? 0 : 1;
  }

  #share(): number {
    return Math.min(1, Math.max(shareMin, this.#parts.share()));
  }
}

function countEnd({ waiting, counts, done }: Wish, pair: Pair, end: WalkEnd | undefined): void {
  waiting.delete(nameOf(pair));
  if (end === undefined || end.kind === "failed") counts.failed += 1;
  else counts.partitions += 1;
  if (end?.kind === "repaired") {
    counts.sent += end.sent;
    counts.received += end.received;
  }
  if (waiting.size === 0) done(counts);
}

function nameOf({ partition, peer }: Pair): string {
  return `${partition}/${peer}`;
}
