/** A cluster gets a second data centre while it serves, and one day gives up its first. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { calm } from "./network.ts";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);

interface Status {
  readonly transfers: number;
  readonly underReplicated: number;
  readonly rebuilding: number;
  readonly hintsPending: number;
}

async function statusOf(world: World, at: NodeId): Promise<Status> {
  return (await world.admin(at, "status", {}, 10_000)) as Status;
}

async function settled(world: World, at: NodeId): Promise<Status> {
  for (let round = 0; round < 120; round++) {
    const status = await statusOf(world, at);
    if (status.transfers === 0 && status.rebuilding === 0) return status;
    await world.run(1_000);
  }
  return statusOf(world, at);
}

async function grown(seed: number): Promise<{ world: World; east: readonly NodeId[] }> {
  const world = new World({ seed, nodes: 3, dcOf: () => "west" });
  world.network.farWeather = { ...calm, delayMsMin: 40, delayMsMax: 41 };
  await world.start();
  for (const key of keys) await put(world, 1, key, "before");
  const east: NodeId[] = [];
  for (let i = 0; i < 3; i++) east.push(await world.join(1, { dc: "east" }));
  return { world, east };
}

test("its nodes get everything from the other one, and then serve by themselves", async () => {
  const { world, east } = await grown(41);
  const [first = 0, second = 0] = east;
  // While data is on its way its nodes answer for the others, never "absent" by themselves.
  for (const key of keys.slice(0, 20)) {
    const { values, context, degraded } = await get(world, first, key);
    expect([values, degraded], key).toEqual([["before"], false]);
    expect(await put(world, first, key, "during", { context })).toMatchObject({ kind: "stored" });
  }
  const status = await settled(world, second);
  expect(status).toMatchObject({ transfers: 0, underReplicated: 0, rebuilding: 0 });
  const since = world.timeline.now;
  for (const key of keys) {
    const { values, degraded } = await get(world, second, key, 3);
    expect([values, degraded], key).toEqual([
      [keys.indexOf(key) < 20 ? "during" : "before"],
      false,
    ]);
  }
  expect((world.timeline.now - since) / keys.length).toBeLessThan(15);
  for (const id of [1, 2, 3]) world.crash(id);
  for (const key of keys) {
    const { context } = await get(world, first, key);
    expect(await put(world, second, key, "alone", { context, w: 3 })).toMatchObject({
      kind: "stored",
    });
  }
  for (const id of [1, 2, 3]) await world.restart(id);
  await world.run(30_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toEqual(["alone"]);
});

test("one that all its members leave is given up without a loss", async () => {
  const { world, east } = await grown(42);
  const [first = 0] = east;
  await settled(world, first);
  // Cut off, the old one still acknowledges what the new one has not heard of.
  world.network.partition([1, 2, 3], east);
  await world.run(6_000);
  for (const key of keys.slice(0, 10)) {
    const { context } = await get(world, 1, key);
    await put(world, 1, key, "at the last", { context });
  }
  world.network.heal();
  for (const id of [1, 2, 3]) await world.admin(first, "leave", { node: id }, 30_000);
  for (let round = 0; round < 120; round++) {
    const ring = world.ringOf(first);
    if (ring.members.every(({ id, state }) => (state === "left") === id < 4)) break;
    await world.run(1_000);
  }
  for (const id of [1, 2, 3]) world.crash(id);
  await settled(world, first);
  const ring = world.ringOf(first);
  expect(ring.members.map(({ state }) => state)).toEqual([
    ...["left", "left", "left", "member", "member", "member"],
  ]);
  for (const row of ring.owners) expect([...row].sort()).toEqual([...east]);
  for (const key of keys) {
    const { values } = await get(world, first, key);
    expect(values, key).toEqual([keys.indexOf(key) < 10 ? "at the last" : "before"]);
  }
});

test("what no hint brings across is brought by comparing", async () => {
  const dcOf = (id: NodeId): string => (id <= 3 ? "west" : "east");
  const world = new World({ seed: 43, nodes: 6, dcOf });
  world.network.farWeather = { ...calm, delayMsMin: 40, delayMsMax: 41 };
  await world.start();
  world.network.partition([1, 2, 3], [4, 5, 6]);
  await world.run(6_000);
  for (const key of keys) expect(await put(world, 1, key, "west")).toMatchObject({ acks: 2 });
  // It keeps the hints for the east, and does not come back.
  world.crash(1);
  world.network.heal();
  const before = world.watch.farEntries;
  await world.run(100_000);
  for (const key of keys) expect((await get(world, 5, key)).values, key).toEqual(["west"]);
  // One owner there got them, from one here, and told the others.
  expect(world.watch.farEntries - before).toBe(keys.length);
});
