/** Two data centres of three whole nodes on real sockets, 80 ms apart there and back. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Client } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";
import { text } from "../client/fake-node.ts";
import { FarLink } from "../support/far-link.ts";
import { openPort } from "./wires.ts";

const oneWayMs = 40;
const places = ["west", "west", "west", "east", "east", "east"] as const;

let base = "";
const nodes: RunningNode[] = [];
const links: FarLink[] = [];
let west: Client;
let east: Client;

/** Whoever opens a connection says in its head which node it is, or which client. */
function isFarFrom(dc: string): (head: string) => boolean {
  return (head) => {
    const node = /everwrite-node: (\d+)/i.exec(head)?.[1];
    const client = /bearer (\w+)/i.exec(head)?.[1];
    const from = node === undefined ? client : places[Number(node) - 1];
    return from !== undefined && from !== dc;
  };
}

async function start(number: number): Promise<void> {
  const dc = places[number - 1] ?? "";
  const { listener, address } = await openPort();
  await listener.close();
  const link = await FarLink.open(address, oneWayMs, isFarFrom(dc));
  links.push(link);
  const first = nodes[0]?.address;
  nodes.push(
    await startNode({
      ...{ data: join(base, `n${number}`), listen: address, advertise: link.address },
      ...{ durability: "os", memtableBytes: 1 << 20, cacheBytes: 1 << 20, dc },
      ...(first === undefined ? { partitions: 8 } : { join: [first] }),
    }),
  );
}

interface Status {
  readonly nodes: readonly { readonly live: boolean }[];
  readonly transfers: number;
  readonly rebuilding: number;
  readonly hintsPending: number;
}

const statusOf = async (client: Client): Promise<Status> =>
  (await client.admin("status")) as Status;

/** `dc` is told by the token, which these nodes do not ask for, to the links. */
async function clientOf(dc: string): Promise<Client> {
  const from = places.indexOf(dc as "west");
  const near = links.slice(from, from + 3).map(({ address }) => address);
  return connect(near, { dc, token: dc });
}

/** The median: a busy machine delays some. */
async function usualMs(count: number, act: (i: number) => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < count; i++) {
    const since = performance.now();
    await act(i);
    took.push(performance.now() - since);
  }
  return took.sort((a, b) => a - b)[count >> 1] ?? 0;
}

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "everwrite-far-"));
  for (const number of places.keys()) await start(number + 1);
  west = await clientOf("west");
  east = await clientOf("east");
  const isSettled = async (): Promise<boolean> => {
    const { nodes: all, transfers, rebuilding } = await statusOf(west);
    return all.filter(({ live }) => live).length === 6 && transfers === 0 && rebuilding === 0;
  };
  await vi.waitUntil(isSettled, { timeout: 60_000, interval: 50 });
}, 90_000);

afterAll(async () => {
  await Promise.all([west?.close(), east?.close()]);
  await Promise.all(nodes.map((node) => node.close().catch(() => undefined)));
  await Promise.all(links.map((link) => link.close()));
  rmSync(base, { recursive: true, force: true });
});

test("no request waits for the way between them, and the other side has it soon", async () => {
  for (const client of [west, east]) {
    await client.put("warm", "up");
    const putMs = await usualMs(60, (i) => client.put(`key ${i}`, "value"));
    const getMs = await usualMs(60, (i) => client.get(`key ${i}`));
    // One way alone takes longer.
    expect(putMs).toBeLessThan(oneWayMs);
    expect(getMs).toBeLessThan(oneWayMs);
  }
  await west.put("news", "from the west");
  const there = async (): Promise<string> => text((await east.get("news")).values[0]);
  await expect.poll(there, { interval: 10 }).toBe("from the west");
});

test("cut apart both take writes, and healed both have all of them", async () => {
  const keys = Array.from({ length: 20 }, (_, i) => `apart ${i}`);
  for (const link of links) link.cut();
  for (const [client, who] of [
    [west, "west"],
    [east, "east"],
  ] as const) {
    for (const key of keys) expect((await client.put(key, who)).acks).toBeGreaterThanOrEqual(2);
    for (const key of keys) expect((await client.get(key)).values.map(text)).toEqual([who]);
  }
  for (const link of links) link.mend();
  for (const client of [west, east]) {
    const values = async (): Promise<string[]> => {
      const found = await client.getMany(keys);
      return found.map(({ values: all }) => all.map(text).sort().join("+"));
    };
    await expect.poll(values, { timeout: 30_000 }).toEqual(keys.map(() => "east+west"));
  }
  const hints = async (): Promise<number> => (await statusOf(west)).hintsPending;
  await expect.poll(hints, { timeout: 30_000 }).toBe(0);
}, 90_000);

test("without the whole other data centre, one serves at its full quorum", async () => {
  await east.close();
  await Promise.all(nodes.slice(3).map((node) => node.close()));
  const stored = await west.put("alone", "still here", { w: 3 });
  expect(stored.acks).toBe(3);
  expect(text((await west.get("alone", { r: 3, strict: true })).value)).toBe("still here");
});
