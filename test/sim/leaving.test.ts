/** The end of a leave: who has said that nothing is lost with it takes nothing more. */
import { expect, test } from "vitest";
import type { Command } from "../../src/core/message.ts";
import { agreedOn, put } from "./story.ts";
import { keyFrom } from "./workload.ts";
import { World } from "./world.ts";

/** A cluster that node 4 is leaving: all that it owned has moved. */
async function beginning(): Promise<World> {
  const world = new World({ seed: 77, nodes: 4 });
  await world.start();
  await world.admin(1, "leave", { node: 4 });
  const isIdle = (): boolean => world.ringOf(4).moves.length === 0;
  expect(await world.runUntil(isIdle)).toBe(true);
  return world;
}

function stateOf(world: World) {
  return world.ringOf(1).members.find(({ id }) => id === 4)?.state;
}

test("a node that is struck out while cut off has acknowledged nothing alone", async () => {
  const first = await beginning();
  const begun = first.timeline.now;
  expect(await first.runUntil(() => stateOf(first) === "left")).toBe(true);
  const took = first.timeline.now - begun;
  let unheard = 0;
  for (const early of [220, 180, 140, 100, 60, 20]) {
    const world = await beginning();
    await world.run(took - early);
    world.network.partition([4], [1, 2, 3]);
    const wanted: Command = {
      ...({ kind: "put", key: keyFrom("late"), context: undefined } as const),
      ...{ value: Buffer.from("v"), deadlineMs: 10_000, trace: false },
      ...{ ttlMs: 0, operation: { at: 1, nonce: 1, retried: false }, w: 1, strict: false },
    };
    const outcome = await world.ask(4, wanted);
    unheard += Number(stateOf(world) === "left");
    world.network.heal();
    expect(await world.runUntil(() => stateOf(world) === "left")).toBe(true);
    const { late } = await agreedOn(world, ["late"]);
    if (outcome?.kind === "stored") expect(late).toEqual(["v"]);
    expect(world.watch.wrongs).toEqual([]);
  }
  expect(unheard).toBeGreaterThan(0);
});

test("what was dropped comes back by a later leave, with the floor that it had", async () => {
  const cleanup = { intervalMs: 2_000, retryMs: 500, restMs: 200 };
  const world = new World({ seed: 78, nodes: 3, cleanup });
  await world.start();
  const names = Array.from({ length: 40 }, (_, i) => `key ${i}`);
  for (const name of names) await put(world, 1, name, `of ${name}`);
  // Each partition has had a round, and none has one later.
  await world.run(20_000);
  const newcomer = await world.join(1);
  expect(await world.runUntil(() => world.isAtRest)).toBe(true);
  // Former owners drop what they have after ten minutes.
  await world.run(620_000);
  await world.admin(1, "leave", { node: newcomer });
  const isGone = (): boolean =>
    world.ringOf(1).members.find(({ id }) => id === newcomer)?.state === "left";
  expect(await world.runUntil(isGone, 120_000)).toBe(true);
  const values = await agreedOn(world, names);
  for (const name of names) expect(values[name]).toEqual([`of ${name}`]);
  expect(world.watch.wrongs).toEqual([]);
});
