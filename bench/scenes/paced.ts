/**
 * A paced load: 50,000 puts a second whatever the engine does, which flushes and compactions must
 * not disturb. Latency counts from when a put was due, so that puts which wait for a stalled
 * engine, or for the loop, count in full.
 */
import { keyOf, Shuffle, Values } from "../keys.ts";
import { Latencies } from "../latency.ts";
import type { Fact, SceneRequest } from "../scene.ts";
import { targetNamed } from "../targets/all.ts";

const putsPerMs = 50;
const p999MostMs = 5;
const secondsMax = 300;

export async function paced(request: SceneRequest): Promise<Fact[]> {
  const { engine, n, directory } = request;
  const values = new Values(request.valueBytes);
  const target = await targetNamed(engine).open({ directory, durable: false });
  const shuffle = new Shuffle(n, 1);
  const sinceDue = new Latencies();
  const sinceCall = new Latencies();
  let failure: unknown;
  let pending = 0;
  let next = 0;
  const began = performance.now();
  const put = async (due: number): Promise<void> => {
    const index = shuffle.at(next++);
    const called = performance.now();
    pending += 1;
    try {
      await target.put(keyOf(index), values.of(index));
    } catch (error) {
      failure ??= error;
    }
    pending -= 1;
    const now = performance.now();
    sinceDue.record(now - due);
    sinceCall.record(now - called);
  };
  while (next < n && failure === undefined && performance.now() - began < secondsMax * 1000) {
    const dueNow = Math.min(n, Math.floor((performance.now() - began) * putsPerMs));
    // Owned by `pending`, and `put` never rejects.
    while (next < dueNow) void put(began + next / putsPerMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (pending > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const seconds = (performance.now() - began) / 1000;
  if (failure !== undefined) throw failure;
  const notes = target.describe?.() ?? {};
  await target.close();
  const due = sinceDue.percentiles();
  const call = sinceCall.percentiles();
  const ms = (name: string, value: number): Fact => ({ engine, name, value, unit: "ms" });
  return [
    { engine, name: "puts a second, reached", value: next / seconds, unit: "/s" },
    ms("put since due, p50", due.p50Ms),
    ms("put since due, p99", due.p99Ms),
    { ...ms("put since due, p99.9", due.p999Ms), goal: { most: p999MostMs } },
    ms("put since due, max", due.maxMs),
    ms("put since called, p99.9", call.p999Ms),
    ...["flushes", "compactions"].flatMap((name): Fact[] => {
      const value = notes[name];
      return typeof value === "number" ? [{ engine, name, value, unit: "" }] : [];
    }),
  ];
}
