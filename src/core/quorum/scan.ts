/**
 * One page of a partition in flight: listed by as many owners as a read asks, merged, and cut where
 * the shortest list ends. Stand-ins list nothing: hints are not a partition.
 */
import { failed } from "../failure.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { Command, ReplicaMessage, Result } from "../message.ts";
import { defaultsOf } from "./defaults.ts";
import { pageOf } from "./page.ts";
import type { Answer, Flight, FlightParts } from "./parts.ts";
import { readersOf } from "./placement.ts";

export type ScanCommand = Command & { readonly kind: "scan" };
type ListReply = ReplicaMessage & { readonly kind: "list-reply" };

/** Keys of one page at most; its bytes are bounded by the replicas. */
const pageKeysMax = 1_000;
const lookMs = 50;

interface Lister {
  readonly node: NodeId;
  sentAt: Millis;
  /** It was starting, and is asked again. */
  isStarting: boolean;
  isGivenUp: boolean;
  reply: ListReply | undefined;
}

export class Scan implements Flight {
  readonly id: RequestId;
  readonly #parts: FlightParts;
  readonly #command: ScanCommand;
  readonly #answer: Answer;
  readonly #asked: Lister[] = [];
  #owners: readonly NodeId[] = [];
  #next = 0;
  #need = 0;
  #startedAt: Millis = 0;
  isAnswered = false;
  isOver = false;

  constructor(parts: FlightParts, id: RequestId, command: ScanCommand, answer: Answer) {
    this.id = id;
    this.#parts = parts;
    this.#command = command;
    this.#answer = answer;
  }

  start(now: Millis): Millis {
    const { liveness } = this.#parts;
    const { bucket, partition, deadlineMs } = this.#command;
    const ring = this.#parts.ring();
    this.#startedAt = now;
    this.#owners = readersOf({ ring, partition, liveness, strict: true }).nodes;
    this.#need = Math.min(defaultsOf(this.#parts, bucket).r, ring.near(partition).length);
    if (this.#owners.length < this.#need) this.#giveUp("QUORUM_UNAVAILABLE", "can be reached");
    while (!this.isOver && this.#next < this.#need) this.#askNext(now);
    return now + Math.min(lookMs, deadlineMs);
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    if (message.kind !== "list-reply" || this.isOver) return;
    const lister = this.#asked.find(({ node }) => node === from);
    if (lister === undefined || lister.reply !== undefined) return;
    if (message.failure === "NOT_READY") lister.isStarting = true;
    else lister.reply = message;
    this.#settle(now);
  }

  wake(now: Millis): Millis {
    const { deadlineMs } = this.#command;
    const { liveness, tuning } = this.#parts;
    const patienceMs = Math.min(tuning.missAfterMs, deadlineMs / 2);
    for (const lister of this.#asked) {
      if (lister.reply !== undefined || lister.isGivenUp) continue;
      if (lister.isStarting && now - lister.sentAt >= tuning.startingMs) this.#ask(now, lister);
      const isDead = !liveness.isLive(lister.node);
      if (!isDead && now - lister.sentAt < patienceMs) continue;
      if (!isDead) liveness.missed(lister.node, now);
      lister.isGivenUp = true;
    }
    this.#settle(now);
    if (now - this.#startedAt >= deadlineMs) {
      this.#giveUp("READ_TIMEOUT", `answered within ${deadlineMs} ms`);
    }
    return Math.min(now + lookMs, this.#startedAt + deadlineMs);
  }

  hurry(_now: Millis): void {}

  #settle(now: Millis): void {
    if (this.isOver) return;
    const counted = this.#asked.filter(({ reply }) => counts(reply)).length;
    if (counted >= this.#need) {
      const lists = this.#asked.flatMap(({ reply }) => (isUsable(reply) ? [reply] : []));
      this.#reply({ kind: "page", ...pageOf(lists, { ...this.#command, now }) });
      return;
    }
    let expected = this.#asked.filter((lister) => isExpected(lister)).length;
    while (counted + expected < this.#need && this.#askNext(now)) expected += 1;
    const isWaiting = this.#asked.some(
      ({ reply, node }) => reply === undefined && this.#parts.liveness.isLive(node),
    );
    if (!isWaiting) this.#giveUp("QUORUM_UNAVAILABLE", "answered");
  }

  #askNext(now: Millis): boolean {
    const node = this.#owners[this.#next];
    if (node === undefined) return false;
    this.#next += 1;
    const lister = { node, sentAt: now, isStarting: false, isGivenUp: false, reply: undefined };
    this.#asked.push(lister);
    this.#ask(now, lister);
    return true;
  }

  #ask(now: Millis, lister: Lister): void {
    const { partition, after, bucket, prefix } = this.#command;
    // Where most keys are filtered out, a page of the replicas is as large as it may be.
    const isFiltered = prefix.length > 0 || bucket !== "";
    const limit = isFiltered ? pageKeysMax : Math.min(this.#command.limit, pageKeysMax);
    lister.sentAt = now;
    lister.isStarting = false;
    const request = this.id;
    this.#parts.out.send(lister.node, { kind: "list", request, partition, after, limit });
  }

  #giveUp(code: string, why: string): void {
    if (this.isOver) return;
    const got =
      this.#asked.length === 0
        ? this.#owners.length
        : this.#asked.filter(({ reply }) => counts(reply)).length;
    const failures = this.#asked.flatMap(({ node, reply }) =>
      reply?.failure === undefined ? [] : [`node ${node} ${reply.failure}`],
    );
    const whose = failures.length === 0 ? "" : ` (${failures.join(", ")})`;
    this.#reply(failed(code, `${got} of ${this.#need} required owners ${why}${whose}`));
  }

  #reply(result: Result): void {
    this.isAnswered = true;
    this.isOver = true;
    this.#parts.table.answered();
    this.#answer(result);
    this.#parts.table.over(this.id);
  }
}

/** What a rebuilding owner lists is used, but it may lack anything. */
function counts(reply: ListReply | undefined): boolean {
  return isUsable(reply) && reply.standing !== "rebuilding";
}

function isUsable(reply: ListReply | undefined): reply is ListReply {
  return reply !== undefined && reply.failure === undefined;
}

function isExpected({ reply, isStarting, isGivenUp }: Lister): boolean {
  return reply === undefined && !isStarting && !isGivenUp;
}
