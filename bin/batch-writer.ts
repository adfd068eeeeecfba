/**
 * Many operations into an engine: gathered into batches of which a few are in flight, in the order
 * in which they came. `done.imported` counts those that are acknowledged.
 */
import type { BatchOperation, Engine } from "../native-free-engine/index.ts";

const batchOperations = 1000;
const batchCharacters = 4 << 20;
const batchesInFlight = 4;

export class BatchWriter {
  readonly #engine: Engine;
  readonly #done: { imported: number };
  readonly #flying = new Set<Promise<void>>();
  #operations: BatchOperation[] = [];
  #characters = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(engine: Engine, done: { imported: number }) {
    this.#engine = engine;
    this.#done = done;
  }

  /** True when the caller is to wait for `settled` before it adds more. */
  add(operation: BatchOperation): boolean {
    this.#operations.push(operation);
    this.#characters += operation.key.length;
    if (operation.type === "put") this.#characters += operation.value.length;
    if (this.#operations.length < batchOperations && this.#characters < batchCharacters)
      return false;
    this.#send();
    return this.#flying.size >= batchesInFlight || this.#failure !== undefined;
  }

  /** Resolves when there is room for another batch; rejects when one has failed. */
  async settled(): Promise<void> {
    while (this.#flying.size >= batchesInFlight) await Promise.race(this.#flying);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async finish(): Promise<void> {
    if (this.#operations.length > 0 && this.#failure === undefined) this.#send();
    await Promise.all(this.#flying);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #send(): void {
    const operations = this.#operations;
    this.#operations = [];
    this.#characters = 0;
    const written = this.#engine.batch(operations).then(
      () => {
        this.#done.imported += operations.length;
      },
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
    this.#flying.add(written);
    void written.then(() => this.#flying.delete(written));
  }
}
