/** Resident memory of a process that loads n keys and then reads at random, all by defaults. */
import { keyOf, scattered, Values } from "../keys.ts";
import { loadAndRest } from "../load.ts";
import { peakBytes, resetPeak } from "../resources.ts";
import type { Fact, SceneRequest } from "../scene.ts";
import { targetNamed } from "../targets/all.ts";

const mebibyte = 2 ** 20;
const mostMebibytes = 400;
const readsMax = 3_000_000;

export async function memory(request: SceneRequest): Promise<Fact[]> {
  const { engine, n, directory } = request;
  const values = new Values(request.valueBytes);
  resetPeak();
  const before = process.memoryUsage().rss;
  const target = await targetNamed(engine).open({ directory, durable: false });
  await loadAndRest({ target, n, values });
  const loaded = peakBytes();
  resetPeak();
  for (let i = 0; i < Math.min(n, readsMax); i++) await target.get(keyOf(scattered(i, n)));
  const read = peakBytes();
  await target.close();
  const goal = { goal: { most: mostMebibytes } };
  return [
    { engine, name: "before opening", value: before / mebibyte, unit: "MiB" },
    { engine, name: "peak while loading", value: loaded / mebibyte, unit: "MiB", ...goal },
    { engine, name: "peak while reading", value: read / mebibyte, unit: "MiB", ...goal },
  ];
}
