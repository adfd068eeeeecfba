/**
 * A session: reads never go back behind what this session has already read or written of a key.
 * The client remembers the contexts; a read that knows less is asked again of more replicas, and
 * fails with SESSION_NOT_SATISFIED when even they know less (too many of them are away).
 */
import { type CausalContext, includesContext } from "../core/clock/versions.ts";
import { readContext } from "../core/context-token.ts";
import { ClusterError, isClusterError } from "../errors.ts";
import type {
  Bucket,
  BytesInput,
  CallOptions,
  DeleteOptions,
  Found,
  GetOptions,
  PutOptions,
  ScanOptions,
  Session,
  Stored,
} from "./api.ts";
import { Context } from "./context.ts";
import { deadlineAfter } from "./deadline.ts";
import { bytesOf, timeoutFrom } from "./input.ts";
import { inLanes } from "./lanes.ts";
import { readOptions, update } from "./update.ts";

/** Keys that a session remembers; beyond it the longest unused is forgotten. */
const keysMax = 10_000;

export interface SessionParts {
  readonly bucket: Bucket;
  readonly timeoutMs: number;
  /** Copies of each key: a read of all of them decides. */
  n(): number;
}

export class ClusterSession implements Session {
  readonly #parts: SessionParts;
  /** By key in hex: what was seen, none of it included in another. */
  readonly #seen = new Map<string, readonly Context[]>();

  constructor(parts: SessionParts, token?: string) {
    this.#parts = parts;
    if (token !== undefined) this.#restore(token);
  }

  get token(): string {
    const seen = [...this.#seen].map(([key, contexts]) => [key, contexts.map(String)]);
    return Buffer.from(JSON.stringify(seen)).toString("base64url");
  }

  async get(key: BytesInput, options: GetOptions = {}): Promise<Found> {
    const bytes = bytesOf(key, "key");
    const name = nameOf(bytes);
    const left = deadlineAfter(this.#timeoutOf(options));
    let found = await this.#parts.bucket.get(bytes, options);
    // More replicas each time: they may know together what one does not, also with one away.
    for (let r = (options.r ?? 1) + 1; !this.#satisfies(name, found); r++) {
      if (r > this.#parts.n()) throw notSatisfied();
      found = await this.#parts.bucket
        .get(bytes, { ...options, r, timeoutMs: left() })
        .catch((cause: unknown) => {
          throw isUnanswered(cause) ? notSatisfied(cause) : cause;
        });
    }
    return this.#remember(name, found);
  }

  async put(key: BytesInput, object: BytesInput, options?: PutOptions): Promise<Stored> {
    const bytes = bytesOf(key, "key");
    return this.#remember(nameOf(bytes), await this.#parts.bucket.put(bytes, object, options));
  }

  async delete(key: BytesInput, options: DeleteOptions = {}): Promise<Stored> {
    const bytes = bytesOf(key, "key");
    const left = deadlineAfter(this.#timeoutOf(options));
    const context = options.context ?? (await this.get(bytes, readOptions(options))).context;
    const more = { ...options, context, timeoutMs: left() };
    return this.#remember(nameOf(bytes), await this.#parts.bucket.delete(bytes, more));
  }

  async update(
    key: BytesInput,
    merge: (values: Uint8Array[]) => BytesInput,
    options: GetOptions & PutOptions = {},
  ): Promise<Stored> {
    // Through the session's own verbs: what is merged is never older than what it has seen.
    const timeoutMs = this.#timeoutOf(options);
    return update(this, { key: bytesOf(key, "key"), merge, options, timeoutMs });
  }

  async getMany(keys: readonly BytesInput[], options: GetOptions = {}): Promise<Found[]> {
    const copies = keys.map((key) => bytesOf(key, "key"));
    const left = deadlineAfter(this.#timeoutOf(options));
    return inLanes(copies, (key) => this.get(key, { ...options, timeoutMs: left() }));
  }

  scan(options?: ScanOptions): AsyncIterable<[key: Uint8Array, found: Found]> {
    return this.#parts.bucket.scan(options);
  }

  #timeoutOf({ timeoutMs }: CallOptions): number {
    return timeoutFrom(timeoutMs, this.#parts.timeoutMs);
  }

  #satisfies(name: string, found: Found): boolean {
    const seen = this.#seen.get(name) ?? [];
    const shown = openContext(found.context);
    return seen.every((context) => includesContext(shown, openContext(context)));
  }

  #remember<T extends { readonly context: Context }>(name: string, answer: T): T {
    const { context } = answer;
    const shown = openContext(context);
    const others = (this.#seen.get(name) ?? []).filter(
      (known) => !includesContext(shown, openContext(known)),
    );
    // Taken out and put in again, so that the first key is the longest unused.
    this.#seen.delete(name);
    this.#seen.set(name, [...others, context]);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > keysMax && oldest !== undefined) this.#seen.delete(oldest);
    return answer;
  }

  #restore(token: string): void {
    try {
      const seen = JSON.parse(Buffer.from(token, "base64url").toString()) as [unknown, string[]][];
      for (const [key, contexts] of seen) {
        if (typeof key !== "string") throw new TypeError("a key is told in hex");
        this.#seen.set(
          key,
          contexts.map((text) => Context.parse(text)),
        );
      }
    } catch (cause) {
      const message = "this is not the token of a session; use one that `session.token` gave";
      throw new ClusterError("CONTEXT_INVALID", message, { cause });
    }
  }
}

/** Codes of a read that too few replicas answer. */
function isUnanswered(error: unknown): boolean {
  return isClusterError(error, "QUORUM_UNAVAILABLE") || isClusterError(error, "READ_TIMEOUT");
}

function notSatisfied(cause?: unknown): ClusterError {
  return new ClusterError(
    "SESSION_NOT_SATISFIED",
    "the replicas that can be reached are older than what this session has seen; try again " +
      "once more nodes are back, or read outside the session",
    { cause },
  );
}

function openContext({ bytes }: Context): CausalContext {
  return readContext(bytes);
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString("hex");
}
