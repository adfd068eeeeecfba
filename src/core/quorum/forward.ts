/**
 * A write on its way to a node that can coordinate it, because this one owns no copy of the key.
 * It is passed on once: the receiver coordinates it and never forwards (riak_kv#1188). When no
 * answer comes it goes elsewhere under the same operation, so that it still takes effect once.
 */
import { failed } from "../failure.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import { deadlineMsMin } from "../limits.ts";
import type { Failed, ReplicaMessage, Result } from "../message.ts";
import type { Answer, Flight, FlightParts } from "./parts.ts";
import { readersOf } from "./placement.ts";
import type { PutCommand } from "./put.ts";
import { Trace } from "./trace.ts";

/** The receiver's own trouble: another node may fare better. */
const codesElsewhere: ReadonlySet<string> = new Set([
  ...["OVERLOADED", "NOT_READY", "QUORUM_UNAVAILABLE", "CLOSED"],
  ...["DISK_FULL", "HINTS_FULL", "CORRUPTION", "IO", "LOG_FAILED", "INTERNAL"],
]);
const lookMs = 50;

export class Forward implements Flight {
  readonly id: RequestId;
  readonly #parts: FlightParts;
  readonly #command: PutCommand;
  readonly #answer: Answer;
  /** Who has been asked, the present target last. */
  readonly #tried: NodeId[] = [];
  #trace: Trace | undefined;
  #startedAt: Millis = 0;
  #sentAt: Millis = 0;
  /** An earlier target may have written it. */
  #isInDoubt = false;
  #lastFailure: Failed | undefined;
  isAnswered = false;
  isOver = false;

  constructor(parts: FlightParts, id: RequestId, command: PutCommand, answer: Answer) {
    this.id = id;
    this.#parts = parts;
    this.#command = command;
    this.#answer = answer;
  }

  start(now: Millis): Millis {
    this.#startedAt = now;
    if (this.#command.trace) this.#trace = new Trace(now);
    this.#next(now);
    return now + Math.min(lookMs, this.#command.deadlineMs);
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    if (message.kind !== "forward-reply" || this.isOver || !this.#tried.includes(from)) return;
    const { result } = message;
    const isElsewhere = result.kind === "failed" && codesElsewhere.has(result.code);
    if (!isElsewhere) {
      this.#finish(now, from, result);
      return;
    }
    this.#trace?.add(now, from, `refuses: ${result.code}`);
    this.#lastFailure = result;
    if (result.applied !== "no") this.#isInDoubt = true;
    if (from === this.#tried.at(-1)) this.#next(now);
  }

  wake(now: Millis): Millis {
    const target = this.#tried.at(-1);
    const { liveness, tuning } = this.#parts;
    const { deadlineMs } = this.#command;
    const isDead = target !== undefined && !liveness.isLive(target);
    const patienceMs = Math.min(tuning.forwardAfterMs, deadlineMs * 0.4);
    if (now - this.#startedAt >= deadlineMs) this.#expire(deadlineMs);
    else if (target !== undefined && (isDead || now - this.#sentAt >= patienceMs)) {
      if (!isDead) liveness.missed(target, now);
      this.#trace?.add(now, target, isDead ? "is dead" : "does not answer");
      this.#isInDoubt = true;
      this.#lastFailure = undefined;
      this.#next(now);
    }
    return Math.min(now + lookMs, this.#startedAt + deadlineMs);
  }

  hurry(_now: Millis): void {}

  #next(now: Millis): void {
    const target = this.#choose();
    const deadlineMs = this.#startedAt + this.#command.deadlineMs - now;
    if (deadlineMs < deadlineMsMin) this.#expire(this.#command.deadlineMs);
    else if (target !== undefined) {
      this.#tried.push(target);
      this.#sentAt = now;
      this.#trace?.add(now, target, "asked to coordinate");
      const command = { ...this.#repeated(), deadlineMs };
      const { started, out } = this.#parts;
      out.send(target, { kind: "forward", request: this.id, started, command });
    } else if (this.#lastFailure !== undefined)
      this.#finish(now, this.#parts.self, this.#lastFailure);
    else this.#takeOver(now, deadlineMs);
  }

  /** Who answered the client's read fastest, then the other owners by latency. */
  #choose(): NodeId | undefined {
    const { liveness, self } = this.#parts;
    const { key, fastest } = this.#command;
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const { nodes } = readersOf({ ring, partition, liveness, strict: true });
    const left = nodes.filter((node) => node !== self && !this.#tried.includes(node));
    if (fastest !== undefined && left.includes(fastest)) return fastest;
    return left[0];
  }

  /** No owner answers: this node stands in for them. */
  #takeOver(now: Millis, deadlineMs: Millis): void {
    this.#trace?.add(now, this.#parts.self, "coordinates as a stand-in");
    const command = { ...this.#repeated(), deadlineMs };
    const answer: Answer = (result) => {
      this.#trace?.append("trace" in result ? result.trace : undefined, now);
      this.#answer(this.#inDoubt(this.#traced(result)));
    };
    this.isAnswered = true;
    this.#parts.table.answered();
    this.#end();
    this.#parts.table.coordinate(now, command, answer);
  }

  #repeated(): PutCommand {
    const { operation } = this.#command;
    if (!this.#isInDoubt || operation.retried) return this.#command;
    return { ...this.#command, operation: { ...operation, retried: true } };
  }

  #expire(deadlineMs: Millis): void {
    const who = this.#tried.map((node) => `node ${node}`).join(", ");
    const why = `no answer from ${who} within ${deadlineMs} ms; the write may still be applied`;
    this.#reply(failed("WRITE_TIMEOUT", why, { applied: "maybe" }));
  }

  #finish(now: Millis, from: NodeId, result: Result): void {
    this.#trace?.add(now, from, result.kind === "failed" ? result.code : "has stored it");
    this.#trace?.append("trace" in result ? result.trace : undefined, this.#sentAt);
    this.#reply(this.#inDoubt(this.#traced(result)));
  }

  #traced(result: Result): Result {
    if (this.#trace === undefined || result.kind !== "stored") return result;
    return { ...result, trace: this.#trace.text() };
  }

  #inDoubt(result: Result): Result {
    const isWrong = this.#isInDoubt && result.kind === "failed" && result.applied === "no";
    return isWrong ? { ...result, applied: "maybe" } : result;
  }

  #reply(result: Result): void {
    this.isAnswered = true;
    this.#parts.table.answered();
    this.#answer(result);
    this.#end();
  }

  #end(): void {
    this.isOver = true;
    this.#parts.table.over(this.id);
  }
}
