/**
 * Calls under way: each has one deadline for everything, tries another node when one is lost or
 * says that it cannot, and asks a second one when the first takes unusually long. A write keeps
 * its operation id through all attempts, so that it is applied once. Of a node that says nothing
 * at all nobody else asks anything until it speaks, but one now and then.
 */
import { hedgeOneIn } from "../core/limits.ts";
import type { Failed } from "../core/message.ts";
import { ClusterError } from "../errors.ts";
import { AbortWatch } from "./abort-watch.ts";
import {
  type Attempt,
  abortedBy,
  abortOf,
  type Call,
  closeOf,
  commandOf,
  failureOf,
  type Line,
  lostOf,
  mayChange,
  type Request,
  remedyOf,
  timeoutOf,
  type Unreachable,
} from "./call.ts";
import type { Answer } from "./connection.ts";
import { type Tried, TriedFew } from "./routing.ts";

/** Where calls may go. */
export interface Lines {
  /** The best node that has not been tried, else the best there is; undefined: none for now. */
  choose(request: Request, tried: Tried): Line | undefined;
  /** Undefined while one can be reached. */
  describeFailures(): Unreachable | undefined;
}

/** Deadlines and hedges are looked at so often: one timer for all calls. */
const sweepMs = 5;
/** A sweep that comes so late says that this process stood still: answers may lie unread. */
const stallMs = 2 * sweepMs;
/** A node that speaks, but not of this request, has so long, and so many times what is usual. */
const hedgeMsMin = 25;
const hedgeFactor = 8;
const hedgesSavedMax = 100;
/** How long it is passed over after that. */
const avoidMs = 500;
/** One that says nothing at all has less: it stands still, or is frozen, and others are not. */
const muteMsMin = 10;
const muteFactor = 4;
/** Mute for so long, it has none of its requests wait for the budget. */
const frozenMs = 50;
/** Then one request in so long goes there, to see whether it is back. */
const probeMs = 2_000;
/** Where nobody else is heard either, another is asked after a quarter of the deadline. */
const silentMsMin = 100;
const silentMsMax = 1_000;
/** Nodes that one call waits for at a time. */
const askedMax = 3;
/** A node that cannot is not asked for ever … */
const attemptsMax = 12;
/** … and of those that should be able to, not all. */
const elsewhereMax = 2;
const pauseMsMin = 20;
const pauseMsMax = 500;

export class Calls {
  readonly #lines: Lines;
  readonly #callsMax: number;
  readonly #mayHedge: boolean;
  /** In no order. A Set would cost each call more than its place in here. */
  readonly #calls: Call[] = [];
  /** Those that no node can take for now, the longest waiting first. */
  readonly #waiting = new Set<Call>();
  /** Those that were told to come back later. */
  readonly #resting = new Set<Call>();
  readonly #aborts = new AbortWatch<Call>((call) => this.#fail(call, abortOf(call)));
  #timer: NodeJS.Timeout | undefined;
  #sweptAt = 0;
  #isForgiven = false;
  #hedges = 1;
  #isClosed = false;

  constructor(parts: { lines: Lines; callsMax: number; hedge: boolean }) {
    this.#lines = parts.lines;
    this.#callsMax = parts.callsMax;
    this.#mayHedge = parts.hedge;
  }

  run(request: Request): Promise<Answer> {
    const { signal, timeoutMs } = request;
    if (this.#isClosed) return Promise.reject(new ClusterError("CLOSED", "the client was closed"));
    if (signal?.aborted) return Promise.reject(abortedBy(signal, "no"));
    if (this.#calls.length >= this.#callsMax) {
      const message = `${this.#callsMax} calls wait already; let some finish first`;
      return Promise.reject(new ClusterError("OVERLOADED", message));
    }
    return new Promise((resolve, reject) => {
      const now = performance.now();
      const call: Call = {
        request,
        until: now + timeoutMs,
        resolve,
        reject,
        attempts: [],
        tried: new TriedFew(),
        place: this.#calls.length,
        tries: 0,
        elsewhere: 0,
        notBefore: 0,
        isHedged: false,
        isInDoubt: false,
        lastFailure: undefined,
      };
      this.#calls.push(call);
      if (signal !== undefined) this.#aborts.add(signal, call);
      this.#watch(now);
      this.#hedges = Math.min(hedgesSavedMax, this.#hedges + 1 / hedgeOneIn);
      // Whoever waits already goes first.
      if (this.#waiting.size > 0) this.#waiting.add(call);
      else this.#start(call, now);
    });
  }

  /** Something changed: calls without a node may find one now. */
  retry(): void {
    const now = performance.now();
    // Where the first finds none, the others would not either.
    for (const call of this.#waiting) if (!this.#start(call, now)) break;
  }

  /** Fails every call, also those to come. */
  close(): void {
    this.#isClosed = true;
    for (const call of [...this.#calls]) this.#fail(call, closeOf(call));
  }

  /** False when it has to wait for a node. */
  #start(call: Call, now: number): boolean {
    const line = this.#lines.choose(call.request, call.tried);
    if (line === undefined) {
      call.notBefore = 0;
      if (this.#lines.describeFailures()?.isFinal !== true) {
        this.#waiting.add(call);
        return false;
      }
      this.#fail(call, this.#timeoutOf(call));
      return true;
    }
    this.#waiting.delete(call);
    this.#send(call, line, now);
    return true;
  }

  #send(call: Call, line: Line, now: number): void {
    const command = commandOf(call, call.until - now);
    // This one asks whether it is back: the others need not wait for that.
    if (line.mutedAt !== 0) line.avoidUntil = now + probeMs;
    call.tried.add(line);
    call.tries += 1;
    const attempt: Attempt = {
      line,
      since: now,
      request: line.send(command, call.request.token, {
        answered: (answer) => this.#answered(call, attempt, answer),
        lost: (why) => this.#lost(call, attempt, why),
      }),
    };
    call.attempts.push(attempt);
  }

  #answered(call: Call, attempt: Attempt, answer: Answer): void {
    const now = performance.now();
    attempt.line.took(now - attempt.since);
    if (call.attempts.length > 1) avoidSlower(call.attempts, attempt, now);
    remove(call.attempts, attempt);
    const { result } = answer;
    if (result.kind === "failed") this.#refused(call, result, now);
    else this.#settle(call, answer);
    if (this.#waiting.size > 0) this.retry();
  }

  #refused(call: Call, failed: Failed, now: number): void {
    call.lastFailure = failed;
    if (failed.applied !== "no") call.isInDoubt = true;
    if (call.attempts.length > 0) return;
    const remedy = remedyOf(failed);
    const line = remedy === "none" ? undefined : this.#lines.choose(call.request, call.tried);
    const isNew = line !== undefined && !call.tried.has(line);
    if (remedy === "elsewhere" && isNew && call.elsewhere < elsewhereMax) {
      call.elsewhere += 1;
      this.#send(call, line, now);
    } else if (remedy === "later" && call.tries < attemptsMax) {
      const pauseMs = Math.max(failed.retryAfterMs, isNew ? 0 : pauseAfter(call.tries));
      if (now + pauseMs >= call.until) this.#fail(call, failureOf(call, failed));
      else if (isNew && pauseMs === 0) this.#send(call, line, now);
      else {
        call.notBefore = now + pauseMs;
        this.#resting.add(call);
      }
    } else this.#fail(call, failureOf(call, failed));
  }

  #lost(call: Call, attempt: Attempt, why: string): void {
    remove(call.attempts, attempt);
    const failed = lostOf(call, why);
    call.lastFailure = failed;
    if (mayChange(call)) call.isInDoubt = true;
    if (call.attempts.length > 0) return;
    if (call.tries < attemptsMax) this.#start(call, performance.now());
    else this.#fail(call, failureOf(call, failed));
  }

  #fail(call: Call, error: ClusterError): void {
    if (this.#end(call)) call.reject(error);
  }

  #settle(call: Call, answer: Answer): void {
    if (this.#end(call)) call.resolve(answer);
  }

  /** False when it has ended before. */
  #end(call: Call): boolean {
    if (this.#calls[call.place] !== call) return false;
    const last = this.#calls.pop();
    if (last !== undefined && last !== call) {
      this.#calls[call.place] = last;
      last.place = call.place;
    }
    this.#waiting.delete(call);
    this.#resting.delete(call);
    for (const { line, request } of call.attempts) line.forget(request);
    const { signal } = call.request;
    if (signal !== undefined) this.#aborts.delete(signal, call);
    if (this.#calls.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    return true;
  }

  #watch(now: number): void {
    if (this.#timer !== undefined) return;
    this.#sweptAt = now;
    this.#timer = setInterval(() => this.#sweep(), sweepMs);
  }

  #sweep(): void {
    const now = performance.now();
    // Never twice in a row: a process may always be slow.
    this.#isForgiven = !this.#isForgiven && now - this.#sweptAt > stallMs;
    this.#sweptAt = now;
    if (this.#isForgiven) return;
    for (const call of [...this.#calls]) {
      if (this.#calls[call.place] !== call) continue;
      if (now >= call.until) this.#fail(call, this.#timeoutOf(call));
      else if (call.attempts.length > 0) this.#askAnother(call, now);
    }
    for (const call of this.#resting) {
      if (now < call.notBefore) continue;
      this.#resting.delete(call);
      this.#start(call, now);
    }
    this.retry();
  }

  /** Where a node takes far longer than usual, or says nothing at all. */
  #askAnother(call: Call, now: number): void {
    const { command, timeoutMs } = call.request;
    const last = call.attempts.at(-1);
    // An operator's command may take long, and should not be done twice for that.
    if (last === undefined || command.kind === "admin" || now < call.notBefore) return;
    const { line, since } = last;
    const waitedMs = now - since;
    const isUnheard = line.heardAt < since;
    const silentMs = Math.min(silentMsMax, Math.max(silentMsMin, timeoutMs / 4));
    if (isUnheard && waitedMs >= silentMs) {
      mute(line, now);
      // A frozen node is none of the budget's business: without another no call would end well.
      if (call.attempts.length < askedMax && !this.#sendBeside(call, now)) {
        call.notBefore = now + silentMs;
      }
    } else if (this.#mayHedge && command.kind !== "scan") {
      if (isUnheard && waitedMs >= after(muteMsMin, muteFactor, line)) mute(line, now);
      if (call.attempts.length < askedMax) this.#hedge(call, last, now);
    }
  }

  #hedge(call: Call, last: Attempt, now: number): void {
    const { line } = last;
    const isMute = line.mutedAt !== 0;
    const isSlow = isSlowAt(last, now);
    if (!isMute && !isSlow) return;
    const isFree = isMute && now - line.mutedAt >= frozenMs;
    if (!isFree && (call.isHedged || this.#hedges < 1)) return;
    // Where all are mute it is the machine, or the network: to ask more would not help.
    if (!this.#sendBeside(call, now, isMute ? "heard" : "any")) {
      call.notBefore = now + hedgeMsMin;
      return;
    }
    if (!isFree) {
      call.isHedged = true;
      this.#hedges -= 1;
    }
    // Others need not wait to learn the same.
    if (isSlow) avoid(line, now);
  }

  #sendBeside(call: Call, now: number, whom: "any" | "heard" = "any"): boolean {
    const line = this.#lines.choose(call.request, call.tried);
    if (line === undefined || call.tried.has(line)) return false;
    if (whom === "heard" && line.mutedAt !== 0) return false;
    this.#send(call, line, now);
    return true;
  }

  #timeoutOf(call: Call): ClusterError {
    return timeoutOf(call, this.#lines.describeFailures());
  }
}

/** Grows, and differs, so that those who were turned away together do not come back together. */
function pauseAfter(tries: number): number {
  return Math.min(pauseMsMax, pauseMsMin * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
}

function after(leastMs: number, factor: number, { latencyMs }: Line): number {
  return Math.max(leastMs, factor * latencyMs);
}

function isSlowAt({ line, since }: Attempt, now: number): boolean {
  return now - since >= after(hedgeMsMin, hedgeFactor, line);
}

function avoid(line: Line, now: number): void {
  line.avoidUntil = Math.max(line.avoidUntil, now + avoidMs);
}

function mute(line: Line, now: number): void {
  if (line.mutedAt !== 0) return;
  line.mutedAt = now;
  line.avoidUntil = now + probeMs;
}

/** Others that were asked before whoever answers now, if that is long ago. */
function avoidSlower(attempts: readonly Attempt[], { since }: Attempt, now: number): void {
  const slow = attempts.find((other) => other.since < since);
  if (slow !== undefined && isSlowAt(slow, now)) avoid(slow.line, now);
}

function remove<T>(from: T[], item: T): void {
  if (from.length === 1 && from[0] === item) {
    from.pop();
    return;
  }
  const at = from.indexOf(item);
  if (at >= 0) from.splice(at, 1);
}
