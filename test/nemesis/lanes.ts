/** The clients of a run: lanes that do their workloads until they are told to stop. */
import type { Cluster, Door } from "./cluster.ts";
import type { History } from "./history.ts";
import { streamOf } from "./schedule.ts";
import type { Undoing } from "./undoing.ts";
import { workloadNames, workloads } from "./workloads.ts";

export interface LanesParts {
  readonly seed: number;
  readonly cluster: Cluster;
  readonly door: Door;
  readonly history: History;
  readonly undoing: Undoing;
}

/** What a call may take, retries included. */
export const callMsMax = 3_000;
const pauseMs = { low: 5, high: 40 };

export class Lanes {
  readonly #history: History;
  readonly #running: Promise<void>[] = [];
  #isOver = false;

  /** Of each workload one lane at a client that goes to owners, and one at one that does not. */
  static async start({ seed, cluster, door, history, undoing }: LanesParts): Promise<Lanes> {
    const lanes = new Lanes(history);
    for (const [i, routing] of (["aware", "any"] as const).entries()) {
      const client = await cluster.connect({ routing, timeoutMs: callMsMax });
      undoing.add("closing a client", () => {
        lanes.#isOver = true;
        client.close().catch(() => undefined);
      });
      for (const workload of workloadNames) {
        const random = streamOf(seed, `lane ${workload} ${i}`);
        const name = `${workload[0]}${workload[1]}${i + 1}`;
        const parts = { door, client, history, random, name, timeoutMs: callMsMax };
        const step = workloads[workload].lane(parts);
        lanes.#running.push(lanes.#repeat(step, () => random.below(pauseMs.high - pauseMs.low)));
      }
    }
    return lanes;
  }

  private constructor(history: History) {
    this.#history = history;
  }

  /** Resolves once every call has ended. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  /** Whether each workload had a call that began since and succeeded. */
  haveAllSucceededSince(sinceMs: number): boolean {
    const good = this.#history.calls.filter(({ atMs, code }) => atMs >= sinceMs && !code);
    return workloadNames.every((name) => good.some(({ workload }) => workload === name));
  }

  async #repeat(step: () => Promise<void>, extraMs: () => number): Promise<void> {
    while (!this.#isOver) {
      await step();
      await wait(pauseMs.low + extraMs());
    }
  }
}

export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}

/** Rejects when it does not come to hold in time. */
export async function until(
  holds: () => boolean,
  { msMax, what }: { readonly msMax: number; readonly what: string },
): Promise<void> {
  const giveUpAt = performance.now() + msMax;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${msMax} ms in vain for ${what}`);
    await wait(50);
  }
}
