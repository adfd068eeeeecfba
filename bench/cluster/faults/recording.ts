/**
 * A steady load while something happens, and what each request of it took since it was due: reads
 * and writes by turns, at a rate. What happens is looked at by stretches of time afterwards.
 */

import { keyOf, Shuffle, Values } from "../../keys.ts";
import type { Percentiles } from "../../latency.ts";
import { openLoop } from "../drive.ts";
import { connectTo, type EverwriteClient } from "../stores/everwrite.ts";

export interface Records {
  readonly n: number;
  readonly valueBytes: number;
}

/** What every scene is told. */
export interface FaultRequest extends Records {
  readonly directory: string;
  readonly rate: number;
  /** Of each stretch that has no end of its own. */
  readonly seconds: number;
}

export interface Stretch {
  readonly requests: number;
  readonly failed: number;
  readonly latency: Percentiles;
}

/** Milliseconds since the load began. */
type Clock = () => number;

export interface Recording {
  readonly said: readonly string[];
  /** The requests that were due in it. */
  stretch(fromMs: number, toMs: number): Stretch;
}

interface Request {
  readonly dueMs: number;
  readonly tookMs: number;
  readonly isAnswered: boolean;
}

const fillers = 64;
const warmUpMs = 2_000;

export async function connectRecords(
  endpoints: readonly string[],
  { n }: Pick<Records, "n">,
  routing: "aware" | "any" = "aware",
): Promise<EverwriteClient> {
  const keys = Array.from({ length: n }, (_, i) => keyOf(i).toString());
  return connectTo({ endpoints, keys }, routing);
}

/** Writes every key once. */
export async function fill(client: EverwriteClient, { n, valueBytes }: Records): Promise<void> {
  const values = new Values(valueBytes);
  let next = 0;
  const call = async (): Promise<void> => {
    while (next < n) {
      const index = next++;
      await client.write({ index }, values.of(index));
    }
  };
  await Promise.all(Array.from({ length: fillers }, call));
}

/** Keeps the load up while `meanwhile` lasts; before that it goes on for a while unseen. */
export async function record(
  client: EverwriteClient,
  { n, valueBytes, rate }: FaultRequest,
  meanwhile: (clock: Clock) => Promise<void>,
): Promise<Recording> {
  const values = new Values(valueBytes);
  const shuffle = new Shuffle(n, 5);
  const requests: Request[] = [];
  let isOver = false;
  let failure: unknown;
  const began = performance.now();
  const clock = (): number => performance.now() - began;
  const happened = sleep(warmUpMs)
    .then(() => meanwhile(clock))
    .catch((error: unknown) => {
      failure = error;
    })
    .finally(() => {
      isOver = true;
    });
  const { said } = await openLoop({
    rate,
    goesOn: () => !isOver,
    operate: (i) => {
      const index = shuffle.at(i % n);
      return i % 2 === 0 ? client.write({ index }, values.of(index, i)) : client.read({ index }, 2);
    },
    answered: () => undefined,
    onEnd: (dueMs, tookMs, isAnswered) => requests.push({ dueMs, tookMs, isAnswered }),
  });
  await happened;
  if (failure !== undefined) throw failure;
  return {
    said,
    stretch: (fromMs, toMs) =>
      stretchOf(requests.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs)),
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function stretchOf(requests: readonly Request[]): Stretch {
  const took = requests.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const at = (share: number): number =>
    took[Math.max(0, Math.ceil(share * took.length) - 1)] ?? Number.NaN;
  return {
    requests: requests.length,
    failed: requests.filter(({ isAnswered }) => !isAnswered).length,
    latency: {
      ...{ p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) },
      samples: took.length,
    },
  };
}
