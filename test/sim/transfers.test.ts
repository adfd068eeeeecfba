/** What a change of the ring leaves alone: trees, and data that is where it shall be. */
import { expect, test } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { MerkleTree } from "../../src/core/sync/merkle.ts";
import { agreedOn, put } from "./story.ts";
import { World } from "./world.ts";

const partitions = 16;
const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);

async function filled(nodes: number, seed: number): Promise<World> {
  const world = new World({ seed, nodes, partitions });
  await world.start();
  for (const [i, key] of keys.entries()) await put(world, (i % nodes) + 1, key, `value ${i}`);
  await world.run(20_000);
  return world;
}

async function work(world: World, node: NodeId, what: StoreWork): Promise<StoreOutcome> {
  let found: StoreOutcome | undefined;
  world.storeOf(node).run(what, (outcome) => {
    found = outcome;
  });
  await world.runUntil(() => found !== undefined);
  if (found === undefined) throw new Error(`node ${node} does not answer`);
  return found;
}

async function rootOf(world: World, node: NodeId, partition: Partition) {
  const outcome = await work(world, node, { kind: "tree", partition, level: "root", parents: [] });
  if (outcome.kind !== "tree") throw new Error(outcome.kind);
  return outcome;
}

/** The root of a tree over what the store lists. */
async function rootAnew(world: World, node: NodeId, partition: Partition) {
  const bounds = { after: undefined, limit: 10_000, bytes: 1 << 30 };
  const outcome = await work(world, node, { kind: "list", partition, ...bounds });
  if (outcome.kind !== "entries") throw new Error(outcome.kind);
  const tree = new MerkleTree({ partition, partitions });
  for (const { key, versions } of outcome.entries) {
    tree.replace(key, undefined, digestOf(versions));
  }
  return tree.root();
}

test("no tree is made anew: each is ready throughout, and right at the end", async () => {
  const world = await filled(4, 61);
  await world.join(1);
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  for (let look = 0; look < 20; look++) {
    await world.run(300);
    for (const partition of all) {
      for (const node of [1, 2, 3, 4]) {
        const { ready } = await rootOf(world, node, partition);
        expect(ready, `partition ${partition} of node ${node}`).toBe(true);
      }
    }
  }
  expect(await world.runUntil(() => world.isAtRest)).toBe(true);
  for (const node of world.live) {
    for (const partition of new Ring(world.ring, node).held()) {
      const { ready, hashes } = await rootOf(world, node, partition);
      expect(ready).toBe(true);
      expect(hashes[0], `partition ${partition} of node ${node}`).toEqual(
        await rootAnew(world, node, partition),
      );
    }
  }
  await agreedOn(world, keys);
});

test("a node leaves whose partitions the others hold already: nothing moves", async () => {
  const world = await filled(3, 62);
  const before = world.watch.entries;
  await world.admin(1, "leave", { node: 3 });
  expect(await world.runUntil(() => world.ring.members[2]?.state === "left")).toBe(true);
  world.crash(3);
  await world.run(5_000);
  expect(world.ring.moves).toEqual([]);
  expect(world.watch.entries - before).toBe(0);
  expect(world.watch.counts.get("transfer-chunk")).toBe(undefined);
  await agreedOn(world, keys);
});
