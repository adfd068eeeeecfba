/** A client and the data centres of its cluster: which it works with, and when it changes over. */
import { afterEach, describe, expect, test } from "vitest";
import type { Client, ConnectOptions } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { nearestOf } from "../../src/client/nearness.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { ringOf, until } from "../runtime/wires.ts";
import { FarLink } from "../support/far-link.ts";
import { FakeNode, refusal } from "./fake-node.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Place {
  readonly node: FakeNode;
  readonly link: FarLink;
}

/** Two nodes in the west, then two in the east, all of which own everything. */
async function places(delays: { readonly west: number; readonly east: number }): Promise<Place[]> {
  const opened: Place[] = [];
  for (const delayMs of [delays.west, delays.west, delays.east, delays.east]) {
    const node = await FakeNode.open();
    const link = await FarLink.open(node.address, delayMs);
    closers.push(() => node.close());
    closers.push(() => link.close());
    opened.push({ node, link });
  }
  const usual = ringOf(opened.map(({ link }) => link.address));
  const ring: RingState = {
    ...usual,
    members: usual.members.map((member) => ({ ...member, dc: member.id < 3 ? "west" : "east" })),
    owners: usual.owners.map(() => [1, 2, 3, 4]),
  };
  for (const { node } of opened) node.ring = ring;
  return opened;
}

async function open(to: readonly Place[], options?: ConnectOptions): Promise<Client> {
  const client = await connect(
    to.map(({ link }) => link.address),
    // A busy machine would make some be asked twice.
    { hedge: false, ...options },
  );
  closers.push(() => client.close());
  return client;
}

const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`);

/** How many of so many requests each data centre was asked. */
async function asked(client: Client, all: readonly Place[]): Promise<Record<string, number>> {
  for (const { node } of all) node.asked.length = 0;
  for (const key of keys) await client.get(key);
  const counts = all.map(({ node }) => node.asked.length);
  return { west: (counts[0] ?? 0) + (counts[1] ?? 0), east: (counts[2] ?? 0) + (counts[3] ?? 0) };
}

const everybody = (all: readonly Place[]) => (): boolean =>
  all.every(({ node }) => node.connections > 0);

describe("the nearest data centre", () => {
  const distances = new Map([
    ["west", 40],
    ["east", 1],
  ]);
  const none = { wanted: undefined, present: undefined };

  test("is the one that answers soonest", () => {
    expect(nearestOf(distances, none)).toBe("east");
    expect(nearestOf(distances, { ...none, present: "west" })).toBe("east");
  });

  test("is the one that the program names, if anybody of it is there", () => {
    expect(nearestOf(distances, { ...none, wanted: "west" })).toBe("west");
    expect(nearestOf(distances, { ...none, wanted: "south" })).toBe("east");
  });

  test("stays what it is while another is hardly nearer", () => {
    const close = new Map([
      ["west", 3],
      ["east", 1.4],
    ]);
    expect(nearestOf(close, { ...none, present: "west" })).toBe("west");
    expect(nearestOf(new Map(), { ...none, present: "west" })).toBe("west");
  });
});

describe("a client", () => {
  for (const routing of ["aware", "any"] as const) {
    test(`asks the nodes of the data centre that it names (${routing})`, async () => {
      const all = await places({ west: 0, east: 0 });
      const client = await open(all.slice(0, 2), { dc: "east", routing });
      expect(await asked(client, all)).toEqual({ west: 0, east: keys.length });
    });
  }

  test("asks those that answer soonest when it names none", async () => {
    const all = await places({ west: 40, east: 0 });
    const client = await open(all);
    await until(everybody(all));
    await client.get("key");
    await expect.poll(() => asked(client, all)).toEqual({ west: 0, east: keys.length });
  });

  test("falls back to the others while its own is gone, and comes back to it", async () => {
    const all = await places({ west: 0, east: 0 });
    const client = await open(all, { dc: "east" });
    await until(everybody(all));
    for (const { link } of all.slice(2)) link.cut();
    expect(await asked(client, all)).toEqual({ west: keys.length, east: 0 });
    for (const { link } of all.slice(2)) link.mend();
    await until(everybody(all), 5_000);
    const back = { west: 0, east: keys.length };
    await expect.poll(() => asked(client, all), { timeout: 5_000 }).toEqual(back);
  });

  test("goes to the others when its own has too few replicas left", async () => {
    const all = await places({ west: 0, east: 0 });
    for (const { node } of all.slice(2)) node.answer = () => refusal("QUORUM_UNAVAILABLE");
    const client = await open(all, { dc: "east" });
    await until(everybody(all));
    await client.put("key", "value");
    expect(all.slice(0, 2).some(({ node }) => node.asked.length > 0)).toBe(true);
  });

  test("does without a data centre that nobody knows, or that says nothing", async () => {
    const all = await places({ west: 0, east: 0 });
    const stranger = await open(all, { dc: "south" });
    expect((await asked(stranger, all))["west"]).toBeGreaterThanOrEqual(0);
    for (const { node } of all.slice(2)) node.tellsRing = false;
    const started = performance.now();
    const client = await open(all, { dc: "east" });
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(await asked(client, all)).toEqual({ west: keys.length, east: 0 });
  });
});

test("a data centre is named by text", async () => {
  await expect(connect("127.0.0.1:1", { dc: 7 as never })).rejects.toBeInstanceOf(TypeError);
});
