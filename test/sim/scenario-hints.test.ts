/** Stories of hints: whoever dies or stands still in the middle, what was kept arrives. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { agreedOn, get, ownersOf, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);

/** Those who keep something for a node that is down. */
function keepersFor(world: World, target: NodeId): readonly NodeId[] {
  const kept = world.notices.filter(
    ({ notice }) => notice.kind === "hint-kept" && notice.target === target,
  );
  return [...new Set(kept.map(({ node }) => node))];
}

async function hintsAt(world: World, node: NodeId): Promise<number> {
  let hints: number | undefined;
  world.storeOf(node).run({ kind: "count-hints" }, (outcome) => {
    if (outcome.kind === "counts") hints = outcome.hints.reduce((sum, each) => sum + each.keys, 0);
  });
  await world.runUntil(() => hints !== undefined, 10_000);
  return hints ?? -1;
}

test("a node that starts with hints for one that is up already delivers them", async () => {
  const world = new World({ seed: 411, nodes: 4 });
  await world.start();
  const [first, absent] = ownersOf(world, "a") as [NodeId, NodeId];
  world.crash(absent);
  await world.run(6_000);
  expect(await put(world, first, "a", "kept")).toMatchObject({ kind: "stored" });
  const keepers = keepersFor(world, absent);
  expect(keepers.length).toBeGreaterThan(0);
  for (const keeper of keepers) world.crash(keeper, 0);
  await world.restart(absent);
  await world.run(20_000);
  const before = world.notices.length;
  for (const keeper of keepers) await world.restart(keeper);
  await world.run(60_000);
  const told = world.notices.slice(before).map(({ notice }) => notice.kind);
  expect(told).toContain("hints-delivered");
  for (const keeper of keepers) expect(await hintsAt(world, keeper)).toBe(0);
  expect(await agreedOn(world, ["a"])).toEqual({ a: ["kept"] });
});

/** One of the two ends dies as the nth message of a delivery is about to be sent. */
async function deliver(victim: "keeper" | "target", nth: number): Promise<boolean> {
  const world = new World({ seed: 412, nodes: 4, partitions: 8, diskMsMax: 3, tickMs: 25 });
  await world.start();
  world.crash(3);
  await world.run(6_000);
  for (const key of keys) await put(world, 1, key, `of ${key}`);
  let seen = 0;
  world.beforeEffect = (node, effect) => {
    if (effect.kind !== "send" || !/^hints/.test(effect.message.kind) || ++seen !== nth) return;
    const isQuestion = effect.message.kind === "hints";
    const keeper = isQuestion ? node : effect.to;
    world.crash(victim === "keeper" ? keeper : 3, 0);
  };
  await world.restart(3);
  await world.run(10_000);
  world.beforeEffect = () => {};
  for (const id of world.startable) await world.restart(id);
  await world.run(30_000);
  const values = await agreedOn(world, keys);
  for (const key of keys)
    expect(values[key], `${victim} dies at step ${nth}`).toEqual([`of ${key}`]);
  for (const id of world.ids) expect(await hintsAt(world, id)).toBe(0);
  return seen >= nth;
}

test.each(["keeper", "target"] as const)(
  "a delivery outlives its %s at every step",
  async (who) => {
    let steps = 0;
    while (await deliver(who, steps + 1)) steps += 1;
    expect(steps).toBeGreaterThan(3);
  },
);

test("two minutes of standstill drop no hint, and answer nothing late", async () => {
  const world = new World({ seed: 413, nodes: 4 });
  await world.start();
  const [first, absent] = ownersOf(world, "a") as [NodeId, NodeId];
  world.crash(absent);
  await world.run(6_000);
  expect(await put(world, first, "a", "kept")).toMatchObject({ kind: "stored" });
  const [keeper = 0] = keepersFor(world, absent).filter((node) => node !== first);
  // It stops with a request in hand and hints on its disk, and knows nothing of it.
  const asked = put(world, keeper, "b", "late");
  world.freeze(keeper);
  const answered = await asked;
  expect(answered?.kind).not.toBe("stored");
  await world.restart(absent);
  await world.run(120_000);
  world.thaw(keeper);
  await world.run(60_000);
  expect(await hintsAt(world, keeper)).toBe(0);
  expect(await agreedOn(world, ["a"])).toEqual({ a: ["kept"] });
  // What it was asked for is there or it is not, everywhere alike.
  const [value = "late"] = (await agreedOn(world, ["b"]))["b"] ?? [];
  expect(value).toBe("late");
  expect((await get(world, absent, "a")).values).toEqual(["kept"]);
});
