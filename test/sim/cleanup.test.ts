/** Clean-up rounds over whole clusters: what is forgotten, and what never comes back. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { versionsAt } from "./inspect.ts";
import { roundsAt } from "./rounds.ts";
import { agreedOn, get, ownersOf, put } from "./story.ts";
import { World } from "./world.ts";

/** Rounds as soon as there is something to reap, and no client that repeats its requests. */
const quick = { intervalMs: 2_000, retryMs: 500, restMs: 200 };
const keys = Array.from({ length: 24 }, (_, i) => `key ${i}`);

/** Keys with a past, over all nodes. */
async function reapableIn(world: World): Promise<number> {
  let reapable = 0;
  for (const id of world.live) {
    for (const state of await roundsAt(world, id)) reapable += state.reapable;
  }
  return reapable;
}

async function remove(world: World, at: NodeId, key: string): Promise<void> {
  const { context } = await get(world, at, key);
  expect(await put(world, at, key, undefined, { context })).toMatchObject({ kind: "stored" });
}

test("after one round at rest there are no tombstones, no vectors and no operations", async () => {
  const world = new World({ seed: 1, nodes: 5, cleanup: quick });
  await world.start();
  for (const key of keys) await put(world, 1, key, `of ${key}`);
  for (const key of keys.slice(0, 12)) await remove(world, 2, key);
  await world.run(20_000);
  expect(await reapableIn(world)).toBe(0);
  for (const key of keys) {
    for (const owner of ownersOf(world, key)) {
      const { vector, dots, operations, siblings } = await versionsAt(world, owner, key);
      expect([vector, dots, operations]).toEqual([[], [], []]);
      expect(siblings.map(({ operation }) => operation).filter(Boolean)).toEqual([]);
    }
  }
  const told = (await world.admin(2, "cleanup", {})) as { nodes: Record<string, number>[] };
  expect(told.nodes.map(({ reapable, tombstones }) => [reapable, tombstones])).toEqual(
    world.ids.map(() => [0, 0]),
  );
  expect(told.nodes.reduce((sum, { rounds = 0 }) => sum + rounds, 0)).toBeGreaterThan(0);
  const values = await agreedOn(world, keys);
  for (const key of keys.slice(12)) expect(values[key]).toEqual([`of ${key}`]);
  for (const key of keys.slice(0, 12)) expect(values[key]).toEqual([]);
  expect(world.watch.wrongs).toEqual([]);
});

test("nothing is forgotten while a member is away, nothing deleted comes with it", async () => {
  const world = new World({ seed: 2, nodes: 3, cleanup: quick });
  await world.start();
  for (const key of keys) await put(world, 1, key, "old");
  await world.run(2_000);
  world.crash(3);
  await world.run(5_000);
  for (const key of keys) await remove(world, 1, key);
  await world.run(60_000);
  expect(await reapableIn(world)).toBeGreaterThan(0);
  await world.restart(3);
  await world.run(60_000);
  expect(await reapableIn(world)).toBe(0);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key]).toEqual([]);
});

test("an old copy of a directory brings back nothing that was cleaned up since", async () => {
  const world = new World({ seed: 3, nodes: 3, cleanup: quick });
  await world.start();
  for (const key of keys) await put(world, 1, key, "old");
  await world.run(2_000);
  const image = world.imageOf(3);
  for (const key of keys.slice(0, 20)) await remove(world, 1, key);
  await world.run(20_000);
  expect(await reapableIn(world)).toBe(0);
  world.crash(3);
  world.restore(3, image);
  await world.restart(3);
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const key of keys.slice(0, 20)) expect(values[key], key).toEqual([]);
  for (const key of keys.slice(20)) expect(values[key], key).toEqual(["old"]);
  expect(world.notices.some(({ notice }) => notice.kind === "rolled-back")).toBe(true);
});
