/** The verbs of a client, on the keys of one bucket. */
import type { Operation } from "../core/clock/operations.ts";
import type { Key } from "../core/key.ts";
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
import type { Request } from "./call.ts";
import type { Calls } from "./calls.ts";
import type { Answer } from "./connection.ts";
import { deadlineAfter } from "./deadline.ts";
import { foundFrom, resolvedAs, resolvedBy, storedFrom } from "./found.ts";
import {
  contextFrom,
  keyFrom,
  quorumFrom,
  signalFrom,
  timeoutFrom,
  ttlFrom,
  valueFrom,
} from "./input.ts";
import { inLanes } from "./lanes.ts";
import { resolverOf } from "./resolve/bucket-resolver.ts";
import { type ScanParts, scanAll } from "./scan.ts";
import { readOptions, update } from "./update.ts";

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
    const request = this.#reading(keyFrom(this.#name, key), options);
    return this.#found(await this.#parts.calls.run(request), options);
  }

  async put(key: BytesInput, object: BytesInput, options: PutOptions = {}): Promise<Stored> {
    const request = this.#writing(keyFrom(this.#name, key), valueFrom(object), options);
    return storedFrom(await this.#parts.calls.run(request));
  }

  async delete(key: BytesInput, options: DeleteOptions = {}): Promise<Stored> {
    const place = keyFrom(this.#name, key);
    let known = options;
    if (options.context === undefined) {
      const left = deadlineAfter(this.#timeoutOf(options));
      const { context } = await this.#get(place, readOptions(options));
      known = { ...options, context, timeoutMs: left() };
    }
    return storedFrom(await this.#parts.calls.run(this.#writing(place, undefined, known)));
  }

  async update(
    key: BytesInput,
    merge: (values: Uint8Array[]) => BytesInput,
    options: GetOptions & PutOptions = {},
  ): Promise<Stored> {
    const { bytes } = keyFrom(this.#name, key);
    return update(this, { key: bytes, merge, options, timeoutMs: this.#timeoutOf(options) });
  }

  async getMany(keys: readonly BytesInput[], options: GetOptions = {}): Promise<Found[]> {
    const places = keys.map((key) => keyFrom(this.#name, key));
    const left = deadlineAfter(this.#timeoutOf(options));
    return inLanes(places, (place) => this.#get(place, { ...options, timeoutMs: left() }));
  }

  scan(options: ScanOptions = {}): AsyncIterable<[key: Uint8Array, found: Found]> {
    return scanAll(this.#parts, this.#name, options);
  }

  async #get(key: Key, options: GetOptions): Promise<Found> {
    return this.#found(await this.#parts.calls.run(this.#reading(key, options)), options);
  }

  #found(answer: Answer, options: GetOptions): Found {
    const found = foundFrom(answer);
    if (options.resolve !== undefined) return resolvedBy(found, options.resolve);
    return resolvedAs(found, resolverOf(this.#parts.ring(), this.#name));
  }

  #reading(key: Key, options: GetOptions): Request {
    return {
      command: {
        kind: "get",
        key,
        r: quorumFrom("r", options.r),
        strict: options.strict === true,
        deadlineMs: 0,
        trace: options.trace === true,
      },
      place: key,
      token: undefined,
      preferred: 0,
      timeoutMs: this.#timeoutOf(options),
      signal: signalFrom(options.signal),
    };
  }

  #writing(key: Key, value: Uint8Array | undefined, options: PutOptions): Request {
    const context = contextFrom(options.context);
    return {
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
      place: key,
      token: context?.bytes,
      preferred: context?.fastest ?? 0,
      timeoutMs: this.#timeoutOf(options),
      signal: signalFrom(options.signal),
    };
  }

  #timeoutOf({ timeoutMs }: CallOptions): number {
    return timeoutFrom(timeoutMs, this.#parts.timeoutMs);
  }
}
