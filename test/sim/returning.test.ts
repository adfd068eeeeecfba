/** Nodes that come back: with nothing, or after a long time. */
import { expect, test } from "vitest";
import type { Effect } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { emptyDigest } from "../../src/core/quorum/votes.ts";
import { findWrongs } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { startClient } from "./load.ts";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 80 }, (_, i) => `key ${i}`);

/** A voice that counts, and says that there is nothing. */
function isDenial(effect: Effect): boolean {
  if (effect.kind !== "send" || effect.message.kind !== "read-reply") return false;
  const { standing, digest, failure } = effect.message;
  const isEmpty = digest.high === emptyDigest.high && digest.low === emptyDigest.low;
  return standing !== "rebuilding" && failure === undefined && isEmpty;
}

test("a node whose disk was wiped denies nothing before it has refilled", async () => {
  const world = new World({ seed: 61, nodes: 4, partitions: 32 });
  await world.start();
  for (const [i, key] of keys.entries()) await put(world, (i % 4) + 1, key, `of ${key}`);
  await world.run(10_000);
  const denials: NodeId[] = [];
  world.beforeEffect = (node, effect) => {
    if (isDenial(effect)) denials.push(node);
  };
  world.forget(3);
  await world.run(6_000);
  const id = await world.join(2, { address: "n3:7400" });
  // Every key is read through every node, the newcomer among them, while it refills.
  let reads = 0;
  while (!world.isFilled || reads < 2 * keys.length) {
    const key = keys[reads % keys.length] ?? "";
    const at = world.serving[reads % world.serving.length] ?? 1;
    expect((await get(world, at, key)).values).toEqual([`of ${key}`]);
    reads += 1;
    await world.run(3);
  }
  expect(denials).toEqual([]);
  await world.run(20_000);
  expect(world.serving).toContain(id);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key]).toEqual([`of ${key}`]);
});

test("wiped under load: nothing acknowledged is lost, and no dot issued twice", async () => {
  const world = new World({ seed: 62, nodes: 4 });
  await world.start();
  const { client, history } = startClient(world, { keys, seed: 8, ms: 40_000 });
  await world.run(5_000);
  for (const [round, gone] of [2, 3].entries()) {
    world.forget(gone);
    await world.run(4_000);
    await world.join(1, { address: `n${gone}:7400` });
    await world.runUntil(() => world.isFilled);
    expect(world.ring.members.filter(({ state }) => state === "left")).toHaveLength(round + 1);
    await world.run(5_000);
  }
  await world.run(60_000);
  expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
  expect([...world.watch.wrongs, ...client.wrongs]).toEqual([]);
});

test("away for hours while everything was deleted and half of it written anew", async () => {
  const world = new World({ seed: 63, nodes: 4 });
  await world.start();
  for (const [i, key] of keys.entries()) await put(world, (i % 4) + 1, key, "before");
  await world.run(10_000);
  world.crash(3);
  await world.run(6_000);
  for (const [i, key] of keys.entries()) {
    const { context } = await get(world, 1, key);
    await put(world, 2, key, undefined, { context });
    if (i % 2 === 0) await put(world, 4, key, "after");
  }
  await world.run(600_000);
  await world.restart(3);
  // From its first moment on, and through it, nothing deleted is shown.
  for (const [i, key] of keys.entries()) {
    const { values } = await get(world, 3, key);
    expect(values, key).toEqual(i % 2 === 0 ? ["after"] : []);
  }
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const [i, key] of keys.entries()) expect(values[key]).toEqual(i % 2 === 0 ? ["after"] : []);
  expect(world.watch.wrongs).toEqual([]);
});
