/**
 * How nodes prove to each other that they hold the cluster's secret, without ever sending it. The
 * dialler signs what its hello says, a nonce and the time (HMAC-SHA256); the other side signs that
 * nonce in its answer. A proof is taken once, within seconds, by the node that it names, so a
 * recorded one is worth nothing. A clock that is off does no harm: a refusal tells the judge's
 * time, and the dialler signs that one when it tries again.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Headers } from "./sockets.ts";

export const nonceHeader = "everwrite-nonce";
export const proofHeader = "everwrite-proof";
export const timeHeader = "everwrite-time";

/** How far the time of a proof may be from the judge's. */
export const proofMsMax = 10_000;
/** Only valid proofs are remembered, so only members could fill this. */
const noncesMax = 1 << 16;

/** The newest first: it signs, all of them are taken. So a secret is changed without a pause. */
export type PeerSecrets = readonly [Buffer, ...Buffer[]];

const secretBytesMin = 16;

/** One secret a line; undefined when one is too short, or there is none. */
export function parseSecrets(text: string): PeerSecrets | undefined {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const [first, ...others] = lines.filter((line) => line !== "").map((line) => Buffer.from(line));
  if (first === undefined) return undefined;
  const all = [first, ...others];
  if (all.some(({ length }) => length < secretBytesMin)) return undefined;
  return [keyOf(first), ...others.map(keyOf)];
}

export interface Proof {
  readonly headers: Headers;
  /** Whether the answer shows that the other side holds the secret, too. */
  isAnswered(headers: Readonly<Record<string, unknown>>): boolean;
}

/** `claims` are the headers of the hello, which the proof covers. */
export function prove(claims: Headers, secrets: PeerSecrets, time: number): Proof {
  const nonce = randomBytes(16).toString("hex");
  const stamp = { nonce, time: String(Math.floor(time)) };
  const [newest] = secrets;
  const proof = markOf(newest, "hello", textOf(claims, stamp)).toString("hex");
  return {
    headers: { [nonceHeader]: nonce, [timeHeader]: stamp.time, [proofHeader]: proof },
    isAnswered: (headers) => {
      const answer = headers[proofHeader];
      return secrets.some((secret) => isMark(answer, answerTo(secret, nonce, claims)));
    },
  };
}

export type ProofVerdict =
  | { readonly kind: "proved"; readonly headers: Headers; readonly secret: Buffer }
  /** `isStale`: whoever made it holds the secret, but it comes too late, too early, or again. */
  | { readonly kind: "refused"; readonly why: string; readonly isStale: boolean };

/** Judges proofs, and remembers those it took for as long as they could be shown again. */
export class ProofJudge {
  readonly #startedAt: number;
  /** By nonce, until when it matters; in the order in which they came. */
  readonly #taken = new Map<string, number>();

  constructor(now: number) {
    this.#startedAt = now;
  }

  judge(
    shown: Readonly<Record<string, unknown>>,
    {
      claims,
      secrets,
      now,
    }: {
      readonly claims: Headers;
      readonly secrets: PeerSecrets;
      readonly now: number;
    },
  ): ProofVerdict {
    const { [nonceHeader]: nonce, [proofHeader]: proof, [timeHeader]: time } = shown;
    if (typeof nonce !== "string" || typeof time !== "string" || proof === undefined) {
      return refused("a node must prove that it holds the cluster's secret");
    }
    if (!/^[0-9a-f]{32}$/.test(nonce) || !/^\d{1,15}$/.test(time)) {
      return refused("the proof is malformed");
    }
    const text = textOf(claims, { nonce, time });
    const secret = secrets.find((one) => isMark(proof, markOf(one, "hello", text)));
    if (secret === undefined) return refused("the proof was made with another secret");
    const age = now - Number(time);
    // What an earlier process took is not remembered, so nothing older than this one counts.
    if (Math.abs(age) > proofMsMax || Number(time) < this.#startedAt - 1) {
      return stale(`the proof's time is ${Math.round(Math.abs(age))} ms off`);
    }
    this.#forget(now);
    if (this.#taken.has(nonce)) return stale("the proof was shown before");
    if (this.#taken.size >= noncesMax) return stale("too many proofs at a time");
    this.#taken.set(nonce, now + 2 * proofMsMax);
    const headers = { [proofHeader]: answerTo(secret, nonce, claims).toString("hex") };
    return { kind: "proved", headers, secret };
  }

  #forget(now: number): void {
    for (const [nonce, until] of this.#taken) {
      if (until > now) return;
      this.#taken.delete(nonce);
    }
  }
}

function answerTo(secret: Buffer, nonce: string, claims: Headers): Buffer {
  return markOf(secret, "answer", textOf(claims, { nonce, time: "" }));
}

function textOf(
  claims: Headers,
  { nonce, time }: { readonly nonce: string; readonly time: string },
): string {
  const lines = Object.entries(claims).map(([name, value]) => `${name}: ${value}`);
  return [...lines.sort(), nonce, time].join("\n");
}

/** Lines of any length as keys of one length. */
function keyOf(line: Buffer): Buffer {
  return createHash("sha256").update("everwrite peer secret 1\0").update(line).digest();
}

function markOf(secret: Buffer, direction: "hello" | "answer", text: string): Buffer {
  return createHmac("sha256", secret).update(`${direction}\n${text}`).digest();
}

function isMark(given: unknown, expected: Buffer): boolean {
  if (typeof given !== "string" || !/^[0-9a-f]{64}$/.test(given)) return false;
  return timingSafeEqual(Buffer.from(given, "hex"), expected);
}

function refused(why: string): ProofVerdict {
  return { kind: "refused", why, isStale: false };
}

function stale(why: string): ProofVerdict {
  return { kind: "refused", why, isStale: true };
}
