/** A node comes back with an old copy of its directory, and nobody tells it so but the others. */
import { describe, expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { keyFrom, textOf } from "./workload.ts";
import { World } from "./world.ts";

let operations = 0;

async function put(world: World, at: NodeId, key: string, value: string | undefined) {
  const { context } = await get(world, at, key);
  operations += 1;
  const result = await world.ask(at, {
    ...{ kind: "put", key: keyFrom(key), context, ttlMs: undefined, w: undefined },
    value: value === undefined ? undefined : Buffer.from(value),
    operation: { at: Math.floor(world.timeline.now), nonce: operations, retried: false },
    ...{ strict: false, deadlineMs: 2_000, trace: false },
  });
  expect(result).toMatchObject({ kind: "stored" });
}

async function get(world: World, at: NodeId, key: string, r?: number) {
  const about = { strict: false, deadlineMs: 2_000, trace: false };
  const result = await world.ask(at, { kind: "get", key: keyFrom(key), r, ...about });
  if (result?.kind !== "found") throw new Error(`get at ${at}: ${JSON.stringify(result)}`);
  return { values: result.values.map(textOf), context: result.context };
}

const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);

function hasForgotten(world: World, id: NodeId): boolean {
  return world.notices.some(({ node, notice }) => node === id && notice.kind === "forgotten");
}

interface Status {
  readonly rebuilding: number;
  readonly rootsAgree: boolean;
  readonly underReplicated: number;
}

async function settled(world: World): Promise<Status> {
  await world.run(30_000);
  return (await world.admin(1, "status", {})) as Status;
}

describe("a node with an old copy of its directory", () => {
  test("refills, does not deny what it forgot, and brings nothing back", async () => {
    const world = new World({ seed: 5, nodes: 3 });
    await world.start();
    for (const key of keys) await put(world, 1, key, "old");
    world.crash(3, 1);
    const image = world.imageOf(3);
    await world.restart(3);
    await world.run(5_000);
    // The third node has a part in each of these, and forgets it.
    for (const key of keys.slice(0, 10)) await put(world, 3, key, undefined);
    for (const key of keys.slice(10)) await put(world, 3, key, "new");
    for (let i = 0; i < 10; i++) await put(world, 3, `later ${i}`, "later");
    world.crash(3);
    world.restore(3, image);
    await world.restart(3);
    await world.run(3_000);
    expect(hasForgotten(world, 3)).toBe(true);
    // One of the two that remember is away: the third alone must not make a majority with its word.
    world.crash(2);
    await world.run(6_000);
    for (let i = 0; i < 10; i++) {
      const found = await get(world, 1, `later ${i}`).catch(() => undefined);
      if (found !== undefined) expect(found.values).toEqual(["later"]);
    }
    await world.restart(2);
    expect(await settled(world)).toMatchObject({ rebuilding: 0, rootsAgree: true });
    for (const id of world.ids) {
      for (const r of [1, 3]) {
        for (const key of keys.slice(0, 10))
          expect((await get(world, id, key, r)).values).toEqual([]);
        for (const key of keys.slice(10))
          expect((await get(world, id, key, r)).values).toEqual(["new"]);
      }
    }
  });

  test("denies nothing with another that was away, once it knows that it forgot", async () => {
    const world = new World({ seed: 9, nodes: 3 });
    await world.start();
    world.crash(3, 1);
    const image = world.imageOf(3);
    await world.restart(3);
    world.crash(1);
    await world.run(6_000);
    // Acknowledged by two of three, of which one forgets and the other goes away.
    for (const key of keys) await put(world, 3, key, "new");
    world.crash(3);
    world.restore(3, image);
    await world.restart(3);
    for (let ms = 0; ms < 5_000 && !hasForgotten(world, 3); ms += 20) await world.run(20);
    expect(hasForgotten(world, 3)).toBe(true);
    const isRebuilding = ({ node, notice }: (typeof world.notices)[number]): boolean =>
      node === 3 && notice.kind === "standing" && notice.standing === "rebuilding";
    const toldAt = world.notices.findIndex(({ notice }) => notice.kind === "forgotten");
    expect(world.notices.slice(toldAt).filter(isRebuilding)).toHaveLength(16);
    world.crash(2);
    await world.restart(1);
    await world.run(20_000);
    for (const key of keys) {
      for (const at of [1, 3]) {
        const found = await get(world, at, key, 2).catch(() => undefined);
        if (found !== undefined) expect(found.values).toEqual(["new"]);
      }
    }
    await world.restart(2);
    expect(await settled(world)).toMatchObject({ rebuilding: 0, rootsAgree: true });
    for (const key of keys) expect((await get(world, 1, key, 3)).values).toEqual(["new"]);
  });

  test("is told late, by the only one that heard of what it did", async () => {
    const world = new World({ seed: 6, nodes: 3 });
    await world.start();
    world.crash(1, 1);
    const image = world.imageOf(1);
    world.crash(2, 1);
    await world.restart(1);
    await world.run(8_000);
    world.crash(3, 1);
    world.crash(1, 1);
    world.restore(1, image);
    await world.restart(1);
    await world.restart(2);
    await world.run(20_000);
    expect(hasForgotten(world, 1)).toBe(false);
    await world.restart(3);
    await world.run(5_000);
    expect(hasForgotten(world, 1)).toBe(true);
    expect(await settled(world)).toMatchObject({ rebuilding: 0, underReplicated: 0 });
  });

  test("of two lets the cluster change again, once the other has told it", async () => {
    const world = new World({ seed: 7, nodes: 2 });
    await world.start();
    world.crash(2, 1);
    const image = world.imageOf(2);
    await world.restart(2);
    await world.run(3_000);
    await world.admin(1, "bucket-create", { name: "before" });
    world.crash(2);
    world.restore(2, image);
    await world.restart(2);
    await world.run(5_000);
    expect(hasForgotten(world, 2)).toBe(true);
    await world.admin(2, "bucket-create", { name: "after" });
    await world.run(1_000);
    const { buckets } = (await world.admin(1, "bucket-list", {})) as { buckets: object[] };
    expect(buckets).toMatchObject([{ name: "after" }, { name: "before" }]);
  });

  test("that is only started again refills nothing", async () => {
    const world = new World({ seed: 8, nodes: 3 });
    await world.start();
    for (let i = 0; i < 4; i++) {
      for (const id of world.ids) {
        world.crash(id);
        await world.run(2_000);
        await world.restart(id);
        await world.run(8_000);
      }
    }
    expect(world.notices.filter(({ notice }) => notice.kind === "forgotten")).toEqual([]);
  });
});
