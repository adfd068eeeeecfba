/** Nodes that wait to be let in: they hold nobody up, and own nothing before their plan is made. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { roundsAt } from "./rounds.ts";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

const quick = { intervalMs: 2_000, retryMs: 500, restMs: 200 };
const comer = { address: "somewhere:1", dc: "dc1", rack: "rack1", weight: 1, stage: true };

test("a node that waits, and is away, stops no clean-up round", async () => {
  const world = new World({ seed: 41, nodes: 3, cleanup: quick });
  await world.start();
  await world.admin(1, "join", comer);
  expect(world.ringOf(1).staged).toHaveLength(1);
  for (const key of ["a", "b", "c"]) {
    await put(world, 1, key, "old");
    const { context } = await get(world, 1, key);
    await put(world, 2, key, undefined, { context });
  }
  await world.run(20_000);
  for (const id of world.live) {
    const rounds = await roundsAt(world, id);
    expect(rounds.reduce((sum, { reapable }) => sum + reapable, 0)).toBe(0);
  }
  expect(world.watch.wrongs).toEqual([]);
});

test("of two plans on two sides of a cut one is made, and both sides keep to it", async () => {
  const world = new World({ seed: 42, nodes: 5 });
  await world.start();
  world.network.partition([1, 2], [3, 4, 5]);
  const leave = (via: NodeId, node: NodeId) => {
    const given = JSON.stringify({ node });
    return world.request(via, {
      kind: "admin",
      name: "leave",
      arguments: given,
      deadlineMs: 4_000,
    });
  };
  const [few, many] = [leave(1, 3), leave(5, 1)];
  await world.run(6_000);
  expect(await few).toMatchObject({ kind: "failed", code: "QUORUM_UNAVAILABLE" });
  expect(await many).toMatchObject({ kind: "answer" });
  world.network.heal();
  const isOver = (): boolean =>
    world.live.every((id) => world.ringOf(id).members[0]?.state === "left");
  expect(await world.runUntil(isOver)).toBe(true);
  for (const id of [2, 3, 4, 5]) {
    const { members, moves } = world.ringOf(id);
    expect(members.map(({ state }) => state)).toEqual(["left", ...Array(4).fill("member")]);
    expect(moves).toEqual([]);
  }
  expect(world.watch.wrongs).toEqual([]);
});

test("abort while partitions move leaves them where they are, and the newcomer goes", async () => {
  const world = new World({ seed: 43, nodes: 4 });
  await world.start();
  const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);
  for (const key of keys) await put(world, 1, key, `of ${key}`);
  const before = world.ringOf(1).owners;
  const newcomer = await world.join(1);
  expect(world.ringOf(1).moves.length).toBeGreaterThan(0);
  await world.admin(1, "abort", {});
  for (const key of keys) await put(world, 2, `${key} later`, "late");
  const isGone = (): boolean =>
    world.ringOf(1).members.find(({ id }) => id === newcomer)?.state === "left";
  expect(await world.runUntil(isGone)).toBe(true);
  const { moves, owners } = world.ringOf(1);
  expect([moves, owners.map((row) => [...row].sort())]).toEqual([
    [],
    before.map((row) => [...row].sort()),
  ]);
  world.forget(newcomer);
  await world.run(5_000);
  const values = await agreedOn(world, keys);
  for (const key of keys) expect(values[key]).toEqual([`of ${key}`]);
  expect(world.watch.wrongs).toEqual([]);
});
