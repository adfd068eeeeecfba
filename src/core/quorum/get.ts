/**
 * One read in flight. It asks as many replicas as it needs, one for the whole and the others for
 * digests; the dead, the slow and those whose word does not count are replaced by the next. Where
 * digests differ it fetches and merges all of them. After the answer it repairs who is behind.
 */
import { isEmpty, noVersions, type Versions } from "../clock/versions.ts";
import { failed } from "../failure.ts";
import type { Millis, NodeId, RequestId } from "../ids.ts";
import type { Command, Hash, ReplicaMessage, Result } from "../message.ts";
import { defaultsOf } from "./defaults.ts";
import type { Answer, Flight, FlightParts } from "./parts.ts";
import { type Readers, readersOf } from "./placement.ts";
import { Trace } from "./trace.ts";
import { foundOf } from "./visible.ts";
import {
  type Asked,
  askedOf,
  type Count,
  countVotes,
  digestIn,
  emptyDigest,
  isBehind,
  isKnown,
  mergeAll,
} from "./votes.ts";

export type GetCommand = Command & { readonly kind: "get" };
type ReadReply = ReplicaMessage & { readonly kind: "read-reply" };

/** How often a slow read looks at its peers; and how long it waits to repair after its answer. */
const lookMs = 50;
const repairWaitMs = 1_000;

export class Get implements Flight {
  readonly id: RequestId;
  readonly #parts: FlightParts;
  readonly #command: GetCommand;
  readonly #answer: Answer;
  readonly #asked: Asked[] = [];
  #readers: Readers = { nodes: [], owners: 0, farOwners: 0, reachable: 0 };
  /** Readers before this one have been asked. */
  #next = 0;
  #need = 0;
  #startedAt: Millis = 0;
  /** When another replica is asked, if the budget allows; 0 once that is decided. */
  #hedgeAt: Millis = 0;
  /** When it was last looked at, one that is waited for had said nothing since it was asked. */
  #isOneMute = false;
  #fastest: NodeId | undefined;
  #trace: Trace | undefined;
  #merged: Versions = noVersions;
  #mergedDigest: Hash = emptyDigest;
  #answeredAt: Millis = 0;
  isAnswered = false;
  isOver = false;

  constructor(parts: FlightParts, id: RequestId, command: GetCommand, answer: Answer) {
    this.id = id;
    this.#parts = parts;
    this.#command = command;
    this.#answer = answer;
  }

  start(now: Millis): Millis {
    const { liveness, standing, tuning, hedges } = this.#parts;
    const { key, strict, trace, deadlineMs } = this.#command;
    const ring = this.#parts.ring();
    const partition = ring.partitionOf(key);
    const owners = ring.near(partition);
    this.#startedAt = now;
    this.#need = Math.min(this.#command.r ?? defaultsOf(this.#parts, key.bucket).r, owners.length);
    const isSelfLast = standing.of(partition) === "rebuilding";
    this.#readers = readersOf({ ring, partition, liveness, strict, isSelfLast, turn: key.low });
    if (trace) this.#trace = new Trace(now);
    const where = `partition ${partition}, owners ${owners.join(" ")}`;
    this.#trace?.add(now, ring.self, `coordinates: ${where}, r=${this.#need}`);
    if (this.#readers.reachable < this.#need) {
      this.#giveUp("QUORUM_UNAVAILABLE", "can be reached", owners);
      return now;
    }
    let slowestMs = 0;
    while (this.#next < this.#need) {
      const node = this.#readers.nodes[this.#next] ?? ring.self;
      slowestMs = Math.max(slowestMs, liveness.latencyMs(node));
      this.#askNext(now, this.#next === 0);
    }
    hedges.earn();
    this.#hedgeAt = now + Math.max(tuning.hedgeMsMin, slowestMs * tuning.hedgeFactor);
    return Math.min(this.#hedgeAt, now + Math.min(deadlineMs, lookMs));
  }

  receive(now: Millis, from: NodeId, message: ReplicaMessage): void {
    if (message.kind !== "read-reply" || this.isOver) return;
    const asked = this.#asked.find(({ node }) => node === from);
    if (asked === undefined || asked.state === "answered") return;
    if (message.failure === undefined && asked.wantsFull && message.versions === undefined) return;
    this.#take(now, asked, message);
    if (this.isAnswered) this.#repairLate(asked);
    else this.#settle(now);
  }

  wake(now: Millis): Millis {
    if (this.isAnswered) {
      if (now - this.#answeredAt >= repairWaitMs) this.hurry(now);
      return now + repairWaitMs;
    }
    const deadlineAt = this.#startedAt + this.#command.deadlineMs;
    this.#look(now);
    if (!this.isAnswered && now >= deadlineAt) this.#expire(now);
    if (!this.isAnswered && this.#hedgeAt !== 0 && now >= this.#hedgeAt) this.#hedge(now);
    const next = Math.min(deadlineAt, now + lookMs);
    return this.#hedgeAt === 0 ? next : Math.min(next, this.#hedgeAt);
  }

  hurry(_now: Millis): void {
    if (this.isAnswered) this.#end();
  }

  #take(now: Millis, asked: Asked, message: ReadReply): void {
    const tookMs = now - asked.sentAt;
    if (asked.node !== this.#parts.self) this.#parts.liveness.answered(asked.node, now, tookMs);
    asked.failure = message.failure;
    if (message.failure !== undefined) {
      asked.state = message.failure === "NOT_READY" ? "starting" : "failed";
      this.#trace?.add(now, asked.node, `fails: ${message.failure}`);
      return;
    }
    asked.state = "answered";
    asked.standing = message.standing;
    asked.digest = message.digest;
    asked.versions = message.versions;
    if (asked.isOwner) this.#fastest ??= asked.node;
    this.#trace?.add(now, asked.node, described(message));
  }

  #settle(now: Millis): void {
    this.#fetchUnknown(now);
    let count = countVotes(this.#asked);
    if (count.strong >= this.#need) {
      this.#succeed(now, false);
      return;
    }
    while (count.strong + count.expected < this.#need && this.#askNext(now, !this.#hasFull())) {
      count = countVotes(this.#asked);
    }
    if (count.waiting === 0) this.#conclude(now, count, "QUORUM_UNAVAILABLE", "answered");
  }

  /** Nobody is left to ask: the weak votes count now, or it was not enough. */
  #conclude(now: Millis, { strong, weak }: Count, code: string, why: string): void {
    if (strong + weak >= this.#need) this.#succeed(now, true);
    else this.#giveUp(code, why, []);
  }

  #expire(now: Millis): void {
    const why = `answered within ${this.#command.deadlineMs} ms`;
    for (const { state, node } of this.#asked) {
      if (state === "waiting") this.#parts.liveness.missed(node, now);
    }
    this.#conclude(now, countVotes(this.#asked), "READ_TIMEOUT", why);
  }

  /** Digests that differ from all that is known: their replicas are asked for the whole. */
  #fetchUnknown(now: Millis): void {
    const isMismatch = this.#asked.some(({ versions }) => versions !== undefined);
    for (const asked of this.#asked) {
      if (asked.state !== "answered" || isKnown(asked, this.#asked)) continue;
      // The whole is still on its way, and may well be what this digest stands for.
      if (!isMismatch && this.#hasFull()) continue;
      asked.wantsFull = true;
      asked.state = "waiting";
      asked.sentAt = now;
      this.#trace?.add(now, asked.node, "its digest differs: asked for the whole");
      this.#send(asked.node, true, now);
    }
  }

  #hasFull(): boolean {
    return this.#asked.some(
      ({ state, wantsFull, versions, isOverdue }) =>
        versions !== undefined || (state === "waiting" && wantsFull && !isOverdue),
    );
  }

  /** Asks the next live reader; false when there is none. */
  #askNext(now: Millis, wantsFull: boolean): boolean {
    const { nodes, owners, farOwners } = this.#readers;
    for (;;) {
      const node = nodes[this.#next];
      if (node === undefined) return false;
      this.#next += 1;
      if (!this.#parts.liveness.isLive(node)) continue;
      const isFar = this.#next > nodes.length - farOwners;
      const isOwner = isFar || this.#next <= owners;
      this.#asked.push(askedOf(node, { isOwner, isFar, wantsFull }, now));
      this.#trace?.add(now, node, wantsFull ? "asked" : "asked for a digest");
      this.#send(node, wantsFull, now);
      return true;
    }
  }

  #send(to: NodeId, full: boolean, now: Millis): void {
    const { key } = this.#command;
    const deadlineMs = Math.max(1, this.#startedAt + this.#command.deadlineMs - now);
    this.#parts.out.send(to, { kind: "read", request: this.id, key, full, deadlineMs });
  }

  /** The dead are replaced at once, and so are those that miss their time. */
  #look(now: Millis): void {
    const { liveness, tuning } = this.#parts;
    const missAfterMs = Math.min(tuning.missAfterMs, this.#command.deadlineMs / 2);
    let isChanged = false;
    for (const asked of this.#asked) {
      if (asked.state === "starting" && now - asked.sentAt >= tuning.startingMs) {
        this.#askAgain(now, asked);
      }
      if (asked.state !== "waiting") continue;
      if (!liveness.isLive(asked.node)) {
        asked.state = "failed";
        asked.failure = "down";
      } else if (!asked.isOverdue && now - asked.sentAt >= missAfterMs) {
        liveness.missed(asked.node, now);
        asked.isOverdue = true;
      } else continue;
      this.#trace?.add(now, asked.node, asked.failure ?? "is overdue");
      isChanged = true;
    }
    if (isChanged) this.#settle(now);
  }

  #askAgain(now: Millis, asked: Asked): void {
    asked.state = "waiting";
    asked.failure = undefined;
    asked.sentAt = now;
    this.#trace?.add(now, asked.node, "was starting: asked again");
    this.#send(asked.node, asked.wantsFull, now);
  }

  /**
   * Slower than usual: one owner more is asked, for the whole, within the budget. Beyond it only
   * where a node is still silent at a second look: those who read later ask it last, so that they
   * are few; and at the first this node may itself have stood still, with answers unread.
   */
  #hedge(now: Millis): void {
    const wasMute = this.#isOneMute;
    this.#isOneMute = this.#isAnyMute();
    this.#hedgeAt = 0;
    const node = this.#readers.nodes[this.#next];
    if (node === undefined || this.#next >= this.#readers.owners) return;
    if (this.#parts.hedges.take() || (wasMute && this.#isOneMute)) {
      if (this.#askNext(now, true)) this.#parts.out.notice({ kind: "hedged", node });
    } else if (this.#isOneMute) this.#hedgeAt = now + lookMs;
  }

  #isAnyMute(): boolean {
    let isAny = false;
    for (const { state, node, sentAt } of this.#asked) {
      if (state === "waiting" && this.#parts.liveness.late(node, sentAt)) isAny = true;
    }
    return isAny;
  }

  #succeed(now: Millis, isWeak: boolean): void {
    const { self } = this.#parts;
    this.#merged = mergeAll(this.#asked);
    this.#mergedDigest = digestIn(this.#asked, this.#merged);
    const behind = this.#asked.filter((asked) => isBehind(asked, this.#mergedDigest));
    for (const { node } of behind) this.#trace?.add(now, node, "is behind: repaired afterwards");
    this.#trace?.add(now, self, `answers: ${this.#merged.siblings.length} values`);
    const fastest = this.#fastest ?? self;
    const degraded = isWeak && isEmpty(this.#merged);
    const trace = this.#trace?.text();
    this.#reply(now, foundOf(this.#merged, { now, fastest, degraded, trace }));
    for (const { node } of behind) this.#repair(node);
    if (!this.#asked.some(({ state }) => state === "waiting")) this.#end();
  }

  #repairLate(asked: Asked): void {
    if (isBehind(asked, this.#mergedDigest)) this.#repair(asked.node);
    if (!this.#asked.some(({ state }) => state === "waiting")) this.#end();
  }

  #repair(node: NodeId): void {
    if (isEmpty(this.#merged)) return;
    const { key } = this.#command;
    this.#parts.out.notice({ kind: "read-repair", key, node });
    this.#parts.out.send(node, {
      kind: "write",
      request: this.id,
      key,
      versions: this.#merged,
      round: 0,
      hintFor: [],
      relay: [],
      repair: true,
      deadlineMs: repairWaitMs,
    });
  }

  #giveUp(code: string, why: string, owners: readonly NodeId[]): void {
    const isDead = (node: NodeId): boolean => !this.#parts.liveness.isLive(node);
    const reasons = owners.filter(isDead).map((node) => `node ${node} down`);
    for (const { node, state, failure, isOwner, standing } of this.#asked) {
      if (failure !== undefined) reasons.push(`node ${node} ${failure}`);
      else if (state === "waiting") reasons.push(`node ${node} no answer`);
      else if (isOwner && standing !== "current") reasons.push(`node ${node} ${standing}`);
    }
    const { strong, weak } = countVotes(this.#asked);
    const got = owners.length > 0 ? this.#readers.reachable : strong + weak;
    const whom = this.#command.strict ? "owners" : "replicas";
    const whose = reasons.length === 0 ? "" : ` (${reasons.join(", ")})`;
    const message = `${got} of ${this.#need} required ${whom} ${why}${whose}`;
    this.#reply(this.#startedAt, failed(code, message));
    this.#end();
  }

  #reply(now: Millis, result: Result): void {
    this.isAnswered = true;
    this.#answeredAt = now;
    this.#parts.table.answered();
    this.#answer(result);
  }

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#parts.table.over(this.id);
  }
}

function described({ standing, versions }: ReadReply): string {
  const what = versions === undefined ? "a digest" : `${versions.siblings.length} values`;
  return standing === "current" ? `answers ${what}` : `answers ${what}, ${standing}`;
}
