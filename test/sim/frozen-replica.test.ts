/**
 * A node freezes: it keeps its connections and says nothing. What those notice that ask the others,
 * while no failure detector has spoken yet and after it has, in virtual time.
 */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { calm } from "./network.ts";
import { get, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 50 }, (_, i) => `key ${i}`);

/** Milliseconds that reads took, one in each millisecond, at these nodes in turn. */
async function readsFor(world: World, at: readonly NodeId[], ms: number): Promise<number[]> {
  const took: number[] = [];
  const read = async (i: number): Promise<void> => {
    const began = world.timeline.now;
    await get(world, at[i % at.length] ?? 1, keys[i % keys.length] ?? "");
    took.push(world.timeline.now - began);
  };
  const reads: Promise<void>[] = [];
  for (let i = 0; i < ms; i++) {
    reads.push(read(i));
    await world.run(1);
  }
  await world.run(3_000);
  await Promise.all(reads);
  return took.sort((a, b) => a - b);
}

test.each([1, 2, 3])("frozen node %i is waited for by few reads, for a hedge", async (frozen) => {
  const world = new World({ seed: 7, nodes: 3, weather: calm });
  await world.start();
  for (const key of keys) await put(world, frozen, key, "value");
  const others = world.ids.filter((id) => id !== frozen);
  const quiet = await readsFor(world, others, 1_000);
  expect(quiet.at(-1)).toBeLessThan(50);
  world.freeze(frozen);
  const took = await readsFor(world, others, 2_000);
  expect(took.length).toBe(2_000);
  expect(took.at(-1)).toBeLessThan(50);
  world.thaw(frozen);
  await world.run(1_000);
  const after = await readsFor(world, others, 500);
  expect(after.at(-1)).toBeLessThan(50);
});
