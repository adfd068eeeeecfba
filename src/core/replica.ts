/**
 * Serves peers, this node itself among them: message in, store work, answer out. A write is
 * acknowledged after the store has said that it is durable, never before: this is the one place
 * where that order is to be seen.
 */
import { digestOf } from "./clock/digest.ts";
import type { Out, StoreOutcome } from "./event.ts";
import { mayKeepHints } from "./hint-addresses.ts";
import type { Millis, NodeId, Partition } from "./ids.ts";
import { pageBytesAim } from "./limits.ts";
import type { Hash, ReplicaMessage } from "./message.ts";
import type { RingView, StandingView } from "./views.ts";

/** Store work in hand beyond which repairs are dropped: the exchange finds what they would. */
const pendingForRepairsMax = 512;
const listKeysMax = 1_000;
const noHash: Hash = { high: 0, low: 0 };

/** From a node that does not know yet whether others have cleaned up while it was away. */
const unsettled = {
  ...({ kind: "read-reply", standing: "rebuilding", round: 0, digest: noHash } as const),
  ...({ versions: undefined, failure: "NOT_READY" } as const),
};

type Read = ReplicaMessage & { readonly kind: "read" };
type Write = ReplicaMessage & { readonly kind: "write" };
type List = ReplicaMessage & { readonly kind: "list" };
type Refusal = (ReplicaMessage & { readonly kind: "write-reply" })["outcome"];

export interface ReplicaParts {
  readonly self: NodeId;
  readonly out: Out;
  ring(): RingView;
  readonly standing: StandingView;
  readonly cleanup: { isSettled(partition: Partition): boolean };
}

export class Replica {
  readonly #parts: ReplicaParts;
  /** Pieces of store work not answered yet. */
  #pending = 0;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    switch (message.kind) {
      case "read":
        if (message.deadlineMs > 0) this.#read(now, from, message);
        break;
      case "write":
        if (message.deadlineMs > 0) this.#write(from, message);
        break;
      case "list":
        this.#list(from, message);
        break;
      default:
    }
  }

  #read(now: Millis, from: NodeId, { key, request, full, deadlineMs }: Read): void {
    const { out, self, standing, cleanup } = this.#parts;
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const holders = ring.holders(partition);
    const isHolder = holders.includes(self);
    if (isHolder && !cleanup.isSettled(partition)) {
      out.send(from, { ...unsettled, request });
      return;
    }
    this.#pending += 1;
    out.store({ kind: "read", key, targets: isHolder ? [] : holders }, (outcome, at) => {
      this.#pending -= 1;
      // Whoever asked has given up.
      if (at - now > deadlineMs) return;
      const isFound = outcome.kind === "versions";
      out.send(from, {
        kind: "read-reply",
        request,
        // Whoever holds nothing by right cannot know that there is nothing.
        standing: isHolder ? standing.of(partition) : "rebuilding",
        round: isFound ? outcome.round : 0,
        digest: isFound ? digestOf(outcome.versions) : noHash,
        versions: isFound && full ? outcome.versions : undefined,
        failure: isFound ? undefined : failureOf(outcome),
      });
    });
  }

  #write(from: NodeId, message: Write): void {
    const { out, self } = this.#parts;
    const { key, versions, round, repair } = message;
    const ring = this.#parts.ring();
    const isHolder = ring.holders(ring.partitionOf(key)).includes(self);
    const mayKeep = message.hintFor.length > 0 && mayKeepHints(ring);
    const targets = mayKeep ? message.hintFor.filter((node) => node !== self) : [];
    const entry = { key, versions };
    if (!isHolder && targets.length === 0) {
      this.#answer(from, message, "not-owner", undefined);
      return;
    }
    if (repair && this.#pending >= pendingForRepairsMax) return;
    const answer = this.#whenAll(from, message, Number(isHolder) + Number(targets.length > 0));
    if (isHolder) out.store({ kind: "merge", entries: [entry], round }, answer);
    if (targets.length === 0) return;
    out.store({ kind: "keep-hints", targets, entry, round }, (outcome) => {
      if (outcome.kind === "durable") {
        for (const target of targets) out.notice({ kind: "hint-kept", target });
      }
      answer(outcome);
    });
  }

  /** Acknowledges once all parts of the write are durable; the first that is not decides. */
  #whenAll(from: NodeId, message: Write, parts: number): (outcome: StoreOutcome) => void {
    let left = parts;
    let isRefused = false;
    this.#pending += parts;
    return (outcome) => {
      left -= 1;
      this.#pending -= 1;
      if (isRefused) return;
      const refusal = refusalOf(outcome);
      isRefused = refusal !== undefined;
      if (refusal !== undefined) this.#answer(from, message, refusal, failureOf(outcome));
      else if (left === 0) this.#answer(from, message, "stored", undefined);
    };
  }

  /** Nobody waits for the outcome of a repair. */
  #answer(from: NodeId, message: Write, outcome: Refusal, failure: string | undefined): void {
    if (message.repair) return;
    const { request } = message;
    this.#parts.out.send(from, { kind: "write-reply", request, outcome, failure });
  }

  #list(from: NodeId, { request, partition, after, limit }: List): void {
    const { out } = this.#parts;
    if (!this.#holds(partition)) {
      this.#listed(from, { request, partition }, undefined, "not-owner");
      return;
    }
    if (!this.#parts.cleanup.isSettled(partition)) {
      this.#listed(from, { request, partition }, undefined, "NOT_READY");
      return;
    }
    const bounded = Math.min(Math.max(1, limit), listKeysMax);
    out.store(
      { kind: "list", partition, after, limit: bounded, bytes: pageBytesAim },
      (outcome) => {
        const isPage = outcome.kind === "entries";
        const failure = isPage ? undefined : failureOf(outcome);
        this.#listed(from, { request, partition }, isPage ? outcome : undefined, failure);
      },
    );
  }

  #listed(
    from: NodeId,
    { request, partition }: Pick<List, "request" | "partition">,
    page: (StoreOutcome & { readonly kind: "entries" }) | undefined,
    failure: string | undefined,
  ): void {
    this.#parts.out.send(from, {
      kind: "list-reply",
      request,
      standing: this.#holds(partition) ? this.#parts.standing.of(partition) : "rebuilding",
      entries: page?.entries ?? [],
      isEnd: page?.isEnd ?? true,
      failure,
    });
  }

  #holds(partition: Partition): boolean {
    const ring = this.#parts.ring();
    return partition < ring.partitions && ring.holders(partition).includes(this.#parts.self);
  }
}

function refusalOf(outcome: StoreOutcome): Refusal | undefined {
  if (outcome.kind === "durable") return undefined;
  if (outcome.kind !== "merged") return "refused";
  return outcome.stale > 0 ? "stale-round" : undefined;
}

function failureOf(outcome: StoreOutcome): string | undefined {
  return outcome.kind === "failed" ? outcome.code : undefined;
}
