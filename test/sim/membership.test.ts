/** Nodes that come while a cluster is at work. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { findWrongs } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { startClient } from "./load.ts";
import { keyFrom } from "./workload.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);

function ringAt(world: World, node: NodeId): Ring {
  return new Ring(world.ringOf(node), node);
}

test("a founder with data grows to five nodes while it is written to", async () => {
  const world = new World({ seed: 21, nodes: 1, w: 1, r: 1 });
  await world.start();
  const { client, history } = startClient(world, { keys, seed: 5, ms: 60_000 });
  for (let i = 0; i < 4; i++) {
    await world.run(3_000);
    await world.join(world.ids[i] ?? 1);
  }
  await world.run(80_000);
  const ring = ringAt(world, 1);
  expect(ring.state.moves).toEqual([]);
  const owned = world.ids.map((id) => ring.state.owners.filter((row) => row.includes(id)).length);
  expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
  expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
  expect(client.refused).toBe(0);
  expect(history.filter(({ outcome }) => outcome === "acked").length).toBeGreaterThan(500);
});

test("a newcomer says that nothing is there only once it holds what it should", async () => {
  const world = new World({ seed: 22, nodes: 3 });
  await world.start();
  const { history } = startClient(world, { keys, seed: 6, ms: 5_000 });
  await world.run(8_000);
  const id = await world.join(2);
  // From its first moment on, reads through the newcomer show every acknowledged write.
  const { client: reader } = startClient(world, { keys, seed: 7, ms: 0, name: "reader" });
  for (const key of keys) {
    const acked = history.filter((write) => write.key === key && write.outcome === "acked");
    const last = acked.at(-1);
    if (last?.value === undefined) continue;
    const result = await world.ask(id, {
      kind: "get",
      key: keyFrom(key),
      r: undefined,
      strict: false,
      deadlineMs: 2_000,
      trace: false,
    });
    if (result?.kind !== "found") throw new Error(`${key}: ${JSON.stringify(result)}`);
    expect(result.values.length, key).toBeGreaterThan(0);
  }
  expect(reader.refused).toBe(0);
});

test("two nodes that join at once are both let in, and everybody agrees on the ring", async () => {
  const world = new World({ seed: 23, nodes: 3 });
  await world.start();
  const first = world.join(1);
  const second = world.join(2);
  await world.run(40_000);
  expect(new Set([await first, await second]).size).toBe(2);
  const epochs = new Set(world.ids.map((id) => world.ringOf(id).epoch));
  expect(epochs.size).toBe(1);
  expect(world.ringOf(1).members).toHaveLength(5);
});
