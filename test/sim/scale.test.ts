/**
 * What more nodes, other quorums and a client that knows the partitions change (Dynamo, sections
 * 2.3, 6.1 and 6.4), counted in virtual time: no machine's speed is in it.
 */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { seededRandom } from "../../src/core/random.ts";
import { calm } from "./network.ts";
import { Scale } from "./scale/measure.ts";
import { get, ownersOf, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 240 }, (_, i) => `key ${i}`);

async function clusterOf(nodes: number, weather = calm): Promise<World> {
  const world = new World({ seed: 70 + nodes, nodes, weather });
  await world.start();
  return world;
}

/** A put and a get of every key, each at its first owner, as a client that knows the ring asks. */
async function putAndGetAll(world: World): Promise<void> {
  for (const key of keys) {
    const [first] = ownersOf(world, key) as [NodeId];
    expect(await put(world, first, key, "value")).toMatchObject({ kind: "stored" });
    expect((await get(world, first, key)).values).toEqual(["value"]);
  }
}

/** Pieces of work on keys that the busiest node did for each put and get. */
async function busiestIn(world: World): Promise<number> {
  const works = new Map<NodeId, number>();
  world.beforeEffect = (node, effect) => {
    if (effect.kind !== "store") return;
    const { kind } = effect.work;
    if (kind === "read" || kind === "write" || kind === "merge") {
      works.set(node, (works.get(node) ?? 0) + 1);
    }
  };
  await putAndGetAll(world);
  return Math.max(...works.values()) / (2 * keys.length);
}

test("each node added takes its part of the work from the others", async () => {
  const busiest: number[] = [];
  for (const nodes of [3, 4, 5, 6]) busiest.push(await busiestIn(await clusterOf(nodes)));
  for (const [i, work] of busiest.entries()) {
    // Three copies: with three nodes each does a third of all, with six a sixth.
    const fair = ((busiest[0] ?? 0) * 3) / (3 + i);
    expect(work, `${3 + i} nodes`).toBeLessThan(1.25 * fair);
  }
  expect(busiest).toEqual([...busiest].sort((a, b) => b - a));
});

test("answers take longer the more replicas must agree, and the farther they are", async () => {
  const near = await clusterOf(3, { ...calm, delayMsMin: 1, delayMsMax: 30 });
  const far = await clusterOf(3, { ...calm, delayMsMin: 40, delayMsMax: 69 });
  const slow = { near: await msByQuorum(near), far: await msByQuorum(far) };
  for (const times of Object.values(slow)) expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(slow.far[1]).toBeGreaterThan(2 * (slow.near[1] ?? 0));
});

/** What all requests took together with r = w = 1, 2 and 3. */
async function msByQuorum(world: World): Promise<readonly number[]> {
  const times: number[] = [];
  for (const quorum of [1, 2, 3]) {
    const began = world.timeline.now;
    for (const key of keys.slice(0, 60)) {
      const name = `${key} ${quorum}`;
      const [first] = ownersOf(world, name) as [NodeId];
      await put(world, first, name, "value", { w: quorum });
      await get(world, first, name, quorum);
    }
    times.push(world.timeline.now - began);
  }
  return times;
}

test("a client that knows the partitions saves messages that any other needs", async () => {
  const messagesOf = async (nodeFor: (world: World, key: string) => NodeId): Promise<number> => {
    const world = await clusterOf(6);
    const before = requestMessages(world);
    for (const key of keys) {
      const at = nodeFor(world, key);
      await put(world, at, key, "value");
      await get(world, at, key);
    }
    await world.run(1_000);
    return (requestMessages(world) - before) / (2 * keys.length);
  };
  const random = seededRandom(5);
  const aware = await messagesOf((world, key) => ownersOf(world, key)[0] as NodeId);
  const any = await messagesOf(() => 1 + random.below(6));
  expect(aware).toBeLessThan(0.9 * any);
});

test("what a request costs does not grow with the number of nodes, nor what they say", async () => {
  const costs = [];
  for (const nodes of [10, 50]) {
    const scale = new Scale({ nodes, seed: 90, requests: 60, partitions: 64 });
    await scale.start();
    const [put, get] = [await scale.costOf("put"), await scale.costOf("get")];
    // The client asks and is answered. Two copies go to others, and one other is asked to read.
    expect(put.messages).toBe(6);
    // At most one read in twenty is hedged.
    expect(get.messages).toBeGreaterThanOrEqual(4);
    expect(get.messages).toBeLessThanOrEqual(4.1);
    costs.push({ put, get });
    const { suspicions, gossipBytes } = await scale.rest(5_000);
    expect(suspicions, "nodes that are there, taken for absent").toBe(0);
    expect(gossipBytes).toBeLessThan(2_000);
  }
  const [small, large] = costs;
  for (const kind of ["put", "get"] as const) {
    const ratio = (large?.[kind].bytes ?? 0) / (small?.[kind].bytes ?? 1);
    expect(Math.abs(ratio - 1), `bytes of a ${kind}`).toBeLessThan(0.05);
  }
}, 180_000);

test("of ten, none takes over far more than its part when one dies", async () => {
  const requests = 3_000;
  const scale = new Scale({ nodes: 10, seed: 92, requests });
  await scale.start();
  const workOf = async (): Promise<ReadonlyMap<NodeId, number>> => {
    scale.observer.works.clear();
    for (const kind of ["put", "get"] as const) await scale.askAll(kind);
    return new Map(scale.observer.works);
  };
  const before = await workOf();
  const dead = 5;
  scale.world.crash(dead);
  await scale.world.run(5_000);
  const after = await workOf();
  const lost = before.get(dead) ?? 0;
  const fair = lost / scale.world.live.length;
  const taken = scale.world.live.map((id) => (after.get(id) ?? 0) - (before.get(id) ?? 0));
  expect(lost).toBeGreaterThan(500);
  expect(Math.max(...taken) / fair, taken.join()).toBeLessThan(1.5);
});

/** Between nodes, this node's own copy left out. */
function requestMessages(world: World): number {
  const kinds = ["read", "read-reply", "write", "write-reply", "forward", "forward-reply"] as const;
  return kinds.reduce((sum, kind) => sum + (world.watch.counts.get(kind) ?? 0), 0);
}
