/**
 * A session: reads never go back behind what this session has already read or written of a key.
 * The client remembers the contexts; a read that knows less is asked again of all replicas, and
 * fails with SESSION_NOT_SATISFIED when even they know less (too many of them are away).
 */
import { type CausalContext, includesContext } from "../core/clock/versions.ts";
import { readContext } from "../core/context-token.ts";
import { ClusterError } from "../errors.ts";
import type {
  Bucket,
  BytesInput,
  DeleteOptions,
  Found,
  GetOptions,
  PutOptions,
  ScanOptions,
  Session,
  Stored,
} from "./api.ts";
import { Context } from "./context.ts";
import { bytesOf } from "./input.ts";

/** Keys that a session remembers; beyond it the longest unused is forgotten. */
const keysMax = 10_000;

export interface SessionParts {
  readonly bucket: Bucket;
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

  async get(key: BytesInput, options?: GetOptions): Promise<Found> {
    const name = nameOf(key);
    const found = await this.#parts.bucket.get(key, options);
    if (this.#satisfies(name, found)) return this.#remember(name, found);
    const all = await this.#parts.bucket.get(key, { ...options, r: this.#parts.n() });
    if (this.#satisfies(name, all)) return this.#remember(name, all);
    throw new ClusterError(
      "SESSION_NOT_SATISFIED",
      "the replicas that can be reached are older than what this session has seen; try again " +
        "once more nodes are back, or read outside the session",
    );
  }

  async put(key: BytesInput, object: BytesInput, options?: PutOptions): Promise<Stored> {
    return this.#remember(nameOf(key), await this.#parts.bucket.put(key, object, options));
  }

  async delete(key: BytesInput, options: DeleteOptions = {}): Promise<Stored> {
    const context = options.context ?? (await this.get(key, options)).context;
    const stored = await this.#parts.bucket.delete(key, { ...options, context });
    return this.#remember(nameOf(key), stored);
  }

  async update(
    key: BytesInput,
    merge: (values: Uint8Array[]) => BytesInput,
    options?: GetOptions & PutOptions,
  ): Promise<Stored> {
    return this.#remember(nameOf(key), await this.#parts.bucket.update(key, merge, options));
  }

  getMany(keys: readonly BytesInput[], options?: GetOptions): Promise<Found[]> {
    return Promise.all(keys.map((key) => this.get(key, options)));
  }

  scan(options?: ScanOptions): AsyncIterable<[key: Uint8Array, found: Found]> {
    return this.#parts.bucket.scan(options);
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
      const seen = JSON.parse(Buffer.from(token, "base64url").toString()) as [string, string[]][];
      for (const [key, contexts] of seen) {
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

function openContext({ bytes }: Context): CausalContext {
  return readContext(bytes);
}

function nameOf(key: BytesInput): string {
  return Buffer.from(bytesOf(key, "key")).toString("hex");
}
