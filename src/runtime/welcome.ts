/**
 * Letting a node in: the other side of join.ts. The core decides and agrees on the epoch; here the
 * candidate's clock and address are judged, an attempt is recognised when it is made again, and
 * what the newcomer must know besides the ring (the keys that seal contexts) is added.
 */
import { failed } from "../core/failure.ts";
import type { Command, Failed, Result } from "../core/message.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { encodeRing } from "../core/wire/ring.ts";
import { parseAddress } from "./address.ts";
import type { MacKeys } from "./contexts.ts";
import { skewMsMax } from "./handshake.ts";
import { encodeMacKeys } from "./identity.ts";

type AdminCommand = Command & { readonly kind: "admin" };
type Answer = (result: Result) => void;

export interface WelcomeParts {
  ring(): RingState;
  contextKeys(): MacKeys;
  now(): number;
  /** Hands a command to the core. */
  request(command: Command, answer: Answer): void;
}

/** Attempts that are remembered. */
const attemptsMax = 64;

interface Attempt {
  waiting: Answer[];
  answer: Result | undefined;
}

export class Welcome {
  readonly #parts: WelcomeParts;
  readonly #attempts = new Map<string, Attempt>();

  constructor(parts: WelcomeParts) {
    this.#parts = parts;
  }

  /** False when it is not a command to be let in. */
  answer(command: AdminCommand, answer: Answer): boolean {
    if (command.name === "ring-record") this.#tellRing(answer);
    if (command.name !== "join") return command.name === "ring-record";
    const given = parsed(command.arguments);
    const refusal = this.#refusalOf(given);
    if (refusal !== undefined) answer(refusal);
    else this.#admit(command, String(given["attempt"]), answer);
    return true;
  }

  /** The ring as nodes keep it, for one that was told that it is no member any more. */
  #tellRing(answer: Answer): void {
    const ring = Buffer.from(encodeRing(this.#parts.ring())).toString("base64");
    answer({ kind: "answer", json: JSON.stringify({ ring }) });
  }

  #refusalOf({ address, clock, attempt }: Record<string, unknown>): Failed | undefined {
    if (typeof address !== "string" || (parseAddress(address)?.port ?? 0) === 0) {
      return failed("INVALID_ARGUMENT", "a node that joins says its address as HOST:PORT");
    }
    if (typeof clock !== "number" || typeof attempt !== "string" || attempt.length > 64) {
      return failed("INVALID_ARGUMENT", "a node that joins says its clock and numbers its attempt");
    }
    const skewMs = Math.round(clock - this.#parts.now());
    if (Math.abs(skewMs) <= skewMsMax) return undefined;
    const ahead = skewMs > 0 ? "ahead of" : "behind";
    const message = `the clock of ${address} is ${Math.abs(skewMs)} ms ${ahead} this node's`;
    return failed("CLOCK_SKEW", `${message}; at most ${skewMsMax} ms are allowed`);
  }

  #admit(command: AdminCommand, name: string, answer: Answer): void {
    const known = this.#attempts.get(name);
    if (known !== undefined) {
      if (known.answer === undefined) known.waiting.push(answer);
      else answer(known.answer);
      return;
    }
    const attempt: Attempt = { waiting: [answer], answer: undefined };
    this.#attempts.set(name, attempt);
    const [oldest] = this.#attempts.keys();
    if (this.#attempts.size > attemptsMax && oldest !== undefined) this.#attempts.delete(oldest);
    this.#parts.request(command, (result) => {
      const whole = result.kind === "answer" ? this.#completed(result.json) : result;
      // One that failed may be made again.
      if (whole.kind === "answer") attempt.answer = whole;
      else this.#attempts.delete(name);
      for (const waiting of attempt.waiting.splice(0)) waiting(whole);
    });
  }

  /** The core's own answer, so it is known to be well formed. */
  #completed(json: string): Result {
    const { id, ring } = JSON.parse(json) as { id: number; ring: RingState };
    const contextKeys = encodeMacKeys(this.#parts.contextKeys());
    const bytes = Buffer.from(encodeRing(ring)).toString("base64");
    return { kind: "answer", json: JSON.stringify({ id, ring: bytes, contextKeys }) };
  }
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
