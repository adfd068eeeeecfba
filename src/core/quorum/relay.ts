/**
 * A write that came from another data centre, passed on within this one: this node stores it, sends
 * it to the other owners here, and to stand-ins or into hints for those that are absent. It tells
 * the sender once, when the own copy is durable and nobody else is waited for: one copy and one
 * acknowledgement cross between data centres, however many owners there are.
 */
import type { StoreOutcome } from "../event.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { ReplicaMessage } from "../message.ts";
import { Copies } from "./copies.ts";
import type { Flight, FlightParts } from "./parts.ts";
import { addHolders, placeCopies } from "./placement.ts";

export type RelayedWrite = ReplicaMessage & { readonly kind: "write" };
type Outcome = (ReplicaMessage & { readonly kind: "write-reply" })["outcome"];

const lookMs = 50;

export class Relay implements Flight {
  readonly id: RequestId;
  readonly #parts: FlightParts;
  readonly #from: NodeId;
  readonly #message: RelayedWrite;
  #copies: Copies | undefined;
  #hasReplied = false;
  /** No client waits, so that it may be hurried from the start. */
  readonly isAnswered = true;
  isOver = false;

  constructor(parts: FlightParts, id: RequestId, from: NodeId, message: RelayedWrite) {
    this.id = id;
    this.#parts = parts;
    this.#from = from;
    this.#message = message;
  }

  start(now: Millis): Millis {
    const { liveness, out } = this.#parts;
    const { key, versions, round, relay, deadlineMs } = this.#message;
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const placement = placeCopies({ ring, partition, liveness, strict: false });
    const [own] = placement.copies;
    if (own === undefined || !own.isHolder) {
      this.#reply("not-owner", undefined);
      this.#end();
      return now;
    }
    // The sender may know of an epoch that this node has not heard of.
    addHolders(
      placement,
      relay.filter((node) => ring.dcOf(node) === ring.dcOf(ring.self)),
    );
    this.#copies = new Copies(this.#parts, own, {
      ...{ id: this.id, key, w: placement.copies.length, deadlineMs, placement },
      trace: undefined,
      settle: () => this.#settle(),
    });
    out.store({ kind: "merge", entries: [{ key, versions }], round }, (outcome) =>
      this.#stored(outcome),
    );
    this.#copies.send(now, { versions, round });
    return now + lookMs;
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    if (message.kind !== "write-reply" || this.isOver) return;
    const { outcome, failure = "" } = message;
    this.#copies?.acknowledge(now, from, outcome === "stored" ? undefined : outcome + failure);
    this.#settle();
  }

  wake(now: Millis): Millis {
    const { missAfterMs, hintAfterMs } = this.#parts.tuning;
    this.#copies?.look(now, missAfterMs);
    if ((this.#copies?.waitedMs(now) ?? 0) >= hintAfterMs) this.hurry(now);
    else this.#settle();
    return now + lookMs;
  }

  hurry(now: Millis): void {
    this.#copies?.giveUp(now);
    this.#settle();
  }

  #stored(outcome: StoreOutcome): void {
    const own = this.#copies?.own;
    if (own === undefined || this.isOver) return;
    if (outcome.kind === "merged" && outcome.stale === 0) own.state = "acked";
    else {
      own.state = "failed";
      const isStale = outcome.kind === "merged";
      const code = outcome.kind === "failed" ? outcome.code : undefined;
      this.#reply(isStale ? "stale-round" : "refused", code);
    }
    this.#settle();
  }

  #settle(): void {
    const copies = this.#copies;
    if (this.isOver || copies === undefined) return;
    if (copies.own.state === "waiting" || copies.isAwaited() || copies.isKeeping) return;
    if (copies.own.state === "acked") this.#reply("stored", undefined);
    this.#end();
  }

  #reply(outcome: Outcome, failure: string | undefined): void {
    if (this.#hasReplied) return;
    this.#hasReplied = true;
    const { request } = this.#message;
    this.#parts.out.send(this.#from, { kind: "write-reply", request, outcome, failure });
  }

  #end(): void {
    this.isOver = true;
    this.#parts.table.over(this.id);
  }
}
