/** The client on three whole nodes: one goes, all go, they come back, under the same client. */
import { mkdtempSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Client } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";
import { text } from "./fake-node.ts";

let base = "";
let nodes: RunningNode[] = [];
let aware: Client;
let any: Client;

async function start(name: string, join_: readonly string[] = []): Promise<RunningNode> {
  return startNode({
    ...{ data: join(base, name), listen: "127.0.0.1:0", durability: "os" },
    ...{ memtableBytes: 1 << 20, cacheBytes: 1 << 20 },
    ...(join_.length === 0 ? {} : { join: join_ }),
    ...(name === "n1" ? { partitions: 16 } : {}),
  });
}

interface Status {
  readonly nodes: readonly { readonly live: boolean }[];
  readonly transfers: number;
}

async function settled(client: Client): Promise<void> {
  const isSettled = async (): Promise<boolean> => {
    const status = (await client.admin("status")) as Status;
    return status.nodes.filter(({ live }) => live).length === 3 && status.transfers === 0;
  };
  await vi.waitUntil(isSettled, { timeout: 20_000, interval: 20 });
}

/** Ends all connections that a node has accepted, as if its process were killed; says how many. */
function cutOff({ address }: RunningNode): number {
  const port = Number(address.split(":").at(-1));
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  const accepted = handles
    .call(process)
    .filter((handle) => handle instanceof Socket && handle.localPort === port) as Socket[];
  for (const socket of accepted) socket.destroy();
  return accepted.length;
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "everwrite-client-"));
  const first = await start("n1");
  nodes = [first];
  for (const name of ["n2", "n3"]) nodes.push(await start(name, [first.address]));
  const addresses = nodes.map(({ address }) => address);
  aware = await connect(addresses);
  any = await connect(addresses, { routing: "any" });
  await settled(aware);
});

afterAll(async () => {
  await Promise.all([aware?.close(), any?.close()]);
  await Promise.all(nodes.map((node) => node.close().catch(() => undefined)));
  rmSync(base, { recursive: true, force: true });
});

test("both ways of routing show the same; a scan shows every key of its bucket once", async () => {
  const bucket = aware.bucket("scanned");
  const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`).sort();
  await Promise.all(keys.map((key) => bucket.put(key, key)));
  expect((await any.bucket("scanned").getMany(keys)).map(({ value }) => text(value))).toEqual(keys);
  for (const client of [aware, any]) {
    const seen: string[] = [];
    for await (const [key, { value }] of client.bucket("scanned").scan({ prefix: "key" })) {
      seen.push(text(key));
      expect(text(value)).toBe(text(key));
    }
    expect(seen.sort()).toEqual(keys);
  }
});

test("rivals that update one key at the same time lose nothing", async () => {
  const add = (item: string) => (values: Uint8Array[]) => {
    const items = values.flatMap((value) => JSON.parse(text(value)) as string[]);
    return JSON.stringify([...new Set([...items, item])].sort());
  };
  const items = ["a", "b", "c", "d"];
  // A lost race may leave a sibling for the next reader, never a lost item.
  await Promise.allSettled(
    items.map((item, i) => (i % 2 === 0 ? aware : any).update("rivals", add(item))),
  );
  const { context } = await aware.update("rivals", add("e"));
  const { value } = await any.get("rivals");
  expect(JSON.parse(text(value))).toEqual([...items, "e"]);
  await any.delete("rivals", { context });
  expect((await aware.get("rivals")).values).toEqual([]);
});

test("a session reads its own writes with r and w of 1, and elsewhere with its token", async () => {
  const own = aware.session();
  for (let i = 0; i < 30; i++) {
    const { context } = await own.get("session", { r: 1 });
    await own.put("session", String(i), { w: 1, context });
    expect((await own.get("session", { r: 1 })).values.map(text)).toContain(String(i));
  }
  const elsewhere = any.session(own.token);
  expect((await elsewhere.get("session", { r: 1 })).values.map(text)).toContain("29");
});

test("one node goes without a word, and every call still succeeds", async () => {
  const [, , third] = nodes as [RunningNode, RunningNode, RunningNode];
  let isOver = false;
  const done: string[] = [];
  const lane = async (client: Client, name: string): Promise<void> => {
    for (let i = 0; !isOver || i < 20; i++) {
      const key = `${name} ${i}`;
      await client.put(key, key, { timeoutMs: 2500 });
      expect(text((await client.get(key, { timeoutMs: 2500 })).value)).toBe(key);
      done.push(key);
    }
  };
  const lanes = Array.from({ length: 8 }, (_, i) => lane(i % 2 === 0 ? aware : any, `lane ${i}`));
  await expect.poll(() => done.length).toBeGreaterThan(40);
  // Before it can say goodbye: what it was asked is lost with the connections.
  expect(cutOff(third)).toBeGreaterThan(1);
  await third.close();
  const closedAt = done.length;
  await expect.poll(() => done.length, { timeout: 20_000 }).toBeGreaterThan(closedAt + 80);
  isOver = true;
  await Promise.all(lanes);
  nodes[2] = await start("n3");
  await settled(aware);
});

test("all go: NO_ENDPOINT in time, naming each; they return, and the client works", async () => {
  await aware.put("before", "1", { w: 3 });
  const addresses = nodes.map(({ address }) => address);
  await Promise.all(nodes.map((node) => node.close()));
  for (const client of [aware, any]) {
    const started = performance.now();
    const error = await client.put("during", "2", { timeoutMs: 300 }).catch((e: unknown) => e);
    expect(performance.now() - started).toBeLessThan(600);
    expect(error).toMatchObject({ code: "NO_ENDPOINT", applied: "no" });
    for (const address of addresses) expect(String(error)).toContain(address);
  }
  // It waits for the first that returns, which alone is no quorum of two.
  const early = aware.get("before", { r: 1, timeoutMs: 30_000 });
  nodes = [];
  for (const name of ["n1", "n2", "n3"]) nodes.push(await start(name));
  expect(text((await early).value)).toBe("1");
  await settled(aware);
  for (const client of [aware, any]) {
    const { context } = await client.get("after");
    await client.put("after", "3", { context });
    expect(text((await client.get("after")).value)).toBe("3");
  }
});
