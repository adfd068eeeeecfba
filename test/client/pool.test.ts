/** The connections of a client, to nodes that do what a test wants, on real sockets. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Client, ConnectOptions } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { inFlightMax } from "../../src/client/connection.ts";
import { partitionOf } from "../../src/core/key.ts";
import type { Command } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { clientLimits } from "../../src/runtime/client-link.ts";
import { ringOf, until } from "../runtime/wires.ts";
import { FakeNode, found, stored, text } from "./fake-node.ts";

const closers: (() => unknown)[] = [];
const strays: unknown[] = [];
const stray = (what: unknown): void => void strays.push(what);

beforeEach(() => {
  strays.length = 0;
  for (const event of ["unhandledRejection", "uncaughtException", "warning"]) {
    process.on(event, stray);
  }
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  for (const event of ["unhandledRejection", "uncaughtException", "warning"]) {
    process.off(event, stray);
  }
  expect(strays).toEqual([]);
});

async function nodes(count: number, more: Partial<RingState> = {}): Promise<FakeNode[]> {
  const opened: FakeNode[] = [];
  for (let i = 0; i < count; i++) {
    const node = await FakeNode.open();
    closers.push(() => node.close());
    opened.push(node);
  }
  const ring = ringOf(
    opened.map(({ address }) => address),
    more,
  );
  for (const node of opened) node.ring = ring;
  return opened;
}

async function open(to: readonly (FakeNode | string)[], options?: ConnectOptions): Promise<Client> {
  const addresses = to.map((node) => (typeof node === "string" ? node : node.address));
  const client = await connect(addresses, options);
  closers.push(() => client.close());
  return client;
}

function isSlow(command: Command): boolean {
  return command.kind === "get" && text(command.key.bytes) === "slow";
}

/** Keys enough that every partition has some. */
const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);

/** What they said before is known once each of them has been asked something after it. */
async function hear(client: Client, nodes: readonly FakeNode[]): Promise<void> {
  const before = nodes.map(({ asked }) => asked.length);
  do await Promise.all(keys.map((key) => client.get(key)));
  while (nodes.some(({ asked }, i) => asked.length === before[i]));
}

/** Two of three nodes say that the third is down, and the client knows it. */
async function withoutThird(options?: ConnectOptions) {
  const [a, b, c] = (await nodes(3)) as [FakeNode, FakeNode, FakeNode];
  const client = await open([a, b, c], options);
  await until(() => a.connections + b.connections + c.connections === 3);
  for (const node of [a, b]) node.tellRing({}, [3]);
  await hear(client, [a, b]);
  return { client, a, b, c };
}

describe("members", () => {
  test("that no endpoint names are dialled, and asked for what they own", async () => {
    const [a, b, c] = (await nodes(3)) as [FakeNode, FakeNode, FakeNode];
    const owners = [[2], [3], [2], [3]];
    for (const node of [a, b, c]) node.ring = { ...node.ring, owners };
    const client = await open([a]);
    await until(() => b.connections + c.connections === 2);
    const isDirect = async (): Promise<boolean> => {
      for (const node of [a, b, c]) node.asked.length = 0;
      await Promise.all(keys.map((key) => client.get(key)));
      return a.asked.length === 0 && b.asked.length + c.asked.length === keys.length;
    };
    await expect.poll(isDirect).toBe(true);
    const asked = [b, c].map(({ commands }) =>
      commands.map((command) => (command.kind === "get" ? partitionOf(command.key, 4) % 2 : -1)),
    );
    expect(asked.map((sides) => [...new Set(sides)])).toEqual([[0], [1]]);
  });

  test("that left are dropped, once they have answered what they were asked", async () => {
    const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
    const owners = [[2], [2], [2], [2]];
    for (const node of [a, b]) node.ring = { ...node.ring, owners };
    const client = await open([a], { hedge: false });
    await expect.poll(() => client.get("key").then(() => b.asked.length)).toBeGreaterThan(0);
    a.asked.length = 0;
    b.answer = (command) => (isSlow(command) ? "silence" : found("value"));
    const slow = client.get("slow", { timeoutMs: 4000 });
    await until(() => b.commands.some(isSlow));
    const request = b.asked.find(({ command }) => isSlow(command))?.request ?? 0;
    const members = a.ring.members.map((member) =>
      member.id === 2 ? { ...member, state: "left" as const } : member,
    );
    a.tellRing({ epoch: 2, members, owners: [[1], [1], [1], [1]] });
    await expect.poll(() => client.get("key").then(() => a.asked.length)).toBeGreaterThan(0);
    const before = b.asked.length;
    await Promise.all(keys.map((key) => client.get(key)));
    expect(b.asked.length).toBe(before);
    expect(b.connections).toBe(1);
    b.tell({ kind: "result", request, result: found("at last"), token: undefined });
    expect(text((await slow).value)).toBe("at last");
    await until(() => b.connections === 0);
  });

  test("of an older epoch are not believed", async () => {
    const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
    b.ring = { ...ringOf([b.address]), epoch: 0 };
    const client = await open([a, b]);
    await until(() => b.connections > 0);
    await client.get("key");
    // By the older one it owns nothing.
    await hear(client, [a]);
  });

  test("with an address that is none disturb nobody", async () => {
    const [a] = (await nodes(1)) as [FakeNode];
    a.ring = ringOf([a.address, "[fe80::1%eth0]:7400", "a b:1"]);
    const client = await open([a]);
    for (const key of keys) expect(text((await client.get(key)).value)).toBe("value");
  });

  test("of another cluster are never asked", async () => {
    const [a, stranger] = (await nodes(2)) as [FakeNode, FakeNode];
    a.ring = ringOf([a.address]);
    const client = await open([a]);
    stranger.ring = { ...ringOf([stranger.address]), clusterId: "f".repeat(32), epoch: 9 };
    a.tellRing({ ...ringOf([a.address, stranger.address]), epoch: 2 });
    await until(() => stranger.connections > 0);
    await until(() => stranger.connections === 0);
    await Promise.all(keys.map((key) => client.put(key, "value")));
    expect(stranger.asked).toEqual([]);
    await a.close();
    await expect(client.get("key", { timeoutMs: 200 })).rejects.toMatchObject({
      code: "NO_ENDPOINT",
      message: expect.stringMatching(/is of cluster ffffffff…, this client of 01234567…/),
    });
  });

  test("in a large cluster are dialled when they are needed, not all at once", async () => {
    const [a, b, c] = (await nodes(3)) as [FakeNode, FakeNode, FakeNode];
    const strangers = Array.from({ length: 30 }, (_, i) => `127.0.0.1:${i + 1}`);
    const owners = [
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2],
    ];
    a.ring = ringOf([a.address, b.address, ...strangers, c.address], { owners });
    for (const node of [b, c]) node.ring = a.ring;
    const client = await open([a]);
    expect(b.connections).toBe(0);
    await client.get("key");
    await until(() => b.connections === 1);
    expect(c.connections).toBe(0);
    await Promise.all([a.close(), b.close()]);
    expect(text((await client.get("key")).value)).toBe("value");
    expect(c.asked.length).toBe(1);
  });
});

describe("routing", () => {
  test("any: the named nodes in turn, and members only without them", async () => {
    const [a, b, c] = (await nodes(3)) as [FakeNode, FakeNode, FakeNode];
    // On a busy machine a node may let a request wait, and would be passed over for that.
    const client = await open([a, b], { routing: "any", hedge: false });
    await until(() => a.connections + b.connections === 2);
    await client.get("first");
    for (const key of keys) await client.get(key);
    expect(a.asked.length).toBeGreaterThan(15);
    expect(b.asked.length).toBeGreaterThan(15);
    expect(c.connections).toBe(0);
    await Promise.all([a.close(), b.close()]);
    expect(text((await client.get("key")).value)).toBe("value");
    expect(c.asked.length).toBe(1);
  });

  test("aware: a write goes to the node that answered the read fastest", async () => {
    const [a, b, c] = (await nodes(3)) as [FakeNode, FakeNode, FakeNode];
    for (const node of [a, b, c]) {
      node.answer = ({ kind }) =>
        kind === "get" ? ({ ...found("x"), fastest: 3 } as never) : stored;
    }
    // A second node that is asked beside the first would be chance.
    const client = await open([a, b, c], { hedge: false });
    await until(() => a.connections + b.connections + c.connections === 3);
    for (const key of keys) {
      const { context } = await client.get(key);
      await client.put(key, "y", { context });
    }
    const puts = [a, b, c].map(
      ({ commands }) => commands.filter(({ kind }) => kind === "put").length,
    );
    expect(puts).toEqual([0, 0, keys.length]);
  });

  test("who is said to be down is asked last; one view of three does not count", async () => {
    const { client, a, b, c } = await withoutThird({ hedge: false });
    // All requests would go to whom they are based on: what is counted is not left to chance.
    const putFrom = async (fastest: number): Promise<void> => {
      for (const node of [a, b, c]) {
        node.answer = ({ kind }) =>
          kind === "get" ? ({ ...found("x"), fastest } as never) : stored;
      }
      const { context } = await client.get("key");
      await Promise.all(keys.map(() => client.put("key", "y", { context })));
    };
    const putsOf = ({ commands }: FakeNode) => commands.filter(({ kind }) => kind === "put").length;
    await putFrom(3);
    expect([putsOf(a) + putsOf(b), putsOf(c)]).toEqual([keys.length, 0]);
    for (const node of [a, b]) node.tellRing({}, []);
    await hear(client, [a, b]);
    c.tellRing({}, [1, 2]);
    await putFrom(3);
    expect(putsOf(c)).toBe(keys.length);
    const before = putsOf(a);
    await putFrom(1);
    expect([putsOf(a) - before, putsOf(c)]).toEqual([keys.length, keys.length]);
  });

  test("who is said to be down is asked after those that let a request wait", async () => {
    const { client, a, b, c } = await withoutThird();
    const before = c.asked.length;
    for (const node of [a, b, c]) {
      node.answer = (command) => (isSlow(command) ? "silence" : found("value"));
    }
    const slow = () =>
      [a, b, c].flatMap((node) =>
        node.asked
          .filter(({ command }) => isSlow(command))
          .map(({ request }) => ({ node, request })),
      );
    const calls: Promise<unknown>[] = [];
    // The second begins where the first went on, and so comes back to where that had to wait.
    for (const asked of [2, 4]) {
      calls.push(client.get("slow", { timeoutMs: 4000 }));
      // What is answered meanwhile earns what asking a second node costs.
      while (slow().length < asked) await Promise.all(keys.map((key) => client.get(key)));
    }
    expect(c.asked.length).toBe(before);
    for (const { node, request } of slow()) {
      node.tell({ kind: "result", request, result: found("at last"), token: undefined });
    }
    await Promise.all(calls);
  });
});

describe("a connection", () => {
  test("that breaks is made again, and its calls go on elsewhere under one operation", async () => {
    const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
    const client = await open([a, b]);
    await until(() => a.connections + b.connections === 2);
    let cuts = 0;
    for (const node of [a, b]) node.answer = () => (cuts++ === 0 ? "cut" : stored);
    await client.put("key", "value");
    const puts = [...a.commands, ...b.commands].flatMap((command) =>
      command.kind === "put" ? [command.operation] : [],
    );
    expect(puts.length).toBe(2);
    expect(new Set(puts.map(({ at, nonce }) => `${at} ${nonce}`)).size).toBe(1);
    expect(puts.map(({ retried }) => retried).sort()).toEqual([false, true]);
    await until(() => a.connections === 1 && b.connections === 1);
  });

  test("over which nothing comes is passed over until something does", async () => {
    const [a, b, c] = (await nodes(3)) as [FakeNode, FakeNode, FakeNode];
    const client = await open([a, b, c]);
    await until(() => a.connections + b.connections + c.connections === 3);
    await hear(client, [a, b, c]);
    a.answer = () => "silence";
    await hear(client, [a]);
    const before = a.asked.length;
    await Promise.all(keys.map((key) => client.get(key)));
    // One may go there to see whether it is back.
    expect(a.asked.length).toBeLessThanOrEqual(before + 1);
    a.answer = () => found("value");
    a.tellRing({}, []);
    await hear(client, [a]);
  });

  test("over which the node said goodbye gets nothing more", async () => {
    const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
    const client = await open([a, b]);
    await until(() => a.connections + b.connections === 2);
    a.tell({ kind: "go-away" });
    await client.get("key");
    await client.get("key");
    const before = a.asked.length;
    for (const key of keys) await client.get(key);
    expect(a.asked.length).toBe(before);
    expect(a.connections).toBe(1);
  });

  test("that says what is no frame, or no message for a client, is given up", async () => {
    const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
    const client = await open([a, b]);
    await until(() => a.connections + b.connections === 2);
    a.sendRaw(new Uint8Array([9, 9, 9]));
    b.tell({ kind: "watch-ring" });
    for (const key of keys) expect(text((await client.get(key)).value)).toBe("value");
  });

  test("that never tells the ring is not used, and connect says so in time", async () => {
    const [a] = (await nodes(1)) as [FakeNode];
    a.tellsRing = false;
    await expect(open([a], { timeoutMs: 100 })).rejects.toMatchObject({ code: "NO_ENDPOINT" });
  });

  test("takes no more at a time than a node does; the rest waits for its turn", async () => {
    expect(inFlightMax).toBeLessThan(clientLimits.inFlightMax);
    const [a] = (await nodes(1)) as [FakeNode];
    a.answer = () => "silence";
    const client = await open([a]);
    const gets = Array.from({ length: inFlightMax + 50 }, () => client.get("key"));
    await until(() => a.asked.length === inFlightMax);
    a.answer = () => found("later");
    for (const { request } of [...a.asked]) {
      a.tell({ kind: "result", request, result: found("first"), token: undefined });
    }
    const values = (await Promise.all(gets)).map(({ value }) => text(value));
    expect(values.filter((value) => value === "later").length).toBe(50);
  });

  test("is dialled with pauses that grow while the node drops it", async () => {
    const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
    await open([a, b]);
    b.tellsRing = false;
    const before = b.admitted;
    const since = performance.now();
    const cutting = setInterval(() => b.cut(), 5);
    closers.push(() => clearInterval(cutting));
    await until(() => b.admitted === before + 4);
    // At least half of 50, 100, 200 and 400 ms; a timer may be a millisecond early.
    expect(performance.now() - since).toBeGreaterThan(370);
  });
});

test("refusals of a handshake are told in the node's own words", async () => {
  const { openPort } = await import("../runtime/wires.ts");
  const port = await openPort();
  closers.push(() => port.listener.close());
  await expect(open([port.address, "127.0.0.1:1"])).rejects.toMatchObject({
    code: "NO_ENDPOINT",
    applied: "no",
    message: expect.stringMatching(/not yet.*ECONNREFUSED/),
  });
});

test("close settles every call and ends every connection", async () => {
  const [a, b] = (await nodes(2)) as [FakeNode, FakeNode];
  for (const node of [a, b]) node.answer = () => "silence";
  const client = await open([a, b]);
  const calls = [client.get("key"), client.put("key", "value"), client.admin("status")];
  const ends = Promise.allSettled([...calls, client.getMany(keys)]);
  await until(() => a.asked.length + b.asked.length > 40);
  await client.close();
  await client.close();
  for (const end of await ends) {
    expect(end).toMatchObject({ status: "rejected", reason: { code: "CLOSED" } });
  }
  await expect(client.get("key")).rejects.toMatchObject({ code: "CLOSED", applied: "no" });
  await until(() => a.connections + b.connections === 0);
});
