/**
 * Being let into a cluster: a node with an empty directory asks the nodes it was told of, one after
 * the other, until one lets it in or says why never. It never founds a cluster instead.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { NodeId } from "../core/ids.ts";
import type { Candidate } from "../core/message.ts";
import { checkRing } from "../core/ring/check-ring.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { decodeRing } from "../core/wire/ring.ts";
import { ClusterError, isClusterCode } from "../errors.ts";
import { type AnswerToAsk, ask } from "./ask.ts";
import type { MacKeys } from "./contexts.ts";
import type { Dialler } from "./gate.ts";
import { decodeMacKeys } from "./identity.ts";
import type { Log } from "./log.ts";

export interface Joined {
  readonly id: NodeId;
  readonly ring: RingState;
  readonly contextKeys: MacKeys;
}

export interface JoinOptions {
  readonly seeds: readonly string[];
  readonly candidate: Candidate;
  /** Numbers all attempts: a node that let us in, and whose answer was lost, says so again. */
  readonly attempt: string;
  /** Only proposes: it waits as a member that is none yet, until the plan is committed. */
  readonly stage: boolean;
  readonly timeoutMs: number;
  readonly log: Log;
  /** How this node shows that it may be one of theirs. */
  readonly gate: Dialler;
  now(): number;
  /** Throws when this node does not fit into that cluster; asked before anything changes. */
  check(ring: { readonly n: number; readonly partitions: number }): void;
}

interface Attempt extends JoinOptions {
  /** Whoever has this node's address will keep it. */
  readonly isInUse: boolean;
}

/** What a node is asked before it lets another in. */
interface Described {
  readonly n: number;
  readonly partitions: number;
}

/** Later attempts cannot end otherwise. */
const final: ReadonlySet<string> = new Set([
  ...["CLOCK_SKEW", "INVALID_ARGUMENT", "PROTOCOL_UNSUPPORTED"],
  ...["PEER_AUTH_FAILED", "TLS_FAILED"],
]);

const attemptMs = 10_000;
/** The member that was at this address may have died just now, and be taken for live a while. */
const inUseMsMax = 15_000;
const pauseMsMin = 100;
const pauseMsMax = 1_000;

export async function joinCluster(options: JoinOptions): Promise<Joined> {
  const begunAt = performance.now();
  const until = begunAt + options.timeoutMs;
  const patientUntil = begunAt + Math.min(inUseMsMax, options.timeoutMs / 2);
  let pauseMs = pauseMsMin;
  for (;;) {
    const tried: string[] = [];
    for (const seed of options.seeds) {
      const isInUse = performance.now() > patientUntil;
      const joined = await askSeed(seed, { ...options, isInUse });
      if (typeof joined !== "string") return joined;
      tried.push(joined);
    }
    options.log.warn("join.unreachable", { tried });
    if (performance.now() + pauseMs > until) {
      throw new ClusterError("SEED_UNREACHABLE", `no node let this one in: ${tried.join("; ")}`);
    }
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMsMax, 2 * pauseMs);
  }
}

/** What came of it, or in words why nothing did. */
async function askSeed(
  seed: string,
  { candidate, attempt, stage, check, now, gate, isInUse }: Attempt,
): Promise<Joined | string> {
  const describe = { name: "ring", arguments: {}, timeoutMs: attemptMs };
  const described = await ask(seed, describe, gate);
  const ring = described.kind === "answer" ? describedIn(described.json) : undefined;
  if (ring === undefined) return reason(seed, described);
  check(ring);
  const letIn = {
    name: "join",
    arguments: { ...candidate, clock: Math.floor(now()), attempt, stage },
    timeoutMs: attemptMs,
  };
  const answer = await ask(seed, letIn, gate);
  const joined = answer.kind === "answer" ? joinedIn(answer.json) : undefined;
  if (joined !== undefined) return joined;
  const isFinal = answer.kind === "failed" && answer.code === "NODE_ID_IN_USE" && isInUse;
  if (isFinal) throw new ClusterError("NODE_ID_IN_USE", `${seed}: ${answer.message}`);
  return reason(seed, answer);
}

function reason(seed: string, answer: AnswerToAsk): string {
  if (answer.kind === "answer") return `${seed}: its answer could not be read`;
  const { code, message } = answer;
  if (final.has(code) && isClusterCode(code)) throw new ClusterError(code, `${seed}: ${message}`);
  return message.startsWith(seed) ? message : `${seed}: ${message}`;
}

function describedIn(json: unknown): Described | undefined {
  const { n, owners } = (json ?? {}) as Record<string, unknown>;
  if (typeof n !== "number" || !Array.isArray(owners)) return undefined;
  return { n, partitions: owners.length };
}

function joinedIn(json: unknown): Joined | undefined {
  const { id, ring, contextKeys } = (json ?? {}) as Record<string, unknown>;
  const keys = decodeMacKeys(contextKeys);
  if (typeof id !== "number" || typeof ring !== "string" || keys === undefined) return undefined;
  const state = decodeRing(new Uint8Array(Buffer.from(ring, "base64")));
  if (state === undefined || checkRing(state).length > 0) return undefined;
  return { id, ring: state, contextKeys: keys };
}
