/** The time line of one request, kept only for requests that ask for it (`kvctl trace`). */
import type { Millis, NodeId } from "../ids.ts";

interface Line {
  readonly atMs: number;
  readonly node: NodeId;
  readonly what: string;
}

export class Trace {
  readonly #startedAt: Millis;
  readonly #lines: Line[] = [];

  constructor(startedAt: Millis) {
    this.#startedAt = startedAt;
  }

  add(now: Millis, node: NodeId, what: string): void {
    this.#lines.push({ atMs: rounded(now - this.#startedAt), node, what });
  }

  /** The lines of the node that coordinated in our stead, on our clock: it began at `from`. */
  append(text: string | undefined, from: Millis): void {
    for (const line of linesOf(text)) {
      this.#lines.push({ ...line, atMs: rounded(line.atMs + from - this.#startedAt) });
    }
  }

  /** JSON: [{ atMs, node, what }], in order of time. */
  text(): string {
    return JSON.stringify([...this.#lines].sort((a, b) => a.atMs - b.atMs));
  }
}

/** From a peer, so it may be anything. */
function linesOf(text: string | undefined): Line[] {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isLine) : [];
  } catch {
    return [];
  }
}

function isLine(value: unknown): value is Line {
  if (typeof value !== "object" || value === null) return false;
  const { atMs, node, what } = value as Partial<Record<keyof Line, unknown>>;
  return typeof atMs === "number" && typeof node === "number" && typeof what === "string";
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
