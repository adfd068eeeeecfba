/** The cluster changes while it works: who comes, who goes, and who is gone for good. */
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { findWrongs } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { startClient } from "./load.ts";
import { agreedOn, get, put } from "./story.ts";
import { keyFrom } from "./workload.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);

function stateOf(world: World, node: NodeId) {
  return world.ring.members.find(({ id }) => id === node)?.state;
}

/** By the most and the least that members own of their data centre's copies. */
function spreadOf({ owners, members }: RingState): number {
  const owned = members
    .filter(({ state }) => state === "member")
    .map(({ id }) => owners.filter((row) => row.includes(id)).length);
  return Math.max(...owned) - Math.min(...owned);
}

/** Keys that nodes own after the change and did not own before. */
function movedKeys(before: RingState, after: RingState, names: readonly string[]): number {
  const [was, is] = [new Ring(before, 0), new Ring(after, 0)];
  return names.reduce((sum, name) => {
    const key = keyFrom(name);
    const owners = was.owners(was.partitionOf(key));
    const come = is.owners(is.partitionOf(key)).filter((node) => !owners.includes(node));
    return sum + come.length;
  }, 0);
}

describe("under load", () => {
  test("one joins and another leaves: no request fails, and the ring is balanced", async () => {
    const world = new World({ seed: 41, nodes: 4, partitions: 32 });
    await world.start();
    const { client, history } = startClient(world, { keys, seed: 1, ms: 60_000 });
    await world.run(5_000);
    const id = await world.join(1);
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    expect(spreadOf(world.ring)).toBeLessThanOrEqual(1);
    await world.admin(id, "leave", { node: 2 });
    expect(await world.runUntil(() => stateOf(world, 2) === "left")).toBe(true);
    // What it was asked before is answered before it ends.
    await world.run(1_000);
    world.crash(2);
    await world.run(60_000);
    expect(spreadOf(world.ring)).toBeLessThanOrEqual(1);
    expect(client.refusals).toEqual([]);
    expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
    expect([...world.watch.wrongs, ...client.wrongs]).toEqual([]);
    expect(history.filter(({ outcome }) => outcome === "acked").length).toBeGreaterThan(1_000);
  });

  test("what has to move moves once, and nothing else does", async () => {
    const world = new World({ seed: 42, nodes: 4, partitions: 32 });
    await world.start();
    const many = Array.from({ length: 600 }, (_, i) => `many ${i}`);
    for (const [i, key] of many.entries()) await put(world, (i % 4) + 1, key, "x".repeat(100));
    await world.run(30_000);
    const before = world.ring;
    const sentBefore = world.watch.entries;
    await world.join(2);
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    const optimum = movedKeys(before, world.ring, many);
    expect(optimum).toBeGreaterThan(200);
    await world.run(30_000);
    expect(world.watch.entries - sentBefore).toBeLessThanOrEqual(1.05 * optimum);
    await agreedOn(world, many);
  });

  test("a weight moves what it says, and an abort takes back what has not moved", async () => {
    const world = new World({ seed: 43, nodes: 5, partitions: 32 });
    await world.start();
    const { client, history } = startClient(world, { keys, seed: 2, ms: 30_000 });
    await world.admin(1, "weight", { node: 5, weight: 3 });
    await world.run(20);
    await world.admin(2, "abort", {});
    await world.admin(3, "weight", { node: 4, weight: 2 });
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    await world.run(30_000);
    expect(client.refusals).toEqual([]);
    expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
  });
});

describe("a staged change", () => {
  test("moves nothing before it is committed; who waits neither owns nor answers", async () => {
    const world = new World({ seed: 44, nodes: 3 });
    await world.start();
    for (const key of keys) await put(world, 1, key, "kept");
    const { owners } = world.ring;
    const id = await world.join(1, { stage: true });
    await world.run(10_000);
    expect(stateOf(world, id)).toBe("joining");
    expect(world.ring.owners).toEqual(owners);
    const refused = await put(world, id, "key 0", "no");
    expect(refused).toMatchObject({ kind: "failed", code: "NOT_READY" });
    await world.admin(2, "commit", {});
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    expect(stateOf(world, id)).toBe("member");
    expect(spreadOf(world.ring)).toBeLessThanOrEqual(1);
    expect((await get(world, id, "key 0")).values).toEqual(["kept"]);
  });

  test("is taken back by an abort, and its node is told", async () => {
    const world = new World({ seed: 45, nodes: 3 });
    await world.start();
    const id = await world.join(1, { stage: true });
    await world.admin(2, "abort", {});
    expect(stateOf(world, id)).toBe("left");
    await world.run(5_000);
    expect(world.ringOf(id).members.find((member) => member.id === id)?.state).toBe("left");
  });
});

describe("a node that is gone for good", () => {
  test("is removed: others fill what it owned, and it is not heard any more", async () => {
    const world = new World({ seed: 46, nodes: 5 });
    await world.start();
    const { client, history } = startClient(world, { keys, seed: 3, ms: 30_000 });
    await world.run(5_000);
    world.crash(3);
    await world.run(5_000);
    await world.admin(1, "remove", { node: 3 });
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    await world.restart(3);
    await world.run(60_000);
    expect(world.ringOf(3).members.find(({ id }) => id === 3)?.state).toBe("left");
    world.crash(3);
    expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
    expect([...world.watch.wrongs, ...client.wrongs]).toEqual([]);
  });

  test("is replaced at its address: the newcomer refills under a new number", async () => {
    const world = new World({ seed: 47, nodes: 4 });
    await world.start();
    const { client, history } = startClient(world, { keys, seed: 4, ms: 40_000 });
    await world.run(5_000);
    const before = world.ring.owners;
    world.forget(3);
    await world.run(6_000);
    const id = await world.join(1, { address: "n3:7400" });
    expect(id).toBe(5);
    expect(stateOf(world, 3)).toBe("left");
    const swapped = before.map((row) => row.map((node) => (node === 3 ? id : node)));
    expect(world.ring.owners).toEqual(swapped);
    await world.run(60_000);
    expect(world.isAtRest).toBe(true);
    expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
    expect([...world.watch.wrongs, ...client.wrongs]).toEqual([]);
  });

  test("was one of two: the other forces the ring, and a replacement makes them two", async () => {
    const world = new World({ seed: 48, nodes: 2 });
    await world.start();
    for (const key of keys) await put(world, 2, key, "kept");
    await world.run(5_000);
    world.crash(2);
    await world.run(6_000);
    await expect(world.admin(1, "remove", { node: 2 }, 3_000)).rejects.toThrow();
    await world.admin(1, "ring-force", { lost: [2] });
    await world.run(5_000);
    for (const key of keys) expect((await get(world, 1, key)).values).toEqual(["kept"]);
    const id = await world.join(1, { address: "n2:7400" });
    await world.run(30_000);
    expect(world.isAtRest).toBe(true);
    // What is left of the lost one finds out that it is fenced off.
    await world.restart(2);
    await world.run(10_000);
    expect(world.ringOf(2).members.find((member) => member.id === 2)?.state).toBe("left");
    world.crash(2);
    expect((await get(world, id, "key 1")).values).toEqual(["kept"]);
    await agreedOn(world, keys);
    expect(world.watch.wrongs).toEqual([]);
  });
});

describe("two plans on two sides of a cut", () => {
  test("only that of the majority is committed, and both sides hold it after healing", async () => {
    const world = new World({ seed: 49, nodes: 5, partitions: 32 });
    await world.start();
    world.network.partition([1, 2], [3, 4, 5]);
    await world.run(8_000);
    const few = world.admin(1, "leave", { node: 5 }, 3_000).catch(String);
    expect(await few).toContain("QUORUM_UNAVAILABLE");
    await world.admin(3, "leave", { node: 1 }, 3_000);
    world.network.heal();
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    expect([stateOf(world, 1), stateOf(world, 5)]).toEqual(["left", "member"]);
    expect(world.watch.wrongs).toEqual([]);
  });

  test("with no majority on either side neither is", async () => {
    const world = new World({ seed: 50, nodes: 4, partitions: 32 });
    await world.start();
    world.network.partition([1, 2], [3, 4]);
    await world.run(8_000);
    for (const [at, node] of [
      [1, 4],
      [3, 2],
    ] as const) {
      const refused = await world.admin(at, "leave", { node }, 3_000).catch(String);
      expect(refused).toContain("QUORUM_UNAVAILABLE");
    }
    world.network.heal();
    await world.run(20_000);
    expect(world.ring.members.every(({ state }) => state === "member")).toBe(true);
    expect(world.watch.wrongs).toEqual([]);
  });
});
