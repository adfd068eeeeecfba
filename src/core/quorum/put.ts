/**
 * One write in flight. The coordinator makes the new version in its own store under a new dot and
 * sends it to all other owners, and to stand-ins of those that are dead. The client has its answer
 * once `w` copies are durable; after that the write goes on until each owner has its copy, or a
 * hint is kept for it.
 */
import { type CausalContext, emptyContext } from "../clock/versions.ts";
import type { StoreOutcome } from "../event.ts";
import { failed } from "../failure.ts";
import { mayKeepHints } from "../hint-addresses.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import { siblingBytesMax, siblingsMax } from "../limits.ts";
import type { Command, ReplicaMessage, Result } from "../message.ts";
import { Copies } from "./copies.ts";
import { type Defaults, defaultsOf } from "./defaults.ts";
import { FarCopies } from "./far.ts";
import type { Answer, Flight, FlightParts } from "./parts.ts";
import { type Placement, placeCopies } from "./placement.ts";
import { Trace } from "./trace.ts";

export type PutCommand = Command & { readonly kind: "put" };

/** How often a write that is not over looks at its peers. */
const lookMs = 50;

export class Put implements Flight {
  readonly id: RequestId;
  readonly #parts: FlightParts;
  readonly #command: PutCommand;
  readonly #answer: Answer;
  readonly #defaults: Defaults;
  readonly #w: number;
  #startedAt: Millis = 0;
  #trace: Trace | undefined;
  #copies: Copies | undefined;
  #far: FarCopies | undefined;
  #context: CausalContext = emptyContext;
  isAnswered = false;
  isOver = false;

  constructor(parts: FlightParts, id: RequestId, command: PutCommand, answer: Answer) {
    this.id = id;
    this.#parts = parts;
    this.#command = command;
    this.#answer = answer;
    this.#defaults = defaultsOf(parts, command.key.bucket);
    this.#w = command.w ?? this.#defaults.w;
  }

  start(now: Millis): Millis {
    const { liveness, self } = this.#parts;
    const { key, strict, trace, deadlineMs } = this.#command;
    this.#startedAt = now;
    if (trace) this.#trace = new Trace(now);
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const placement = placeCopies({ ring, partition, liveness, strict });
    const [own] = placement.copies;
    if (own === undefined) return now;
    this.#copies = new Copies(this.#parts, own, {
      id: this.id,
      key,
      w: this.#w,
      deadlineMs,
      placement,
      trace: this.#trace,
      settle: (at) => this.#settle(at),
    });
    const groups = ring.far(partition);
    if (groups.length > 0) {
      const { id } = this;
      const trace = this.#trace;
      this.#far = new FarCopies(this.#parts, { id, key, deadlineMs, groups, trace });
    }
    this.#trace?.add(now, self, `coordinates: ${described(placement, partition)} w=${this.#w}`);
    // Before anything is written: what cannot succeed must leave no trace (Jepsen on Riak's PW).
    if (this.#copies.verdict() === "impossible") this.#refuse(placement);
    else if (!own.isHolder && !mayKeepHints(ring)) {
      const message = `node ${self} is about to leave, and keeps nothing for others`;
      this.#fail(failed("QUORUM_UNAVAILABLE", `${message}; ask another node`));
    } else this.#write(now, own.hintFor);
    return now + Math.min(lookMs, deadlineMs);
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    if (message.kind !== "write-reply" || this.isOver) return;
    const { outcome, failure = "" } = message;
    const refusal = outcome === "stored" ? undefined : `${outcome} ${failure}`.trimEnd();
    this.#copies?.acknowledge(now, from, refusal);
    this.#far?.acknowledge(now, from, refusal);
    this.#settle(now);
  }

  wake(now: Millis): Millis {
    const { missAfterMs, hintAfterMs } = this.#parts.tuning;
    const { deadlineMs } = this.#command;
    this.#copies?.look(now, Math.min(missAfterMs, deadlineMs / 2));
    this.#far?.look(now);
    this.#settle(now);
    if (!this.isAnswered && now - this.#startedAt >= deadlineMs) {
      this.#expire(`within ${deadlineMs} ms`);
    }
    if (this.isAnswered && (this.#copies?.waitedMs(now) ?? 0) >= hintAfterMs) {
      this.#copies?.giveUp(now);
      this.#settle(now);
    }
    return now + lookMs;
  }

  hurry(now: Millis): void {
    if (!this.isAnswered || this.isOver) return;
    this.#copies?.giveUp(now);
    this.#far?.giveUp(now);
    this.#end();
  }

  #write(now: Millis, targets: readonly NodeId[]): void {
    const { key, context = emptyContext, operation, value } = this.#command;
    const ttlMs = this.#command.ttlMs ?? this.#defaults.ttlMs;
    const expiresAt = ttlMs === 0 ? 0 : Math.ceil(now + ttlMs);
    const change = { operation, time: Math.floor(now), expiresAt, value };
    this.#parts.out.store(
      { kind: "write", key, context, change, targets, siblingsMax, siblingBytesMax },
      (outcome, at) => this.#stored(at, outcome),
    );
  }

  /** Called twice when all is well: once the version is known, and once it is durable here. */
  #stored(now: Millis, outcome: StoreOutcome): void {
    const copies = this.#copies;
    if (this.isOver || copies === undefined) return;
    if (outcome.kind === "written") {
      const what = outcome.isDuplicate ? "was written before; sends it again" : "sends the version";
      this.#trace?.add(now, this.#parts.self, what);
      if (copies.written !== undefined) return;
      this.#context = outcome.context;
      copies.send(now, outcome);
      this.#far?.send(now, outcome);
    } else if (outcome.kind === "durable") {
      copies.acknowledge(now, this.#parts.self, undefined);
    } else if (outcome.kind === "too-many-siblings") {
      const has = `key would have ${outcome.siblings} siblings of ${outcome.bytes} bytes`;
      const why = `${has}, limit ${siblingsMax} of ${siblingBytesMax} bytes together`;
      this.#fail(failed("TOO_MANY_SIBLINGS", `${why}; read and resolve first`));
      return;
    } else if (outcome.kind === "failed") {
      const { code, message, applied } = outcome;
      if (copies.written !== undefined) copies.lose(copies.own);
      else {
        this.#fail(failed(code, message, { applied }));
        return;
      }
    }
    this.#settle(now);
  }

  #settle(now: Millis): void {
    const copies = this.#copies;
    if (copies === undefined || this.isOver) return;
    if (!this.isAnswered) {
      const verdict = copies.verdict();
      if (verdict === "met") this.#succeed(now, copies);
      else if (verdict === "impossible") this.#expire("and no other replica can be reached");
    }
    const isAwaited = copies.isAwaited() || (this.#far?.isAwaited() ?? false);
    if (this.isAnswered && !isAwaited) this.#end();
  }

  #succeed(now: Millis, copies: Copies): void {
    const acks = copies.acks();
    this.#trace?.add(now, this.#parts.self, `answers after ${acks} acks`);
    this.#reply({
      kind: "stored",
      context: this.#context,
      fastest: this.#parts.self,
      acks,
      trace: this.#trace?.text(),
    });
  }

  /** Something was sent or stored, so it may still come to be. The rest still gets its hints. */
  #expire(why: string): void {
    const message = `${this.#copies?.shortfall()} ${why}; the write may still be applied`;
    this.#reply(failed("WRITE_TIMEOUT", message, { applied: "maybe" }));
  }

  #refuse(placement: Placement): void {
    const { present, future } = placement;
    const { liveness } = this.#parts;
    const dead = [...new Set([...present, ...future])].filter((node) => !liveness.isLive(node));
    const who =
      dead.length === 0 ? "" : ` (down: ${dead.map((node) => `node ${node}`).join(", ")})`;
    const kind = this.#command.strict ? "owners" : "replicas";
    const live = placement.copies.filter(({ sets }) => sets !== 0).length;
    const message = `w=${this.#w}, but only ${live} of the key's ${kind} can be reached${who}`;
    this.#fail(failed("QUORUM_UNAVAILABLE", message));
  }

  /** Ends without a copy anywhere. A client whose deadline has passed has its answer already. */
  #fail(result: Result): void {
    if (!this.isAnswered) this.#reply(result);
    this.#end();
  }

  #reply(result: Result): void {
    this.isAnswered = true;
    this.#copies?.close();
    this.#parts.table.answered();
    this.#answer(result);
  }

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#parts.table.over(this.id);
  }
}

function described({ present, copies, kept }: Placement, partition: number): string {
  const standIns = copies.filter(({ hintFor }) => hintFor.length > 0);
  const lines = [`partition ${partition}, owners ${present.join(" ")}`];
  for (const { node, hintFor } of standIns)
    lines.push(`${node} stands in for ${hintFor.join(" ")}`);
  if (kept.length > 0) lines.push(`hints kept here for ${kept.join(" ")}`);
  return lines.join(", ");
}
