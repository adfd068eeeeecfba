/** The end of a leave: who has said that nothing is lost with it takes nothing more. */
import { expect, test } from "vitest";
import type { Command } from "../../src/core/message.ts";
import { agreedOn } from "./story.ts";
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

test("a node that is struck out while nobody reaches it has acknowledged nothing alone", async () => {
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
