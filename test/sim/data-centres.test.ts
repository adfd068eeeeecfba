/** Two data centres of three nodes each, far apart. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { calm } from "./network.ts";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
const west: readonly NodeId[] = [1, 2, 3];
const east: readonly NodeId[] = [4, 5, 6];

/** 80 ms there and back. */
async function twoOf(seed: number): Promise<World> {
  const dcOf = (id: NodeId): string => (west.includes(id) ? "west" : "east");
  const world = new World({ seed, nodes: 6, dcOf });
  world.network.farWeather = { ...calm, delayMsMin: 40, delayMsMax: 41 };
  await world.start();
  return world;
}

async function msOf(world: World, act: () => Promise<unknown>): Promise<number> {
  const start = world.timeline.now;
  await act();
  return world.timeline.now - start;
}

test("no client waits for the other data centre, and one message a write crosses", async () => {
  const world = await twoOf(31);
  const before = world.watch.farEntries;
  const slowest = { put: 0, get: 0 };
  for (const [i, key] of keys.entries()) {
    const at = [...west, ...east][i % 6] as NodeId;
    const putMs = await msOf(world, async () => {
      expect(await put(world, at, key, `of ${key}`)).toMatchObject({ kind: "stored" });
    });
    const getMs = await msOf(world, async () => {
      expect((await get(world, at, key)).values).toEqual([`of ${key}`]);
    });
    slowest.put = Math.max(slowest.put, putMs);
    slowest.get = Math.max(slowest.get, getMs);
  }
  expect(slowest.put).toBeLessThan(15);
  expect(slowest.get).toBeLessThan(15);
  await world.run(1_000);
  expect(world.watch.farEntries - before).toBe(keys.length);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key]).toEqual([`of ${key}`]);
});

test("cut apart both take writes; healed, both hold everything, one message a write", async () => {
  const world = await twoOf(32);
  for (const key of keys) await put(world, 1, key, "before");
  await world.run(2_000);
  world.network.partition(west, east);
  await world.run(8_000);
  for (const [i, key] of keys.entries()) {
    const [here, there] = [west[i % 3], east[i % 3]] as [NodeId, NodeId];
    for (const [at, value] of [
      [here, "west"],
      [there, "east"],
    ] as const) {
      const { context } = await get(world, at, key);
      expect(await put(world, at, key, value, { context })).toMatchObject({ kind: "stored" });
    }
  }
  await world.run(10_000);
  const before = world.watch.farEntries;
  world.network.heal();
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toEqual(["east", "west"]);
  expect(world.watch.farEntries - before).toBe(2 * keys.length);
});

test("the outage of a whole data centre stops nobody in the other", async () => {
  const world = await twoOf(33);
  for (const key of keys) await put(world, 4, key, "before");
  await world.run(2_000);
  for (const id of east) world.crash(id);
  let failed = 0;
  for (const key of keys) {
    const { context, values } = await get(world, 1, key);
    expect(values, key).toEqual(["before"]);
    const result = await put(world, 2, key, "after", { context });
    if (result?.kind !== "stored") failed += 1;
  }
  expect(failed).toBe(0);
  for (const id of east) await world.restart(id);
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toEqual(["after"]);
});
