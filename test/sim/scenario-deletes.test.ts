/**
 * Stories of deletes: what was deleted stays so, whatever comes late, and what is made anew under
 * the same key stays, too.
 */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { startClient } from "./load.ts";
import { roundsAt } from "./rounds.ts";
import { agreedOn, dropHints, get, ownersOf, put } from "./story.ts";
import { World } from "./world.ts";

/** Clean-up as soon as there is something to reap. */
const quick = { intervalMs: 2_000, retryMs: 500, restMs: 200 };
const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);

async function remove(world: World, at: NodeId, key: string): Promise<void> {
  const { context } = await get(world, at, key);
  expect(await put(world, at, key, undefined, { context })).toMatchObject({ kind: "stored" });
}

async function tombstonesIn(world: World): Promise<number> {
  let tombstones = 0;
  for (const id of world.live) {
    for (const state of await roundsAt(world, id)) tombstones += state.tombstones;
  }
  return tombstones;
}

test("a tombstone that a stand-in kept for long does not take the key made anew", async () => {
  const world = new World({ seed: 401, nodes: 5, cleanup: quick });
  await world.start();
  const [first, , absent] = ownersOf(world, "a") as [NodeId, NodeId, NodeId];
  await put(world, first, "a", "old");
  await world.run(10_000);
  world.crash(absent);
  await world.run(6_000);
  await remove(world, first, "a");
  await world.run(2_000);
  // Whoever keeps the tombstone for the absent owner is away when that returns.
  const kept = world.notices.findLast(
    ({ notice }) => notice.kind === "hint-kept" && notice.target === absent,
  );
  const keeper = kept?.node ?? 0;
  expect(ownersOf(world, "a")).not.toContain(keeper);
  world.crash(keeper, 1);
  await world.restart(absent);
  await world.run(30_000);
  expect(await put(world, first, "a", "new")).toMatchObject({ kind: "stored" });
  await world.run(30_000);
  await world.restart(keeper);
  await world.run(60_000);
  expect(await agreedOn(world, ["a"])).toEqual({ a: ["new"] });
  expect(await tombstonesIn(world)).toBe(0);
  expect(world.watch.wrongs).toEqual([]);
});

test.each([1, 2])("deleted on two of three, by comparing with node %i alone", async (peer) => {
  const world = new World({ seed: 402, nodes: 3 });
  await world.start();
  for (const key of keys) await put(world, 1, key, "old");
  await world.run(5_000);
  world.crash(3);
  await world.run(6_000);
  for (const key of keys) await remove(world, 1, key);
  for (const holder of [1, 2]) await dropHints(world, holder, 3);
  world.network.partition([3], [3 - peer]);
  await world.restart(3);
  await world.run(90_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toEqual([]);
});

test("deletes that race with hints of what they delete win", async () => {
  const world = new World({ seed: 403, nodes: 4 });
  await world.start();
  world.crash(3);
  await world.run(6_000);
  for (const key of keys) await put(world, 1, key, "old");
  // What is sent from now on overtakes what was sent before.
  world.network.weather = { ...world.network.weather, delayMsMin: 1, delayMsMax: 400, repeat: 0.3 };
  await world.restart(3);
  for (const key of keys) await remove(world, 1, key);
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toEqual([]);
  expect(world.watch.wrongs).toEqual([]);
});

test("deletes while their partitions move are deletes at the new owners", async () => {
  const world = new World({ seed: 404, nodes: 3, partitions: 8, tickMs: 25 });
  await world.start();
  for (const key of keys) await put(world, 1, key, "old");
  const { client } = startClient(world, { keys: ["other"], seed: 4, ms: 5_000 });
  const newcomer = await world.join(2);
  for (const key of keys) {
    await remove(world, newcomer, key);
    await world.run(20);
  }
  expect(await world.runUntil(() => world.isAtRest, 300_000)).toBe(true);
  await world.run(20_000);
  expect(keys.some((key) => ownersOf(world, key).includes(newcomer))).toBe(true);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toEqual([]);
  expect(client.wrongs).toEqual([]);
});

test("a context from before a delete that is long forgotten brings nothing back", async () => {
  const world = new World({ seed: 405, nodes: 3, cleanup: quick });
  await world.start();
  for (const key of ["a", "b"]) await put(world, 1, key, "old");
  const [a, b] = [await get(world, 2, "a"), await get(world, 2, "b")];
  for (const key of ["a", "b"]) await remove(world, 1, key);
  await world.run(30_000);
  expect(await tombstonesIn(world)).toBe(0);
  await put(world, 3, "b", "anew");
  // The client that read the old values so long ago now writes over them.
  await put(world, 2, "a", "mine", { context: a.context });
  await put(world, 2, "b", "mine", { context: b.context });
  await world.run(30_000);
  expect(await agreedOn(world, ["a", "b"])).toEqual({ a: ["mine"], b: ["anew", "mine"] });
  expect(world.watch.wrongs).toEqual([]);
});
