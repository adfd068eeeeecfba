/**
 * YCSB's operations on a cluster: which comes next, on which key, and what it does there. An update
 * carries the context of what was seen last, as a program's would: without one it would stay beside
 * the value as a sibling.
 */
import type { Bucket, Context, Found } from "../../src/index.ts";
import { type Chance, keyOf, scattered, type Values, Zipf } from "../keys.ts";
import { type Mix, scanEntriesMax } from "../workloads.ts";

export const kinds = ["read", "update", "insert", "scan", "read-modify-write"] as const;
export type Kind = (typeof kinds)[number];

export interface RecordsRequest {
  readonly bucket: Bucket;
  readonly n: number;
  readonly values: Values;
  readonly prefix: string;
  readonly r: number | undefined;
  readonly w: number | undefined;
}

/** The records of one run: those that were loaded, and behind them those that were inserted. */
export class Records {
  readonly #request: RecordsRequest;
  readonly #contexts: (Context | undefined)[];
  #version = 0;
  /** Reads that found several values: written at the same time, and not merged by anybody yet. */
  siblings = 0;
  end: number;

  constructor(request: RecordsRequest) {
    this.#request = request;
    this.#contexts = new Array(request.n).fill(undefined);
    this.end = request.n;
  }

  get n(): number {
    return this.#request.n;
  }

  async read(index: number): Promise<Found> {
    const { bucket, r } = this.#request;
    const found = await bucket.get(this.#key(index), { r });
    if (found.values.length > 1) this.siblings += 1;
    this.#contexts[index] = found.context;
    return found;
  }

  /** Without a context of an earlier write or read it reads first. */
  async update(index: number): Promise<void> {
    const context = this.#contexts[index] ?? (await this.read(index)).context;
    await this.#put(index, context);
  }

  /** A new key needs no context. */
  insert(index: number): Promise<void> {
    return this.#put(index, undefined);
  }

  async readModifyWrite(index: number): Promise<void> {
    const { context } = await this.read(index);
    await this.#put(index, context);
  }

  /** A cluster has no order of keys: this reads so many from the beginning of the ring. */
  async scan(count: number): Promise<number> {
    const { bucket, prefix } = this.#request;
    let seen = 0;
    for await (const _ of bucket.scan({ prefix, limit: count })) seen += 1;
    return seen;
  }

  /**
   * Without a context, so that it is read first: what was seen last need not cover all that was
   * written at the same time, and what it does not cover would stay.
   */
  async remove(index: number): Promise<void> {
    await this.#request.bucket.delete(this.#key(index));
  }

  async #put(index: number, context: Context | undefined): Promise<void> {
    const { bucket, values, w } = this.#request;
    this.#version += 1;
    const value = values.of(index, this.#version);
    this.#contexts[index] = (await bucket.put(this.#key(index), value, { context, w })).context;
  }

  #key(index: number): string {
    return `${this.#request.prefix}${keyOf(index)}`;
  }
}

/** One operation after the other of a mix. */
export function operationsOf(
  records: Records,
  mix: Mix,
  chance: Chance,
): () => { readonly kind: Kind; readonly done: Promise<unknown> } {
  const zipf = new Zipf(records.n, chance);
  // Popular keys lie all over the key space, not side by side.
  const pick = (): number =>
    mix.latest ? Math.max(0, records.end - 1 - zipf.rank()) : scattered(zipf.rank(), records.n);
  const { read, update, insert, scan } = mix;
  return () => {
    const draw = chance.below(100);
    if (draw < read) return { kind: "read", done: records.read(pick()) };
    if (draw < read + update) return { kind: "update", done: records.update(pick()) };
    if (draw < read + update + insert) {
      return { kind: "insert", done: records.insert(records.end++) };
    }
    if (draw < read + update + insert + scan) {
      return { kind: "scan", done: records.scan(1 + chance.below(scanEntriesMax)) };
    }
    return { kind: "read-modify-write", done: records.readModifyWrite(pick()) };
  };
}
