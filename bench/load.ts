/** Fills a database in random order, each key once, by batches: quickest for every engine. */
import { keyBytes, Shuffle, type Values } from "./keys.ts";
import { drained, entriesOf } from "./row-runner.ts";
import type { Target } from "./target.ts";
import { batchEntries } from "./workloads.ts";

export interface LoadRequest {
  readonly target: Target;
  readonly n: number;
  readonly values: Values;
  /** Told after each batch how many entries are in. */
  readonly onBatch?: (entries: number) => void;
}

/** After loading, all engines get this long to put their trees in order. */
const restMs = 1000;

/** Returns when the last flush or compaction ended. */
export async function load({ target, n, values, onBatch }: LoadRequest): Promise<number> {
  const shuffle = new Shuffle(n, 1);
  for (let from = 0; from < n; from += batchEntries) {
    const count = Math.min(batchEntries, n - from);
    await target.batch(entriesOf(from, count, (i) => shuffle.at(i), values));
    onBatch?.(from + count);
  }
  return drained(target, performance.now());
}

export async function loadAndRest(request: LoadRequest): Promise<void> {
  await load(request);
  await rest(request.target);
}

export async function rest(target: Target): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, restMs));
  await drained(target, performance.now());
}

export function givenBytes(n: number, values: Values): number {
  return n * (keyBytes + values.bytes);
}
