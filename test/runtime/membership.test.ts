/** Whole nodes that wait, replace others, leave, and go on without a majority; on real sockets. */
import { cpSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../../src/client/api.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { OpenWorld } from "./open-world.ts";

let world: OpenWorld;

beforeEach(() => {
  world = new OpenWorld();
});

afterEach(() => world.close());

const start = (name: string, more?: Partial<NodeConfig>) => world.start(name, more);
const connect = (node: RunningNode) => world.connect(node);

interface Seen {
  readonly nodes: readonly {
    readonly id: number;
    readonly state: string;
    readonly live: boolean;
  }[];
  readonly transfers: number;
  readonly rebuilding: number;
}

async function until(client: Client, isTrue: (status: Seen) => boolean): Promise<void> {
  const look = async (): Promise<boolean> => isTrue((await client.admin("status")) as Seen);
  await expect.poll(look, { timeout: 30_000, interval: 50 }).toBe(true);
}

/** So many nodes that own everything together, and a client of the first. */
async function cluster(size: number, more: Partial<NodeConfig> = {}) {
  const first = await start("n1", more);
  const nodes = [first];
  for (let i = 2; i <= size; i++) nodes.push(await start(`n${i}`, { join: [first.address] }));
  const client = await connect(first);
  await until(client, ({ nodes: seen, transfers, rebuilding }) => {
    return seen.filter(({ live }) => live).length === size && transfers === 0 && rebuilding === 0;
  });
  return { first, nodes, client };
}

const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);

async function write(client: Client, value: string): Promise<void> {
  await Promise.all(keys.map((key) => client.update(key, () => value)));
}

async function expectAll(client: Client, value: string): Promise<void> {
  const found = await client.getMany(keys);
  for (const [i, { value: got }] of found.entries()) {
    expect(Buffer.from(got ?? []).toString(), keys[i]).toBe(value);
  }
}

describe("an empty directory at a member's address", () => {
  test("takes its place under a new number once it is dead, and fills", async () => {
    const { first, nodes, client } = await cluster(3);
    await write(client, "kept");
    const third = nodes[2]!;
    const { address } = third;
    await third.close();
    cpSync(world.path("n3"), world.path("old"), { recursive: true });
    await write(client, "newer");
    const again = await start("n3b", { listen: address, join: [first.address] });
    expect([again.id, again.state]).toEqual([4, "member"]);
    await until(client, ({ nodes: seen, rebuilding }) => {
      const ids = seen.map(({ id }) => id).join();
      return ids === "1,2,4" && rebuilding === 0;
    });
    const direct = await connect(again);
    await expectAll(direct, "newer");
    // The old directory comes back after all: it hears that its number is none any more.
    await again.close();
    const old = await start("old", { listen: address });
    await old.left;
    expect(old.state).toBe("left");
  }, 60_000);

  test("is refused while that member lives", async () => {
    const { first, nodes } = await cluster(2);
    const { address } = nodes[1]!;
    const elsewhere = { advertise: address, join: [first.address], joinMsMax: 1_000 };
    await expect(start("n3", elsewhere)).rejects.toMatchObject({ code: "NODE_ID_IN_USE" });
  }, 60_000);
});

describe("a node that only proposes to join", () => {
  test("answers nobody until its plan is committed, and is a member then", async () => {
    const { first, client } = await cluster(1);
    await write(client, "kept");
    const second = await start("n2", { join: [first.address], stage: true });
    expect([second.id, second.state]).toEqual([2, "joining"]);
    const visitor = await connect(second).catch((error: unknown) => error);
    if (visitor instanceof Error) expect(visitor).toMatchObject({ code: "NO_ENDPOINT" });
    const plan = (await client.admin("plan")) as { id: string; copies: number };
    expect(plan.copies).toBe(16);
    await client.admin("commit", { plan: plan.id });
    await second.joined;
    await until(client, ({ transfers }) => transfers === 0);
    await expectAll(await connect(second), "kept");
  }, 60_000);

  test("closes itself when the plan is taken back, also when it was away then", async () => {
    const { first, client } = await cluster(1);
    const waiting = await start("n2", { join: [first.address], stage: true });
    await client.admin("abort");
    expect(await waiting.died).toMatchObject({ code: "JOIN_ABORTED" });
    const away = await start("n3", { join: [first.address], stage: true });
    const { address } = away;
    await away.close();
    await client.admin("abort");
    const back = await start("n3", { listen: address });
    expect(back.state).toBe("joining");
    expect(await back.died).toMatchObject({ code: "JOIN_ABORTED" });
  }, 60_000);
});

test("a node that leaves is told when it has left, and nothing is lost with it", async () => {
  const { nodes, client } = await cluster(4);
  await write(client, "kept");
  await client.admin("leave", { node: nodes[3]!.address });
  await nodes[3]!.left;
  await nodes[3]!.close();
  await expectAll(client, "kept");
  await until(client, ({ nodes: seen }) => seen.map(({ id }) => id).join() === "1,2,3");
}, 60_000);

test("a cluster of two that lost one goes on with ring force, and with a replacement", async () => {
  const { first, nodes, client } = await cluster(2, { r: 1, w: 1 });
  await write(client, "kept");
  const { address } = nodes[1]!;
  await nodes[1]!.close();
  await until(client, ({ nodes: seen }) => seen.some(({ id, live }) => id === 2 && !live));
  const refused = client.admin("remove", { node: 2 }, { timeoutMs: 4_000 });
  await expect(refused).rejects.toMatchObject({ code: "QUORUM_UNAVAILABLE" });
  expect(await client.admin("ring-force", { lost: [2] })).toMatchObject({ generation: 2 });
  await expectAll(client, "kept");
  const again = await start("n2b", { listen: address, join: [first.address] });
  expect(again.id).toBe(3);
  await until(client, ({ transfers, rebuilding }) => transfers + rebuilding === 0);
  await expectAll(await connect(again), "kept");
}, 60_000);
