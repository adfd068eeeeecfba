/**
 * The source of a transfer: answers each question with the chunks that it asks for, one page of the
 * store after the other, and keeps nothing in mind beyond that. A few partitions leave at a time;
 * who asks for more is told to come again.
 */
import { isSameHash } from "../clock/digest.ts";
import type { Out, StoreOutcome } from "../event.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Key } from "../key.ts";
import { pageBytesAim } from "../limits.ts";
import type { TransferMessage } from "../message.ts";
import { leafMapBytes, MerkleTree } from "../sync/merkle.ts";
import type { RingView, StandingView } from "../views.ts";
import { isMarked } from "./leaves.ts";

export interface OutboundTuning {
  /** Partitions that leave this node at a time. */
  readonly outboundMax: number;
  /** Who has not asked for so long has ended, or died. */
  readonly leaseMs: Millis;
  /** Keys of a chunk, so that none holds up what clients wait for; its bytes are bounded too. */
  readonly chunkKeys: number;
}

export interface OutboundParts {
  readonly out: Out;
  readonly standing: StandingView;
  readonly tuning: OutboundTuning;
  ring(): RingView;
  share(): number;
}

type Ask = TransferMessage & { readonly kind: "transfer-ask" };
type Outcome = (TransferMessage & { readonly kind: "transfer-close" })["outcome"];

type Page = StoreOutcome & { readonly kind: "entries" };

/** What one question has still to get. */
interface Errand {
  readonly to: NodeId;
  readonly ask: Ask;
  after: Key | undefined;
  index: number;
  /** Nothing is read before. */
  notBefore: Millis;
  isReading: boolean;
}

/** More than any target asks for. */
const chunksMax = 16;
const pauseMsMax = 1_000;
const shareMin = 0.02;

export class Outbound {
  readonly #parts: OutboundParts;
  /** By target and partition: when it last asked, and what is being answered. */
  readonly #leases = new Map<string, { at: Millis; errand: Errand | undefined }>();

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  receive(now: Millis, from: NodeId, ask: Ask): void {
    const { partition, skip, chunks } = ask;
    const ring = this.#parts.ring();
    const isHeld = partition < ring.partitions && ring.holders(partition).includes(ring.self);
    const isSound = chunks <= chunksMax && (skip.length === 0 || skip.length === leafMapBytes);
    if (!isHeld || !isSound) this.#close(from, ask, "refused");
    else if (ask.after === undefined) this.#compare(from, ask);
    else this.#serve(now, from, ask);
  }

  tick(now: Millis): void {
    for (const [name, lease] of this.#leases) {
      const { at, errand } = lease;
      if (now - at >= this.#parts.tuning.leaseMs) this.#leases.delete(name);
      else if (errand !== undefined && !errand.isReading && now >= errand.notBefore) {
        this.#read(now, name, errand);
      }
    }
  }

  /** Where both hold the same nothing is sent. */
  #compare(from: NodeId, ask: Ask): void {
    const work = { kind: "tree", partition: ask.partition, level: "root", parents: [] } as const;
    this.#parts.out.store(work, (outcome, now) => {
      const own = outcome.kind === "tree" && outcome.ready ? outcome.hashes[0] : undefined;
      if (own !== undefined && isSameHash(own, ask.root)) this.#close(from, ask, "equal");
      else if (ask.chunks === 0) this.#close(from, ask, "differs");
      else this.#serve(now, from, ask);
    });
  }

  #serve(now: Millis, from: NodeId, ask: Ask): void {
    const { partition, after } = ask;
    const name = `${from}/${partition}`;
    const isFull = this.#leases.size >= this.#parts.tuning.outboundMax;
    if (this.#parts.standing.of(partition) === "rebuilding") this.#close(from, ask, "refused");
    else if (isFull && !this.#leases.has(name)) this.#close(from, ask, "busy");
    else {
      const errand = { to: from, ask, after, index: 0, notBefore: now, isReading: false };
      this.#leases.set(name, { at: now, errand });
      this.#read(now, name, errand);
    }
  }

  #read(now: Millis, name: string, errand: Errand): void {
    if (this.#leases.get(name)?.errand !== errand) return;
    const { tuning, out } = this.#parts;
    const { partition } = errand.ask;
    const { after } = errand;
    errand.isReading = true;
    const bounds = { limit: tuning.chunkKeys, bytes: pageBytesAim };
    out.store({ kind: "list", partition, after, ...bounds }, (outcome, later) => {
      errand.isReading = false;
      const lease = this.#leases.get(name);
      if (lease?.errand !== errand) return;
      if (outcome.kind !== "entries") {
        this.#leases.delete(name);
        this.#close(errand.to, errand.ask, "refused");
        return;
      }
      lease.at = later;
      const isEnd = outcome.isEnd || outcome.entries.length === 0;
      this.#send(errand, outcome, isEnd);
      if (isEnd) this.#leases.delete(name);
      else if (errand.index >= errand.ask.chunks) lease.errand = undefined;
      else this.#pace(later, later - now, errand);
    });
  }

  #send(errand: Errand, page: Page, isEnd: boolean): void {
    const { transfer, partition, skip } = errand.ask;
    const tree = new MerkleTree({ partition, partitions: this.#parts.ring().partitions });
    const { entries: listed, round } = page;
    const entries = listed.filter(({ key }) => !isMarked(skip, tree.leafOf(key)));
    const last = listed.at(-1)?.key;
    const next = isEnd ? undefined : last;
    const { index } = errand;
    errand.index += 1;
    errand.after = last;
    const about = { transfer, partition, index, round } as const;
    this.#parts.out.send(errand.to, { kind: "transfer-chunk", ...about, entries, next });
  }

  /** The next chunk with the next tick while the node is at ease, and later when it is not. */
  #pace(now: Millis, took: Millis, errand: Errand): void {
    const pause = took * (1 / Math.max(shareMin, this.#parts.share()) - 1);
    errand.notBefore = now + Math.min(pause, pauseMsMax);
  }

  #close(to: NodeId, { transfer, partition }: Ask, outcome: Outcome): void {
    this.#parts.out.send(to, { kind: "transfer-close", transfer, partition, outcome });
  }
}
