/**
 * Many puts into a cluster, a bounded number of them in flight. Unless blind, each is written over
 * what is there. Two lines with one key keep their order: the second waits for the first.
 */
import type { Bucket } from "../../src/client/api.ts";
import { nameOfBytes } from "../bytes.ts";

const putsInFlight = 256;

interface Put {
  readonly key: string | Uint8Array;
  readonly value: string | Uint8Array;
}

interface WriterOptions {
  readonly isBlind: boolean;
  readonly r: number | undefined;
  readonly w: number | undefined;
  readonly strict: boolean;
}

export class ClusterWriter {
  readonly #bucket: Bucket;
  readonly #done: { imported: number };
  readonly #options: WriterOptions;
  readonly #flying = new Map<string, Promise<void>>();
  #inFlight = 0;
  #roomMade: (() => void) | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(bucket: Bucket, done: { imported: number }, options: WriterOptions) {
    this.#bucket = bucket;
    this.#done = done;
    this.#options = options;
  }

  /** True when the caller is to wait for `settled` before it adds more. */
  add(put: Put): boolean {
    const name = nameOfBytes(put.key);
    const before = this.#flying.get(name);
    this.#inFlight += 1;
    const written = (before ?? Promise.resolve())
      .then(() => this.#write(put))
      .then(
        () => {
          this.#done.imported += 1;
        },
        (error: unknown) => {
          this.#failure ??= { error };
        },
      );
    const settled = written.then(() => {
      if (this.#flying.get(name) === settled) this.#flying.delete(name);
      this.#inFlight -= 1;
      this.#roomMade?.();
    });
    this.#flying.set(name, settled);
    return this.#inFlight >= putsInFlight || this.#failure !== undefined;
  }

  /** Resolves when there is room for another; rejects when one has failed. */
  async settled(): Promise<void> {
    while (this.#inFlight >= putsInFlight) {
      await new Promise<void>((resolve) => {
        this.#roomMade = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async finish(): Promise<void> {
    await Promise.all(this.#flying.values());
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #write({ key, value }: Put): Promise<void> {
    if (this.#failure !== undefined) return;
    const { isBlind, r, w, strict } = this.#options;
    const context = isBlind ? undefined : (await this.#bucket.get(key, { r, strict })).context;
    await this.#bucket.put(key, value, { context, w, strict });
  }
}
