/**
 * What happened in a world, as one number: SHA-256 over every frame that was sent, when, by whom
 * and to whom, and over all that nodes noticed. Two runs of one seed give the same, or chance or
 * real time has crept in. The latest lines are kept for whoever stops a run in the middle.
 */
import { createHash } from "node:crypto";
import type { NodeId } from "../../src/core/ids.ts";

const linesMax = 60;

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #head = new Float64Array(3);
  readonly #headBytes = new Uint8Array(this.#head.buffer);
  readonly #lines: string[] = [];
  /** Lines cost more than all the rest, and few want them. */
  keepsLines = false;

  frame(at: number, { from, to }: { from: NodeId; to: NodeId }, bytes: Uint8Array): void {
    this.#head[0] = at;
    this.#head[1] = from;
    this.#head[2] = to;
    this.#hash.update(this.#headBytes).update(bytes);
  }

  /** `text` is only made when somebody looks at it. */
  say(at: number, node: NodeId, text: () => string): void {
    if (!this.keepsLines) return;
    this.#lines.push(`${at.toFixed(3)} node ${node} ${text()}`);
    if (this.#lines.length > linesMax) this.#lines.shift();
  }

  note(at: number, node: NodeId, what: unknown): void {
    this.#hash.update(`${at} ${node} ${JSON.stringify(what)}\n`);
    this.say(at, node, () => `notes ${JSON.stringify(what)}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Of everything up to now. */
  digest(): string {
    return this.#hash.copy().digest("hex");
  }
}
