/**
 * The client of a cluster: connects, learns the ring, and speaks to the nodes that own each key.
 * One deadline covers a whole call; nothing is ever thrown outside a call.
 */

import type { Operation } from "../core/clock/operations.ts";
import { deadlineMsDefault, valueBytesMax } from "../core/limits.ts";
import type { BucketRecord } from "../core/ring/ring-state.ts";
import { ClusterError } from "../errors.ts";
import type {
  Bucket,
  BucketProperties,
  BytesInput,
  CallOptions,
  Client,
  ConnectOptions,
  DeleteOptions,
  Found,
  GetOptions,
  PutOptions,
  ScanOptions,
  Session,
  Stored,
} from "./api.ts";
import { type BucketParts, ClusterBucket } from "./bucket.ts";
import { Calls } from "./calls.ts";
import { parseEndpoints } from "./endpoints.ts";
import { unexpected } from "./found.ts";
import { checkBucket, propertiesFrom, settingsFrom, signalFrom, timeoutFrom } from "./input.ts";
import { Pool } from "./pool.ts";
import { ClusterSession } from "./session.ts";

/**
 * Connects to a cluster through any of its nodes, `HOST:PORT` each. Resolves once one has told the
 * ring; rejects with NO_ENDPOINT, naming what was tried, once all of them have failed, or when none
 * can be reached in time.
 */
export async function connect(
  endpoints: string | readonly string[],
  options: ConnectOptions = {},
): Promise<Client> {
  const client = new ClusterClient(parseEndpoints(endpoints), options);
  try {
    await client.ready();
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/** A data centre that says nothing for so long is taken for gone. */
const placedMs = 1_000;

class ClusterClient implements Client {
  readonly #pool: Pool;
  readonly #calls: Calls;
  readonly #parts: BucketParts;
  readonly #timeoutMs: number;
  readonly #whole: Bucket;
  readonly #onChange = new Set<() => void>();

  constructor(endpoints: readonly string[], options: ConnectOptions) {
    this.#timeoutMs = timeoutFrom(options.timeoutMs, deadlineMsDefault);
    const { isAware, headers, tls, dc, callsMax, hedge } = settingsFrom(options);
    this.#pool = new Pool({
      endpoints,
      isAware,
      headers,
      tls,
      dc,
      onChange: () => {
        this.#calls.retry();
        for (const listener of this.#onChange) listener();
      },
    });
    this.#calls = new Calls({ lines: this.#pool, callsMax, hedge });
    this.#parts = {
      calls: this.#calls,
      timeoutMs: this.#timeoutMs,
      ring: () => this.#pool.ring,
      newOperation,
    };
    this.#whole = new ClusterBucket("", this.#parts);
  }

  /** Resolves when a node has told the ring, and one of the data centre wished for is there. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: ClusterError): void => {
        clearTimeout(timer);
        clearTimeout(patience);
        this.#onChange.delete(look);
        if (error === undefined) resolve();
        else reject(error);
      };
      let isPatient = true;
      const look = (): void => {
        const isPlaced = this.#pool.isPlaced || !isPatient;
        if (this.#pool.ring !== undefined && isPlaced) settle();
        else if (this.#pool.hasFailed) settle(this.#unreachable());
      };
      const timer = setTimeout(() => settle(this.#unreachable()), this.#timeoutMs);
      const patience = setTimeout(
        () => {
          isPatient = false;
          look();
        },
        Math.min(placedMs, this.#timeoutMs / 2),
      );
      this.#onChange.add(look);
    });
  }

  get(key: BytesInput, options?: GetOptions): Promise<Found> {
    return this.#whole.get(key, options);
  }

  put(key: BytesInput, object: BytesInput, options?: PutOptions): Promise<Stored> {
    return this.#whole.put(key, object, options);
  }

  delete(key: BytesInput, options?: DeleteOptions): Promise<Stored> {
    return this.#whole.delete(key, options);
  }

  update(
    key: BytesInput,
    merge: (values: Uint8Array[]) => BytesInput,
    options?: GetOptions & PutOptions,
  ): Promise<Stored> {
    return this.#whole.update(key, merge, options);
  }

  getMany(keys: readonly BytesInput[], options?: GetOptions): Promise<Found[]> {
    return this.#whole.getMany(keys, options);
  }

  scan(options?: ScanOptions): AsyncIterable<[key: Uint8Array, found: Found]> {
    return this.#whole.scan(options);
  }

  bucket(name: string): Bucket {
    checkBucket(name);
    return new ClusterBucket(name, this.#parts);
  }

  async createBucket(
    name: string,
    properties: BucketProperties = {},
    options?: CallOptions,
  ): Promise<void> {
    checkBucket(name);
    await this.admin("bucket-create", { ...propertiesFrom(properties), name }, options);
  }

  async setBucket(
    name: string,
    properties: BucketProperties,
    options?: CallOptions,
  ): Promise<void> {
    checkBucket(name);
    await this.admin("bucket-set", { ...propertiesFrom(properties), name }, options);
  }

  async buckets(options?: CallOptions): Promise<readonly BucketRecord[]> {
    const answer = await this.admin("bucket-list", {}, options);
    return (answer as { readonly buckets: readonly BucketRecord[] }).buckets;
  }

  session(token?: string): Session {
    const n = (): number => this.#pool.ring?.n ?? 1;
    return new ClusterSession({ bucket: this.#whole, n, timeoutMs: this.#timeoutMs }, token);
  }

  async admin(name: string, args: object = {}, options: CallOptions = {}): Promise<unknown> {
    const text = JSON.stringify(args);
    if (text.length > valueBytesMax / 4) {
      throw new ClusterError("INVALID_ARGUMENT", `the arguments of ${name} are too long`);
    }
    const command = { kind: "admin", name, arguments: text, deadlineMs: 0 } as const;
    const { result } = await this.#calls.run({
      command,
      place: undefined,
      token: undefined,
      preferred: 0,
      timeoutMs: timeoutFrom(options.timeoutMs, this.#timeoutMs),
      signal: signalFrom(options.signal),
    });
    if (result.kind !== "answer") throw unexpected(result);
    try {
      return JSON.parse(result.json);
    } catch (cause) {
      throw new ClusterError("INTERNAL", `the node's answer to ${name} is not JSON`, { cause });
    }
  }

  async close(): Promise<void> {
    this.#calls.close();
    this.#pool.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #unreachable(): ClusterError {
    const { code, why } = this.#pool.describeFailures() ?? {
      ...({ code: "NO_ENDPOINT", why: "none tells the ring" } as const),
    };
    const what = code === "NO_ENDPOINT" ? "no node can be reached" : "not let in";
    return new ClusterError(code, `${what}: ${why}`);
  }
}

/** Identifies one write through all its attempts. */
function newOperation(): Operation {
  return { at: Date.now(), nonce: Math.floor(Math.random() * 0x100000000), retried: false };
}
