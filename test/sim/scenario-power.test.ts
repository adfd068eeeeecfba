/** Stories of power and disks: what was acknowledged is there, whenever the light goes out. */
import { expect, test } from "vitest";
import { agreedOn, get, ownersOf, put } from "./story.ts";
import { World } from "./world.ts";

const slowDisks = { diskMsMax: 5 };

async function restartAll(world: World): Promise<void> {
  for (const id of world.startable) await world.restart(id);
  await world.run(3_000);
}

test("all who acknowledged lose power at once, as soon as they have", async () => {
  const world = new World({ seed: 431, nodes: 3, ...slowDisks });
  await world.start();
  for (let i = 0; i < 20; i++) {
    expect(await put(world, 1 + (i % 3), `key ${i}`, `of ${i}`)).toMatchObject({ kind: "stored" });
    for (const id of world.live) world.crash(id, 0);
    await restartAll(world);
    expect((await get(world, 1 + ((i + 1) % 3), `key ${i}`)).values).toEqual([`of ${i}`]);
  }
});

test("everybody loses power at every single step of a put", async () => {
  const world = new World({ seed: 432, nodes: 3, ...slowDisks });
  await world.start();
  let isOver = false;
  let acked = 0;
  let step = 0;
  while (!isOver) {
    step += 1;
    let left = step;
    world.beforeEffect = () => {
      left -= 1;
      if (left === 0) for (const id of world.live) world.crash(id, 0);
    };
    const key = `key ${step}`;
    const result = await put(world, 1, key, "here");
    isOver = left > 0;
    world.beforeEffect = () => {};
    for (const id of world.live) world.crash(id, 0);
    await restartAll(world);
    const { values } = await get(world, 2, key);
    if (result?.kind === "stored") acked += 1;
    if (result?.kind === "stored") expect(values, `step ${step}`).toEqual(["here"]);
    else if (values.length > 0) expect(values, `step ${step}`).toEqual(["here"]);
  }
  expect(step).toBeGreaterThan(5);
  expect(acked).toBeGreaterThan(0);
  await world.run(20_000);
  await agreedOn(
    world,
    Array.from({ length: step }, (_, i) => `key ${i + 1}`),
  );
  expect(world.watch.wrongs).toEqual([]);
});

test("a disk that fails a write stops its node, which has acknowledged nothing", async () => {
  const world = new World({ seed: 433, nodes: 3, ...slowDisks });
  await world.start();
  await put(world, 1, "a", "before");
  for (const operation of [1, 2, 3, 4]) {
    const key = `key ${operation}`;
    const disk = world.diskOf(2);
    disk.failAt(disk.operations + operation, "EIO");
    // All three must have it: node 2 as well.
    const refused = await put(world, 1, key, "all", { w: 3 });
    const answered = refused?.kind === "stored";
    await world.run(1_000);
    if (answered) continue;
    expect(refused).toMatchObject({ kind: "failed" });
    expect(world.live, `operation ${operation}`).toEqual([1, 3]);
    expect((await get(world, 3, "a")).values).toEqual(["before"]);
    await world.restart(2);
    await world.run(10_000);
    expect((await get(world, 2, "a")).values).toEqual(["before"]);
  }
  await world.run(30_000);
  const values = await agreedOn(world, ["key 1", "key 2", "key 3", "key 4", "a"]);
  expect(values["a"]).toEqual(["before"]);
  expect(ownersOf(world, "a")).toHaveLength(3);
});
