/**
 * Calls under way: each has one deadline for everything, tries another node when one is lost or
 * says that it cannot, and asks a second one when the first takes unusually long. A write keeps
 * its operation id through all attempts, so that it is applied once.
 */

import type { Key } from "../core/key.ts";
import { deadlineMsMax, deadlineMsMin, hedgeOneIn } from "../core/limits.ts";
import type { Command, Failed } from "../core/message.ts";
import { ClusterError, isClusterCode } from "../errors.ts";
import type { Answer, Connection } from "./connection.ts";
import type { Pool } from "./pool.ts";

export interface Request {
  readonly command: Command;
  /** Where it belongs; absent for commands that any node can answer. */
  readonly key: Key | undefined;
  readonly token: Uint8Array | undefined;
  /** The node that should coordinate; 0 when none in particular. */
  readonly preferred: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Deadlines and hedges are looked at so often: one timer for all calls. */
const sweepMs = 5;
const hedgeMsMin = 25;
/** How long a node is passed over after it let a request wait. */
const avoidMs = 500;
/** A node that cannot is not asked for ever. */
const attemptsMax = 12;

interface Attempt {
  readonly connection: Connection;
  readonly request: number;
  readonly since: number;
}

interface Call {
  readonly request: Request;
  readonly until: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly attempts: Attempt[];
  readonly tried: Set<Connection>;
  tries: number;
  notBefore: number;
  isHedged: boolean;
  /** Sent at least once: a write may have been applied. */
  isSent: boolean;
  lastFailure: Failed | undefined;
  onAbort: (() => void) | undefined;
}

export class Calls {
  readonly #pool: Pool;
  readonly #callsMax: number;
  readonly #mayHedge: boolean;
  readonly #calls = new Set<Call>();
  #timer: NodeJS.Timeout | undefined;
  #hedges = 1;
  #failure: ClusterError | undefined;

  constructor(parts: { pool: Pool; callsMax: number; hedge: boolean }) {
    this.#pool = parts.pool;
    this.#callsMax = parts.callsMax;
    this.#mayHedge = parts.hedge;
  }

  run(request: Request): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (request.signal?.aborted) return Promise.reject(abortedBy(request.signal));
    if (this.#calls.size >= this.#callsMax) {
      const message = `${this.#callsMax} calls wait already; let some finish first`;
      return Promise.reject(new ClusterError("OVERLOADED", message));
    }
    return new Promise((resolve, reject) => {
      const now = performance.now();
      const call: Call = {
        request,
        until: now + request.timeoutMs,
        resolve,
        reject,
        attempts: [],
        tried: new Set(),
        tries: 0,
        notBefore: 0,
        isHedged: false,
        isSent: false,
        lastFailure: undefined,
        onAbort: undefined,
      };
      this.#calls.add(call);
      this.#watch(call);
      this.#hedges = Math.min(100, this.#hedges + 1 / hedgeOneIn);
      this.#attempt(call, now);
    });
  }

  /** Something changed: calls without a node may find one now. */
  retry(): void {
    const now = performance.now();
    for (const call of this.#calls) if (call.attempts.length === 0) this.#attempt(call, now);
  }

  /** Fails every call, also those to come. */
  close(error: ClusterError): void {
    this.#failure = error;
    for (const call of [...this.#calls]) this.#settle(call, error);
  }

  #attempt(call: Call, now: number): boolean {
    if (now < call.notBefore || call.tries >= attemptsMax) return false;
    const { key, preferred, token } = call.request;
    const route = this.#pool.route(key, preferred);
    const connection = route.find((candidate) => !call.tried.has(candidate)) ?? route[0];
    const isBusy = call.attempts.some((attempt) => attempt.connection === connection);
    if (connection === undefined || isBusy) return false;
    call.tried.add(connection);
    call.tries += 1;
    const command = commandOf(call, call.until - now);
    call.isSent = true;
    const attempt: Attempt = {
      connection,
      since: now,
      request: connection.send(command, token, {
        answered: (answer) => this.#answered(call, attempt, answer),
        lost: (why) => this.#lost(call, attempt, why),
      }),
    };
    call.attempts.push(attempt);
    return true;
  }

  #answered(call: Call, attempt: Attempt, answer: Answer): void {
    const now = performance.now();
    attempt.connection.took(now - attempt.since);
    const slow = call.attempts.find((other) => other !== attempt && other.since < attempt.since);
    if (slow !== undefined) slow.connection.avoidUntil = now + avoidMs;
    remove(call.attempts, attempt);
    const { result } = answer;
    if (result.kind !== "failed") {
      this.#settle(call, undefined, answer);
      return;
    }
    call.lastFailure = result;
    if (!isWorthAnotherTry(result) || call.tries >= attemptsMax) {
      if (call.attempts.length === 0) this.#settle(call, errorOf(result));
      return;
    }
    call.notBefore = now + result.retryAfterMs;
    if (call.attempts.length === 0) this.#attempt(call, now);
  }

  #lost(call: Call, attempt: Attempt, why: string): void {
    remove(call.attempts, attempt);
    call.lastFailure ??= {
      kind: "failed",
      code: "CONNECTION_LOST",
      message: why,
      applied: call.request.command.kind === "put" ? "maybe" : "no",
      retryAfterMs: 0,
    };
    if (call.attempts.length === 0) this.#attempt(call, performance.now());
  }

  #settle(call: Call, error: unknown, answer?: Answer): void {
    if (!this.#calls.delete(call)) return;
    for (const { connection, request } of call.attempts) connection.forget(request);
    if (call.onAbort) call.request.signal?.removeEventListener("abort", call.onAbort);
    if (this.#calls.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (answer === undefined) call.reject(error);
    else call.resolve(answer);
  }

  #watch(call: Call): void {
    const { signal } = call.request;
    if (signal !== undefined) {
      call.onAbort = () => this.#settle(call, abortedBy(signal));
      signal.addEventListener("abort", call.onAbort, { once: true });
    }
    this.#timer ??= setInterval(() => this.#sweep(), sweepMs);
  }

  #sweep(): void {
    const now = performance.now();
    for (const call of this.#calls) {
      if (now >= call.until) this.#settle(call, this.#timeoutOf(call));
      else if (call.attempts.length === 0) this.#attempt(call, now);
      else this.#hedge(call, now);
    }
  }

  /** Asks a second node where the first takes far longer than it usually does. */
  #hedge(call: Call, now: number): void {
    const [first] = call.attempts;
    if (!this.#mayHedge || call.isHedged || first === undefined || call.attempts.length > 1) return;
    const { command } = call.request;
    if (command.kind !== "get" && command.kind !== "put") return;
    const patience = Math.max(hedgeMsMin, 8 * first.connection.latencyMs);
    if (now - first.since < patience || this.#hedges < 1) return;
    call.isHedged = true;
    if (this.#attempt(call, now)) {
      this.#hedges -= 1;
      // Others need not wait to learn the same.
      first.connection.avoidUntil = now + avoidMs;
    }
  }

  #timeoutOf(call: Call): ClusterError {
    const { command, timeoutMs } = call.request;
    const isWrite = command.kind === "put";
    if (!call.isSent) {
      const tried = this.#pool.describeFailures();
      const message = `no node was reached within ${timeoutMs} ms: ${tried}`;
      return new ClusterError("NO_ENDPOINT", message, { applied: "no" });
    }
    if (call.lastFailure !== undefined && call.attempts.length === 0) {
      return errorOf(call.lastFailure);
    }
    const message = `no answer within ${timeoutMs} ms`;
    return isWrite
      ? new ClusterError("WRITE_TIMEOUT", `${message}; the write may still be applied`)
      : new ClusterError("READ_TIMEOUT", message);
  }
}

/** A later attempt says so: its operation must be recognised wherever it was applied. */
function commandOf({ request: { command }, isSent }: Call, leftMs: number): Command {
  const deadlineMs = Math.min(deadlineMsMax, Math.max(deadlineMsMin, Math.floor(leftMs)));
  if (command.kind !== "put" || !isSent) return { ...command, deadlineMs };
  return { ...command, deadlineMs, operation: { ...command.operation, retried: true } };
}

function isWorthAnotherTry({ code }: Failed): boolean {
  return code === "OVERLOADED" || code === "NOT_READY" || code === "CLOSED";
}

export function errorOf({ code, message, applied }: Failed): ClusterError {
  return new ClusterError(isClusterCode(code) ? code : "INTERNAL", message, { applied });
}

function abortedBy(signal: AbortSignal): ClusterError {
  return new ClusterError("ABORTED", "the call was aborted", { cause: signal.reason });
}

function remove<T>(from: T[], item: T): void {
  const at = from.indexOf(item);
  if (at >= 0) from.splice(at, 1);
}
