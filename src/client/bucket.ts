/** The verbs of a client, on the keys of one bucket. */

import type { Operation } from "../core/clock/operations.ts";
import type { Key } from "../core/key.ts";
import { valueBytesMax } from "../core/limits.ts";
import { ClusterError } from "../errors.ts";
import type {
  Bucket,
  BytesInput,
  CallOptions,
  DeleteOptions,
  Found,
  GetOptions,
  PutOptions,
  ScanOptions,
  Stored,
} from "./api.ts";
import type { Calls } from "./calls.ts";
import { foundFrom, storedFrom } from "./found.ts";
import { bytesOf, keyFrom, quorumFrom, timeoutFrom, ttlFrom } from "./input.ts";
import { type ScanParts, scanAll } from "./scan.ts";

/** Rounds of read, merge and write before `update` gives up against other writers. */
const updateRoundsMax = 16;

export interface BucketParts extends ScanParts {
  readonly calls: Calls;
  readonly timeoutMs: number;
  newOperation(): Operation;
}

export class ClusterBucket implements Bucket {
  readonly #parts: BucketParts;
  readonly #name: string;

  constructor(name: string, parts: BucketParts) {
    this.#name = name;
    this.#parts = parts;
  }

  async get(key: BytesInput, options: GetOptions = {}): Promise<Found> {
    const place = keyFrom(this.#name, key);
    const answer = await this.#parts.calls.run({
      command: {
        kind: "get",
        key: place,
        r: quorumFrom("r", options.r),
        strict: options.strict === true,
        deadlineMs: 0,
        trace: options.trace === true,
      },
      token: undefined,
      preferred: 0,
      ...this.#common(place, options),
    });
    return foundFrom(answer);
  }

  async put(key: BytesInput, object: BytesInput, options: PutOptions = {}): Promise<Stored> {
    const value = bytesOf(object, "value");
    if (value.length > valueBytesMax) {
      const message = `a value has at most ${valueBytesMax} bytes, this one has ${value.length}`;
      throw new ClusterError("VALUE_TOO_LARGE", message);
    }
    return this.#write(keyFrom(this.#name, key), value, options);
  }

  async delete(key: BytesInput, options: DeleteOptions = {}): Promise<Stored> {
    const place = keyFrom(this.#name, key);
    const context = options.context ?? (await this.get(key, readOptions(options))).context;
    return this.#write(place, undefined, { ...options, context });
  }

  async update(
    key: BytesInput,
    merge: (values: Uint8Array[]) => BytesInput,
    options: GetOptions & PutOptions = {},
  ): Promise<Stored> {
    const until = performance.now() + timeoutFrom(options.timeoutMs, this.#parts.timeoutMs);
    const left = (): number => Math.max(10, until - performance.now());
    for (let round = 1; ; round++) {
      const found = await this.get(key, { ...readOptions(options), timeoutMs: left() });
      const object = merge([...found.values]);
      const stored = await this.put(key, object, {
        ...options,
        context: found.context,
        timeoutMs: left(),
      });
      const after = await this.get(key, { ...readOptions(options), timeoutMs: left() });
      if (after.values.length < 2) return { ...stored, context: after.context };
      if (round === updateRoundsMax || performance.now() > until) {
        throw new ClusterError(
          "CONFLICT",
          `other writers left siblings again after each of ${round} merges; try again later`,
          { applied: "yes" },
        );
      }
    }
  }

  getMany(keys: readonly BytesInput[], options: GetOptions = {}): Promise<Found[]> {
    return Promise.all(keys.map((key) => this.get(key, options)));
  }

  scan(options: ScanOptions = {}): AsyncIterable<[key: Uint8Array, found: Found]> {
    return scanAll(this.#parts, this.#name, options);
  }

  async #write(key: Key, value: Uint8Array | undefined, options: PutOptions): Promise<Stored> {
    const { context } = options;
    const answer = await this.#parts.calls.run({
      command: {
        kind: "put",
        key,
        context: undefined,
        value,
        ttlMs: ttlFrom(options.ttlMs),
        operation: this.#parts.newOperation(),
        w: quorumFrom("w", options.w),
        strict: options.strict === true,
        deadlineMs: 0,
        trace: options.trace === true,
      },
      token: context?.bytes,
      preferred: context?.fastest ?? 0,
      ...this.#common(key, options),
    });
    return storedFrom(answer);
  }

  #common(key: Key, { timeoutMs, signal }: CallOptions) {
    return { key, signal, timeoutMs: timeoutFrom(timeoutMs, this.#parts.timeoutMs) };
  }
}

/** The options of a read among those of a write. */
function readOptions({ timeoutMs, signal, strict, ...rest }: GetOptions): GetOptions {
  return { timeoutMs, signal, strict, r: rest.r };
}
