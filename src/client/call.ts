/**
 * One call under way, and how it may end when it has no answer: pure functions from what happened
 * so far to the error that its caller gets, which never says "not applied" of what may be applied.
 */
import type { NodeId } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import { deadlineMsMax, deadlineMsMin } from "../core/limits.ts";
import type { Command, Failed } from "../core/message.ts";
import { type Applied, type ClusterCode, ClusterError, isClusterCode } from "../errors.ts";
import type { Answer, Waiter } from "./connection.ts";
import type { TriedFew } from "./routing.ts";

export interface Request {
  readonly command: Command;
  /** Where on the ring it belongs. Absent when any node can answer. */
  readonly place: Pick<Key, "high"> | undefined;
  readonly token: Uint8Array | undefined;
  /** The node that should coordinate; 0 when none in particular. */
  readonly preferred: NodeId;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/** What calls use of a connection. */
export interface Line {
  /** How long answers usually take. */
  readonly latencyMs: number;
  /** When the node last said anything. */
  readonly heardAt: number;
  /** Later others are asked first, because this one let a request wait. */
  avoidUntil: number;
  /** Since when it says nothing at all; 0 while it speaks: the next word of it ends this. */
  mutedAt: number;
  send(command: Command, token: Uint8Array | undefined, waiter: Waiter): number;
  forget(request: number): void;
  took(ms: number): void;
}

/** Why no node can be reached. */
export interface Unreachable {
  readonly code: ClusterCode;
  /** Each node with its reason. */
  readonly why: string;
  /** Nodes were reached, but let this client not in: to wait for them is no use. */
  readonly isFinal: boolean;
}

export interface Attempt {
  readonly line: Line;
  readonly request: number;
  readonly since: number;
}

export interface Call {
  readonly request: Request;
  readonly until: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  /** Sent and not answered yet, the latest last. */
  readonly attempts: Attempt[];
  readonly tried: TriedFew;
  /** Where it stands among all calls. */
  place: number;
  tries: number;
  /** Attempts that were made because a node could not do it itself. */
  elsewhere: number;
  notBefore: number;
  isHedged: boolean;
  /** An attempt is over of which nobody knows whether the node acted. */
  isInDoubt: boolean;
  lastFailure: Failed | undefined;
}

/** `later`: this node cannot now. `elsewhere`: it cannot, but others may. */
export type Remedy = "later" | "elsewhere" | "none";

const later: ReadonlySet<string> = new Set(["OVERLOADED", "NOT_READY", "CLOSED"]);
/** The node's own trouble, or its own view of who can be reached. */
const elsewhere: ReadonlySet<string> = new Set([
  ...["QUORUM_UNAVAILABLE", "DISK_FULL", "HINTS_FULL"],
  ...["CORRUPTION", "IO", "LOG_FAILED", "INTERNAL"],
]);

export function remedyOf({ code }: Failed): Remedy {
  if (later.has(code)) return "later";
  return elsewhere.has(code) ? "elsewhere" : "none";
}

/** So much earlier the node gives up, so that what it then says arrives in time. */
const returnMsMax = 50;

/** A later attempt says so: its operation must be recognised wherever it was applied. */
export function commandOf({ request: { command }, tries }: Call, leftMs: number): Command {
  const nodeMs = Math.floor(leftMs - Math.min(returnMsMax, leftMs / 10));
  const deadlineMs = Math.min(deadlineMsMax, Math.max(deadlineMsMin, nodeMs));
  if (command.kind !== "put" || tries === 0) return { ...command, deadlineMs };
  return { ...command, deadlineMs, operation: { ...command.operation, retried: true } };
}

export function mayChange({ request: { command } }: Call): boolean {
  return command.kind === "put" || command.kind === "admin";
}

export function lostOf(call: Call, message: string): Failed {
  const applied = mayChange(call) ? "maybe" : "no";
  return { kind: "failed", code: "CONNECTION_LOST", message, applied, retryAfterMs: 0 };
}

/** What a node said, unless an earlier attempt may have done what this one could not. */
export function failureOf(call: Call, { code, message, applied }: Failed): ClusterError {
  const known = isClusterCode(code) ? code : "INTERNAL";
  const text = known === code ? message : `${code}: ${message}`;
  return new ClusterError(known, text, { applied: applied === "no" ? appliedOf(call) : applied });
}

export function abortOf(call: Call): ClusterError {
  return abortedBy(call.request.signal, appliedOf(call));
}

export function abortedBy(signal: AbortSignal | undefined, applied: Applied): ClusterError {
  return new ClusterError("ABORTED", "the call was aborted", { cause: signal?.reason, applied });
}

export function closeOf(call: Call): ClusterError {
  return new ClusterError("CLOSED", "the client was closed", { applied: appliedOf(call) });
}

/** `why` nobody is being asked; undefined when there are connections, but all are full. */
export function timeoutOf(call: Call, unreachable: Unreachable | undefined): ClusterError {
  const { command, timeoutMs } = call.request;
  const applied = appliedOf(call);
  const isWrite = command.kind === "put";
  if (call.attempts.length > 0) {
    const message = `no answer within ${timeoutMs} ms`;
    return isWrite
      ? new ClusterError("WRITE_TIMEOUT", `${message}; the write may still be applied`)
      : new ClusterError("READ_TIMEOUT", message, { applied });
  }
  if (call.notBefore > 0 && call.lastFailure !== undefined)
    return failureOf(call, call.lastFailure);
  if (unreachable === undefined) {
    const message = `every connection was full of requests for ${timeoutMs} ms`;
    return new ClusterError("OVERLOADED", message, { applied });
  }
  const { code, why, isFinal } = unreachable;
  const message = isFinal
    ? `not let in: ${why}`
    : `no node was reached within ${timeoutMs} ms: ${why}`;
  if (applied === "no") return new ClusterError(code, message);
  const lost = call.lastFailure?.message ?? "the connection was lost";
  return new ClusterError("CONNECTION_LOST", `${lost}; then ${message}`, { applied });
}

function appliedOf(call: Call): Applied {
  return mayChange(call) && (call.isInDoubt || call.attempts.length > 0) ? "maybe" : "no";
}
