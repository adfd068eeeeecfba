/**
 * What happened in a world, as one number: SHA-256 over every frame that was sent, when, by whom
 * and to whom, and over all that nodes noticed. Two runs of one seed give the same, or chance or
 * real time has crept in. The latest lines are kept for whoever stops a run in the middle.
 */
import { createHash } from "node:crypto";
import type { NodeId } from "../../src/core/ids.ts";

const linesMax = 60;
/** Hashed at a time: a call for each frame would cost more than the hashing. */
const pageBytes = 64 << 10;
const headBytes = 24;

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #page = Buffer.alloc(pageBytes);
  #filled = 0;
  readonly #lines: string[] = [];
  /** Lines cost more than all the rest, and few want them. */
  keepsLines = false;

  frame(at: number, { from, to }: { from: NodeId; to: NodeId }, bytes: Uint8Array): void {
    this.#makeRoom(headBytes + bytes.length);
    this.#filled = this.#page.writeDoubleLE(at, this.#filled);
    this.#filled = this.#page.writeDoubleLE(from, this.#filled);
    this.#filled = this.#page.writeDoubleLE(to, this.#filled);
    this.#add(bytes);
  }

  /** `text` is only made when somebody looks at it. */
  say(at: number, node: NodeId, text: () => string): void {
    if (!this.keepsLines) return;
    this.#lines.push(`${at.toFixed(3)} node ${node} ${text()}`);
    if (this.#lines.length > linesMax) this.#lines.shift();
  }

  note(at: number, node: NodeId, what: unknown): void {
    const text = JSON.stringify(what);
    this.#add(Buffer.from(`${at} ${node} ${text}\n`));
    this.say(at, node, () => `notes ${text}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Of everything up to now. */
  digest(): string {
    this.#flush();
    return this.#hash.copy().digest("hex");
  }

  #add(bytes: Uint8Array): void {
    this.#makeRoom(bytes.length);
    if (bytes.length > pageBytes) this.#hash.update(bytes);
    else {
      this.#page.set(bytes, this.#filled);
      this.#filled += bytes.length;
    }
  }

  #makeRoom(bytes: number): void {
    if (this.#filled + bytes > pageBytes) this.#flush();
  }

  #flush(): void {
    this.#hash.update(this.#page.subarray(0, this.#filled));
    this.#filled = 0;
  }
}
