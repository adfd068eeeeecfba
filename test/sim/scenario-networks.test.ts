/** Stories of networks and clocks that are neither broken nor whole. */
import { expect, test } from "vitest";
import type { NodeId } from "../../src/core/ids.ts";
import { seededRandom } from "../../src/core/random.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { heldIn } from "./inspect.ts";
import { startClient } from "./load.ts";
import { agreedOn, get, put } from "./story.ts";
import { World } from "./world.ts";

const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);

function startClients(world: World, ms: number) {
  const history: WriteSeen[] = [];
  const clients = ["u", "v", "w"].map(
    (name, i) => startClient(world, { keys, name, history, seed: i + 1, ms }).client,
  );
  return { history, clients };
}

async function expectWhole(
  world: World,
  { history, clients }: ReturnType<typeof startClients>,
): Promise<void> {
  expect(findWrongs(history, await heldIn(world, keys))).toEqual([]);
  expect([...world.watch.wrongs, ...clients.flatMap(({ wrongs }) => wrongs)]).toEqual([]);
}

test("one that is not heard by another still has its writes taken, and all agree", async () => {
  const world = new World({ seed: 451, nodes: 3 });
  await world.start();
  world.network.cut(1, 2);
  await world.run(10_000);
  for (const at of [1, 2, 3]) {
    expect(await put(world, at, `from ${at}`, "here"), `node ${at}`).toMatchObject({
      kind: "stored",
    });
  }
  world.network.heal();
  await world.run(60_000);
  for (const at of [1, 2, 3]) {
    expect(await agreedOn(world, [`from ${at}`])).toEqual({ [`from ${at}`]: ["here"] });
  }
});

test("two sides that only one node sees both of: all take writes, and all agree", async () => {
  const world = new World({ seed: 452, nodes: 5 });
  await world.start();
  world.network.partition([1, 2], [4, 5]);
  await world.run(10_000);
  for (const [i, key] of keys.entries()) {
    const result = await put(world, 1 + (i % 5), key, `through ${1 + (i % 5)}`);
    expect(result, key).toMatchObject({ kind: "stored" });
  }
  world.network.heal();
  await world.run(60_000);
  const values = await agreedOn(world, keys);
  for (const [i, key] of keys.entries()) expect(values[key]).toEqual([`through ${1 + (i % 5)}`]);
});

test("links that clog one by one, and clear in another order, lose nothing", async () => {
  const world = new World({ seed: 453, nodes: 5, tickMs: 25 });
  await world.start();
  const random = seededRandom(453);
  const load = startClients(world, 40_000);
  for (let round = 0; round < 2; round++) {
    const links = linksOf(world.ids).filter(() => random.below(2) === 0);
    const clogged = new Set<readonly [NodeId, NodeId]>();
    const apply = async (): Promise<void> => {
      world.network.heal();
      for (const [from, to] of clogged) world.network.cut(from, to);
      await world.run(500);
    };
    for (const link of shuffled(links, random)) {
      clogged.add(link);
      await apply();
    }
    for (const link of shuffled(links, random)) {
      clogged.delete(link);
      await apply();
    }
  }
  await world.run(60_000);
  await expectWhole(world, load);
});

test("a clock an hour ahead, and then an hour behind, decides nothing", async () => {
  const quick = { intervalMs: 2_000, retryMs: 500, restMs: 5_000 };
  const world = new World({ seed: 454, nodes: 3, cleanup: quick });
  await world.start();
  const over = async (at: NodeId, key: string, value: string | undefined): Promise<void> => {
    const { context } = await get(world, at, key);
    expect(await put(world, at, key, value, { context })).toMatchObject({ kind: "stored" });
  };
  const startAt = async (aheadMs: number): Promise<void> => {
    world.crash(2, 1);
    world.clockOf(2).set(aheadMs);
    await world.restart(2);
    await world.run(5_000);
  };
  await startAt(3_600_000);
  for (const key of ["a", "b"]) await over(2, key, "ahead");
  for (const key of ["a", "b"]) await over(1, key, "after that");
  expect((await get(world, 2, "a")).values).toEqual(["after that"]);
  await startAt(-3_600_000);
  await over(2, "a", "behind");
  await over(2, "b", undefined);
  await put(world, 2, "short", "lived", { ttlMs: 60_000 });
  await world.run(60_000);
  expect(await agreedOn(world, ["a", "b"])).toEqual({ a: ["behind"], b: [] });
  expect(world.watch.wrongs).toEqual([]);
});

test("one joins, one leaves and one dies, all at once and under load", async () => {
  const world = new World({ seed: 455, nodes: 5, partitions: 8, tickMs: 25 });
  await world.start();
  const load = startClients(world, 20_000);
  await world.run(3_000);
  await world.admin(1, "leave", { node: 2 });
  await world.join(3);
  world.crash(4, 0);
  await world.run(20_000);
  await world.restart(4);
  expect(await world.runUntil(() => world.isAtRest, 600_000)).toBe(true);
  await world.run(30_000);
  expect(world.ring.members.find(({ id }) => id === 2)?.state).toBe("left");
  await expectWhole(world, load);
});

function linksOf(ids: readonly NodeId[]): readonly (readonly [NodeId, NodeId])[] {
  return ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => [from, to] as const));
}

function shuffled<T>(items: readonly T[], random: { below(n: number): number }): readonly T[] {
  const rest = [...items];
  const out: T[] = [];
  while (rest.length > 0) out.push(...rest.splice(random.below(rest.length), 1));
  return out;
}
