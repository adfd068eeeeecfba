/** The event loop while a database is filled at full speed: how late timers fire. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { drive } from "../drive.ts";
import { keyOf, Shuffle, Values } from "../keys.ts";
import { entriesOf } from "../row-runner.ts";
import type { Fact, SceneRequest } from "../scene.ts";
import { targetNamed } from "../targets/all.ts";
import { batchEntries } from "../workloads.ts";

const p99MostMs = 10;
const maxMostMs = 50;
const secondsMax = 120;
/** The monitor records the time between two ticks of a timer of this period. */
const periodMs = 1;

export async function loop(request: SceneRequest): Promise<Fact[]> {
  const { engine, n, directory } = request;
  const values = new Values(request.valueBytes);
  const target = await targetNamed(engine).open({ directory, durable: false });
  const shuffle = new Shuffle(n, 1);
  const half = Math.floor(n / 2);
  const indexOf = (i: number): number => shuffle.at(i);
  const batches = await watched(half / batchEntries, 1, (i) =>
    target.batch(entriesOf(i * batchEntries, batchEntries, indexOf, values)),
  );
  const puts = await watched(n - half, 128, (i) => {
    const index = indexOf(half + i);
    return target.put(keyOf(index), values.of(index));
  });
  await target.close();
  return [
    { engine, name: "batches of 1,000: delay p99", value: batches.p99, unit: "ms", ...p99Goal },
    { engine, name: "batches of 1,000: delay max", value: batches.max, unit: "ms", ...maxGoal },
    { engine, name: "puts ×128: delay p99", value: puts.p99, unit: "ms", ...p99Goal },
    { engine, name: "puts ×128: delay max", value: puts.max, unit: "ms", ...maxGoal },
    { engine, name: "batches of 1,000: rate", value: batches.rate * batchEntries, unit: "/s" },
    { engine, name: "puts ×128: rate", value: puts.rate, unit: "/s" },
  ];
}

const p99Goal = { goal: { most: p99MostMs } };
const maxGoal = { goal: { most: maxMostMs } };

async function watched(operations: number, callers: number, operate: (i: number) => unknown) {
  const monitor = monitorEventLoopDelay({ resolution: periodMs });
  monitor.enable();
  // One tick, so that the first delay counts too.
  await new Promise((resolve) => setTimeout(resolve, 5));
  const began = performance.now();
  const answered = (): void => {};
  const limits = { operations: Math.floor(operations), secondsMax, callers, sampleEvery: 1009 };
  const driven = await drive({ ...limits, operate, answered });
  // A loop that never turned shows its delay only at the next tick.
  await new Promise((resolve) => setTimeout(resolve, 5));
  monitor.disable();
  const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - periodMs);
  return {
    p99: ms(monitor.percentile(99)),
    max: ms(monitor.max),
    rate: (1000 * driven.operations) / (driven.endedAt - began),
  };
}
