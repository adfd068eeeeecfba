/** Clean-up between whole nodes, on real sockets and directories. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cleanupDefaults } from "../../src/core/cleanup/cleanup.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";
import { tuningOf } from "../../src/runtime/tuning.ts";

const tuning = {
  "cleanup.intervalMs": 500,
  "cleanup.retryMs": 200,
  "cleanup.restMs": 300,
  "cleanup.surveyMs": 100,
};
let base = "";
const closers: (() => Promise<unknown>)[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "everwrite-cleanup-"));
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(base, { recursive: true, force: true });
});

async function start(name: string, seed?: RunningNode): Promise<RunningNode> {
  const node = await startNode({
    ...{ data: join(base, name), listen: "127.0.0.1:0", durability: "os", tuning },
    ...{ memtableBytes: 1 << 20, cacheBytes: 1 << 20 },
    ...(seed === undefined ? { partitions: 16 } : { join: [seed.address] }),
  });
  closers.push(() => node.close().catch(() => undefined));
  return node;
}

test("what three nodes were told to delete is gone from them, and the rest is small", async () => {
  const first = await start("n1");
  const others = [await start("n2", first), await start("n3", first)];
  const client = await first.client();
  closers.push(() => client.close());
  const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
  for (const key of keys) await client.put(key, "value");
  for (const key of keys.slice(0, 40)) await client.delete(key);
  const report = async () =>
    (await client.admin("cleanup")) as {
      nodes: { reapable: number; tombstones: number; rounds: number }[];
    };
  const isClean = async (): Promise<boolean> => {
    const { nodes } = await report();
    const rounds = nodes.reduce((sum, node) => sum + node.rounds, 0);
    return nodes.length === 3 && rounds > 0 && nodes.every(({ reapable }) => reapable === 0);
  };
  await expect.poll(isClean, { timeout: 60_000, interval: 100 }).toBe(true);
  expect(others.length).toBe(2);
  for (const key of keys.slice(0, 40)) expect((await client.get(key)).values).toEqual([]);
  for (const key of keys.slice(40)) expect((await client.get(key)).values.length).toBe(1);
}, 90_000);

test("tuning names a machine and its interval, and nothing that it does not know", () => {
  const given = { "cleanup.intervalMs": 5, "cleanup.colour": 7, intervalMs: 9 };
  expect(tuningOf("cleanup", cleanupDefaults, given)).toEqual({ intervalMs: 5 });
});
