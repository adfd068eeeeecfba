/**
 * Stories of dots: a node that has forgotten what it did never names two writes alike, or the
 * second would take the place of the first, acknowledged, on every replica.
 */
import { expect, test } from "vitest";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

test("what was done since the backup is not done again under the same names", async () => {
  const world = new World({ seed: 441, nodes: 3 });
  await world.start();
  expect(await put(world, 3, "a", "first")).toMatchObject({ kind: "stored" });
  const seen = await get(world, 3, "a");
  world.crash(3, 1);
  const backup = world.imageOf(3);
  await world.restart(3);
  await world.run(5_000);
  const second = await put(world, 3, "a", "second", { context: seen.context });
  expect(second).toMatchObject({ kind: "stored" });
  world.crash(3);
  world.restore(3, backup);
  await world.restart(3);
  // The same node, the same key, the same context, from a disk that knows nothing of the second.
  const third = await put(world, 3, "a", "third", { context: seen.context });
  expect(third).toMatchObject({ kind: "stored" });
  await world.run(60_000);
  expect(await agreedOn(world, ["a"])).toEqual({ a: ["second", "third"] });
  expect(world.watch.wrongs).toEqual([]);
});

test("a coordinator whose disk does not let it read takes nobody's place", async () => {
  const world = new World({ seed: 442, nodes: 3 });
  await world.start();
  const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`);
  for (const key of keys)
    expect(await put(world, 1, key, "first")).toMatchObject({ kind: "stored" });
  // What it holds goes into tables at its next start, and the disk then refuses to read them.
  world.crash(1, 1);
  await world.restart(1);
  await world.run(5_000);
  const disk = world.diskOf(1);
  disk.failReadAt(disk.reads + 1, "EIO-sticky");
  let stored = 0;
  for (const key of keys) {
    const result = await put(world, 1, key, "second");
    if (result?.kind === "stored") stored += 1;
  }
  disk.heal();
  for (const id of world.startable) await world.restart(id);
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key], key).toContain("first");
  const seconds = keys.filter((key) => values[key]?.includes("second"));
  expect(seconds.length).toBeGreaterThanOrEqual(stored);
  expect(world.watch.wrongs).toEqual([]);
});

test("a node that lost its disk comes back with a number and dots of its own", async () => {
  const world = new World({ seed: 443, nodes: 4 });
  await world.start();
  for (let i = 0; i < 10; i++) await put(world, 3, `key ${i}`, "before");
  await world.run(5_000);
  world.forget(3);
  await world.run(6_000);
  const id = await world.join(1, { address: "n3:7400" });
  expect(id).toBeGreaterThan(4);
  for (let i = 0; i < 10; i++) {
    expect(await put(world, id, `key ${i}`, "after")).toMatchObject({ kind: "stored" });
  }
  expect(await world.runUntil(() => world.isAtRest, 300_000)).toBe(true);
  await world.run(60_000);
  for (let i = 0; i < 10; i++) {
    expect(await agreedOn(world, [`key ${i}`])).toEqual({ [`key ${i}`]: ["after", "before"] });
  }
  expect(world.watch.wrongs).toEqual([]);
});
