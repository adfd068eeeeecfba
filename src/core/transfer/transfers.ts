/**
 * Brings partitions to this node: a new owner's, or those of a disk that was lost. A few stream in
 * at a time, each from one live owner, from the own data centre and from whoever sends least to
 * this node first. What has streamed is then compared with the owners (sync), which is what makes
 * a partition filled; so a stream may be cut off, repeated or left out without harm.
 */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { Out } from "../event.ts";
import type { Millis, NodeId, Partition } from "../ids.ts";
import type { TransferMessage } from "../message.ts";
import type { Random } from "../random.ts";
import type { Filling } from "../standing.ts";
import type { LivenessView, RingView, StandingView } from "../views.ts";
import { Inbound, type InboundEnd, type InboundTuning } from "./inbound.ts";
import { partBefore } from "./leaves.ts";
import { Outbound, type OutboundTuning } from "./outbound.ts";

export interface TransferTuning extends InboundTuning, OutboundTuning {
  /** Partitions that come to this node at a time. */
  readonly inboundMax: number;
  /** A source that is busy or silent is left alone for about this. */
  readonly retryMs: Millis;
}

export const transferDefaults: TransferTuning = {
  inboundMax: 2,
  outboundMax: 2,
  chunks: 4,
  chunkKeys: 64,
  timeoutMs: 3_000,
  leaseMs: 5_000,
  retryMs: 250,
  shareMax: 0.08,
};

export interface TransferParts {
  readonly self: NodeId;
  readonly out: Out;
  readonly random: Random;
  readonly liveness: LivenessView;
  readonly standing: StandingView & { fillings(): Iterable<Filling> };
  readonly tuning: TransferTuning;
  ring(): RingView;
  /** The part of the time that background work may take: above 0, at most 1. */
  share(): number;
}

/** How far a partition on its way to this node has come. */
export interface TransferReport {
  readonly partition: Partition;
  /** Absent until a source is found, and again once only comparing is left. */
  readonly source: NodeId | undefined;
  readonly target: NodeId;
  readonly phase: "waiting" | "streaming" | "verifying";
  readonly keysDone: number;
  /** An estimate, by how far through the partition the stream is; absent before its beginning. */
  readonly keysTotal: number | undefined;
  readonly bytesDone: number;
  readonly startedAt: Millis | undefined;
  readonly etaMs: Millis | undefined;
}

type StreamMessage = Exclude<TransferMessage, { readonly kind: "filled-ask" | "filled" }>;

interface Arrival {
  readonly inbound: Inbound;
  /** Owners that cannot be its source now: once none can, comparing has to bring everything. */
  readonly refusedBy: Map<NodeId, Millis>;
  /** It was found to need streaming. */
  isProbed: boolean;
  isStreamed: boolean;
  /** Not begun, or gone on with, before. */
  notBefore: Millis;
}

const lookMs = 50;
/** Partitions that are looked at together, before any is streamed. */
const probesMax = 8;
/** Whoever refuses does not hold all of it itself, and may later. */
const refusedMs = 2_000;

export class Transfers {
  readonly #parts: TransferParts;
  readonly #outbound: Outbound;
  readonly #arrivals = new Map<Partition, Arrival>();
  /** Streams that have ended, and whose place is left free so long. */
  #rests: Millis[] = [];
  readonly #avoidUntil = new Map<NodeId, Millis>();
  /** Numbers of questions. */
  #last: number;
  #lookAt: Millis = 0;
  #now: Millis = 0;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    // Not from 0: an answer to an earlier process of this node must find no question.
    this.#last = parts.random.below(2 ** 30);
    this.#outbound = new Outbound({
      out: parts.out,
      standing: parts.standing,
      tuning: parts.tuning,
      ring: () => parts.ring(),
      share: () => parts.share(),
    });
  }

  receive(now: Millis, from: NodeId, message: StreamMessage): void {
    switch (message.kind) {
      case "transfer-ask":
        this.#outbound.receive(now, from, message);
        return;
      case "transfer-chunk":
      case "transfer-close":
        this.#arrivals.get(message.partition)?.inbound.receive(now, from, message);
        return;
      default:
        unreachable(message);
    }
  }

  tick(now: Millis): void {
    this.#now = now;
    this.#outbound.tick(now);
    for (const { inbound } of this.#arrivals.values()) {
      if (inbound.source === undefined) continue;
      if (this.#parts.liveness.isLive(inbound.source)) inbound.tick(now);
      else inbound.stop();
    }
    if (now >= this.#lookAt) {
      this.#lookAt = now + lookMs;
      this.#follow();
    }
    this.#begin(now);
  }

  /** Partitions whose stream is over, and which have to be compared now. */
  *streamed(): IterableIterator<Filling> {
    for (const filling of this.#parts.standing.fillings()) {
      if (filling.since > this.#now) continue;
      if (this.#arrivals.get(filling.partition)?.isStreamed === true) yield filling;
    }
  }

  report(): readonly TransferReport[] {
    return [...this.#arrivals.values()].map((arrival) => this.#describe(arrival));
  }

  /** What is to be filled, and nothing else, has an arrival. */
  #follow(): void {
    const wanted = new Set<Partition>();
    for (const { partition } of this.#parts.standing.fillings()) {
      wanted.add(partition);
      if (!this.#arrivals.has(partition)) this.#expect(partition);
    }
    for (const [partition, { inbound }] of this.#arrivals) {
      if (wanted.has(partition)) continue;
      inbound.stop();
      this.#arrivals.delete(partition);
    }
  }

  #expect(partition: Partition): void {
    const { out, tuning } = this.#parts;
    const inbound = new Inbound({
      partition,
      out,
      tuning,
      nextTransfer: () => ++this.#last,
      share: () => this.#parts.share(),
      partitionOf: (key) => this.#parts.ring().partitionOf(key),
      onEnd: (now, end) => this.#ended(now, arrival, end),
    });
    const arrival: Arrival = {
      inbound,
      refusedBy: new Map(),
      isProbed: false,
      isStreamed: false,
      notBefore: 0,
    };
    this.#arrivals.set(partition, arrival);
  }

  #begin(now: Millis): void {
    this.#rests = this.#rests.filter((until) => now < until);
    const { inboundMax } = this.#parts.tuning;
    const room = { streams: inboundMax - this.#rests.length, probes: probesMax };
    for (const { inbound, isProbed } of this.#arrivals.values()) {
      if (inbound.source !== undefined) room[isProbed ? "streams" : "probes"] -= 1;
    }
    if (room.streams <= 0 && room.probes <= 0) return;
    const coming = this.#comingFrom();
    for (const arrival of this.#arrivals.values()) {
      const { inbound, isProbed, isStreamed, notBefore } = arrival;
      const what = isProbed ? "streams" : "probes";
      if (isStreamed || inbound.source !== undefined || now < notBefore) continue;
      const source = room[what] > 0 ? this.#sourceOf(now, arrival, coming) : undefined;
      if (source === undefined) continue;
      room[what] -= 1;
      if (isProbed) coming.set(source, (coming.get(source) ?? 0) + 1);
      if (isProbed) inbound.stream(now, source);
      else inbound.probe(source);
    }
  }

  #sourceOf(
    now: Millis,
    { inbound, refusedBy }: Arrival,
    coming: ReadonlyMap<NodeId, number>,
  ): NodeId | undefined {
    const { self, liveness } = this.#parts;
    const { partition } = inbound;
    const ring = this.#parts.ring();
    for (const [node, at] of refusedBy) if (now - at >= refusedMs) refusedBy.delete(node);
    const owners = ring.owners(partition).filter((node) => node !== self && !refusedBy.has(node));
    const first = owners.length === 0 ? 0 : partition % owners.length;
    const near = ring.dcOf(self);
    let best: { readonly node: NodeId; readonly cost: number } | undefined;
    for (const node of [...owners.slice(first), ...owners.slice(0, first)]) {
      if (!liveness.isLive(node) || now < (this.#avoidUntil.get(node) ?? 0)) continue;
      const cost = (coming.get(node) ?? 0) + (ring.dcOf(node) === near ? 0 : 1_000);
      if (best === undefined || cost < best.cost) best = { node, cost };
    }
    return best?.node;
  }

  /** How many partitions stream from each node. */
  #comingFrom(): Map<NodeId, number> {
    const coming = new Map<NodeId, number>();
    for (const { inbound, isProbed } of this.#arrivals.values()) {
      const { source } = inbound;
      if (isProbed && source !== undefined) coming.set(source, (coming.get(source) ?? 0) + 1);
    }
    return coming;
  }

  #ended(now: Millis, arrival: Arrival, end: InboundEnd): void {
    const { inbound } = arrival;
    const { partition, source, keys, bytes } = inbound;
    inbound.stop();
    if (source === undefined) return;
    if (arrival.isProbed) this.#rests.push(now + inbound.restMs(now));
    const { retryMs } = this.#parts.tuning;
    const owners = this.#parts.ring().owners(partition);
    const pause = retryMs / 2 + this.#parts.random.below(retryMs);
    switch (end) {
      case "streamed":
      case "here":
        arrival.isStreamed = true;
        this.#parts.out.notice({ kind: "streamed", partition, source, keys, bytes });
        break;
      case "differs":
        arrival.isProbed = true;
        break;
      case "refused":
        arrival.refusedBy.set(source, now);
        arrival.isStreamed = owners.every(
          (node) => node === this.#parts.self || arrival.refusedBy.has(node),
        );
        break;
      case "silent":
        this.#parts.liveness.missed(source, now);
        this.#avoidUntil.set(source, now + pause);
        break;
      case "busy":
        this.#avoidUntil.set(source, now + pause);
        break;
      case "store":
        arrival.notBefore = now + pause;
        break;
      default:
        unreachable(end);
    }
    this.#begin(now);
  }

  #describe({ inbound, isProbed, isStreamed }: Arrival): TransferReport {
    const { partition, source, startedAt, keys, keysAgain, bytes, after } = inbound;
    const part = isStreamed ? 1 : this.#partDone(inbound);
    const keysDone = keys + keysAgain;
    const tookMs = startedAt === undefined ? 0 : this.#now - startedAt;
    const isStreaming = isProbed && source !== undefined;
    const isTold = isStreamed || (after !== undefined && part > 0);
    return {
      partition,
      source: isStreaming ? source : undefined,
      target: this.#parts.self,
      phase: isStreamed ? "verifying" : isStreaming ? "streaming" : "waiting",
      keysDone,
      keysTotal: isTold ? Math.round(keysDone / part) : undefined,
      bytesDone: bytes,
      startedAt,
      etaMs: isTold ? Math.round((tookMs * (1 - part)) / part) : undefined,
    };
  }

  #partDone({ after, partition }: Inbound): number {
    return after === undefined ? 0 : partBefore(after, partition, this.#parts.ring().partitions);
  }
}
