/** Short stories of a cluster, each the smallest that shows one promise. */
import { describe, expect, test } from "vitest";
import type { CausalContext } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { agreedOn, dropHints, get, ownersOf, put } from "./story.ts";
import { keyFrom } from "./workload.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 30 }, (_, i) => `key ${i}`);

describe("always writeable", () => {
  test("one node of three takes every write with w = 1, and all converge unread", async () => {
    const world = new World({ seed: 1, nodes: 3 });
    await world.start();
    world.crash(2);
    world.crash(3);
    await world.run(6_000);
    for (const key of keys) {
      expect(await put(world, 1, key, `of ${key}`, { w: 1 })).toMatchObject({ kind: "stored" });
    }
    await world.restart(2);
    await world.restart(3);
    await world.run(60_000);
    const values = await agreedOn(world, keys);
    for (const key of keys) expect(values[key]).toEqual([`of ${key}`]);
  });

  test("with all hints lost, comparing trees alone brings everything over", async () => {
    const world = new World({ seed: 2, nodes: 3 });
    await world.start();
    world.crash(2);
    await world.run(6_000);
    for (const key of keys) await put(world, 1, key, `of ${key}`);
    // Each holds hints for node 2; they go before it returns.
    for (const holder of [1, 3]) await dropHints(world, holder, 2);
    await world.restart(2);
    await world.run(90_000);
    const values = await agreedOn(world, keys);
    for (const key of keys) expect(values[key]).toEqual([`of ${key}`]);
  });

  test("hints survive the restart of the node that keeps them", async () => {
    const world = new World({ seed: 3, nodes: 4 });
    await world.start();
    const [first, second] = ownersOf(world, "a") as [NodeId, NodeId];
    world.crash(second);
    await world.run(6_000);
    expect(await put(world, first, "a", "kept")).toMatchObject({ kind: "stored" });
    await world.run(3_000);
    for (const id of world.live) {
      world.crash(id, 0);
      await world.restart(id);
    }
    await world.restart(second);
    await world.run(60_000);
    expect(await agreedOn(world, ["a"])).toEqual({ a: ["kept"] });
  });

  test("w copies that nobody can take are refused before anything is written", async () => {
    const world = new World({ seed: 4, nodes: 3 });
    await world.start();
    world.crash(2);
    world.crash(3);
    await world.run(6_000);
    const refused = await put(world, 1, "a", "no", { w: 2 });
    expect(refused).toMatchObject({ kind: "failed", code: "QUORUM_UNAVAILABLE", applied: "no" });
    await world.restart(2);
    await world.restart(3);
    await world.run(60_000);
    expect(await agreedOn(world, ["a"])).toEqual({ a: [] });
  });
});

describe("divided and joined again", () => {
  test("both sides write; a read shows exactly the siblings, and one merge ends it", async () => {
    const world = new World({ seed: 5, nodes: 5 });
    await world.start();
    for (const key of keys) await put(world, 1, key, "before");
    const context = (await get(world, 1, "key 0")).context;
    world.network.partition([1, 2], [3, 4, 5]);
    await world.run(8_000);
    for (const key of keys) {
      const here = await get(world, 1, key);
      const there = await get(world, 4, key);
      const left = await put(world, 1, key, "left", { context: here.context });
      const right = await put(world, 4, key, "right", { context: there.context });
      expect([left?.kind, right?.kind], key).toEqual(["stored", "stored"]);
    }
    expect(context.vector.length).toBeGreaterThan(0);
    world.network.heal();
    await world.run(60_000);
    for (const key of keys) {
      const found = await get(world, 3, key);
      expect(found.values, key).toEqual(["left", "right"]);
      await put(world, 2, key, "merged", { context: found.context });
    }
    await world.run(30_000);
    const values = await agreedOn(world, keys);
    for (const key of keys) expect(values[key]).toEqual(["merged"]);
  });

  test("a delete that saw a value keeps it away, wherever an old copy comes from", async () => {
    const world = new World({ seed: 6, nodes: 3 });
    await world.start();
    await put(world, 1, "a", "old");
    world.crash(3);
    await world.run(6_000);
    await put(world, 1, "a", undefined, { context: (await get(world, 1, "a")).context });
    await world.restart(3);
    await world.run(60_000);
    expect(await agreedOn(world, ["a"])).toEqual({ a: [] });
    expect((await get(world, 3, "a")).values).toEqual([]);
  });

  test("a delete does not take a value that it did not see", async () => {
    const world = new World({ seed: 7, nodes: 3 });
    await world.start();
    await put(world, 1, "a", "seen");
    const { context } = await get(world, 1, "a");
    await put(world, 2, "a", "unseen");
    await put(world, 1, "a", undefined, { context });
    await world.run(10_000);
    expect(await agreedOn(world, ["a"])).toEqual({ a: ["unseen"] });
  });
});

describe("starting again", () => {
  test("all nodes at once: what is there is served, what is not can be called absent", async () => {
    const world = new World({ seed: 8, nodes: 3 });
    await world.start();
    for (const key of keys) await put(world, 1, key, `of ${key}`);
    for (const id of world.ids) world.crash(id, 0);
    for (const id of world.ids) await world.restart(id);
    await world.run(2_000);
    for (const key of keys) expect((await get(world, 2, key)).values).toEqual([`of ${key}`]);
    expect((await get(world, 3, "never written")).values).toEqual([]);
  });

  test("an acknowledgement meant for the process before counts for nothing", async () => {
    const world = new World({ seed: 12, nodes: 3 });
    await world.start();
    world.crash(3);
    await world.run(6_000);
    // Node 2 answers the first write after the node that sent it has started again …
    world.freeze(2);
    void put(world, 1, "a", "first");
    await world.run(5);
    world.crash(1, 0);
    // … and never hears of the second.
    world.network.cut(1, 2);
    await world.restart(1);
    await world.run(50);
    const second = put(world, 1, "b", "second");
    world.thaw(2);
    expect(await second).toMatchObject({ kind: "failed", applied: "maybe" });
  });

  test("a client that retries one write through two coordinators makes one value", async () => {
    const world = new World({ seed: 9, nodes: 3 });
    await world.start();
    const operation = { at: 1_700_000_000_000, nonce: 99, retried: false };
    const write = (at: NodeId, retried: boolean) =>
      world.ask(at, {
        kind: "put",
        key: keyFrom("a"),
        context: undefined,
        value: Buffer.from("once"),
        ttlMs: 0,
        operation: { ...operation, retried },
        w: 2,
        strict: false,
        deadlineMs: 2_000,
        trace: false,
      });
    await Promise.all([write(1, false), write(2, true), write(3, true)]);
    await world.run(10_000);
    expect(await agreedOn(world, ["a"])).toEqual({ a: ["once"] });
  });

  test("a hundred and one writers that take turns leave at most two siblings", async () => {
    const world = new World({ seed: 10, nodes: 3 });
    await world.start();
    let mine: CausalContext | undefined;
    let theirs: CausalContext | undefined;
    for (let i = 0; i < 101; i++) {
      const context = i % 2 === 0 ? mine : theirs;
      const at = (i % 3) + 1;
      const result = await put(world, at, "a", `${i}`, context === undefined ? {} : { context });
      if (result?.kind !== "stored") throw new Error("not stored");
      if (i % 2 === 0) mine = result.context;
      else theirs = result.context;
    }
    await world.run(10_000);
    expect((await agreedOn(world, ["a"]))["a"]).toEqual(["100", "99"]);
  });

  test("an expired value is shown by no replica", async () => {
    const world = new World({ seed: 11, nodes: 3 });
    await world.start();
    await put(world, 1, "a", "short", { ttlMs: 1_000 });
    expect((await get(world, 2, "a")).values).toEqual(["short"]);
    await world.run(1_500);
    for (const id of world.ids) expect((await get(world, id, "a")).values).toEqual([]);
  });
});
