/** Whole nodes in one process, on real sockets and directories: how they start, serve and stop. */
import fs from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openEngine } from "../../native-free-engine/index.ts";
import { ask } from "../../src/runtime/ask.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import { identityName } from "../../src/runtime/identity.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { metaKey } from "../../src/store/keyspace.ts";
import { OpenWorld } from "./open-world.ts";
import { until } from "./wires.ts";

let world: OpenWorld;

beforeEach(() => {
  world = new OpenWorld();
});

afterEach(() => world.close());

const start = (name: string, more?: Partial<NodeConfig>) => world.start(name, more);
const connect = (node: RunningNode) => world.connect(node);

async function three(): Promise<readonly [RunningNode, RunningNode, RunningNode]> {
  const first = await start("n1");
  const second = await start("n2", { join: [first.address] });
  const third = await start("n3", { join: [second.address, first.address] });
  const client = await connect(first);
  await until2(async () => {
    const status = (await client.admin("status")) as {
      nodes: { live: boolean }[];
      transfers: number;
    };
    return status.nodes.filter(({ live }) => live).length === 3 && status.transfers === 0;
  });
  return [first, second, third];
}

async function until2(isTrue: () => Promise<boolean>): Promise<void> {
  await expect.poll(isTrue, { timeout: 20_000, interval: 20 }).toBe(true);
}

const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

describe("one node", () => {
  test("founds a cluster, and goes on where it was when it is started again", async () => {
    const node = await start("a");
    const client = await connect(node);
    await client.put("key", "value");
    const { clusterId, address } = node;
    expect(clusterId).toMatch(/^[0-9a-f]{32}$/);
    await node.close();
    await node.close();
    const again = await start("a");
    expect([again.clusterId, again.address, again.id]).toEqual([clusterId, address, 1]);
    expect(text((await (await connect(again)).get("key")).value)).toBe("value");
  });

  test("a context outlives the process that sealed it; an altered one is refused", async () => {
    const node = await start("a");
    const before = await (await connect(node)).put("key", "one");
    await node.close();
    const client = await connect(await start("a"));
    const { context } = await client.put("key", "two", { context: before.context });
    expect((await client.get("key")).values.map(text)).toEqual(["two"]);
    const bytes = context.bytes.slice();
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    const forged = Object.assign(Object.create(Object.getPrototypeOf(context)), context, { bytes });
    await expect(client.put("key", "three", { context: forged })).rejects.toMatchObject({
      code: "CONTEXT_INVALID",
      applied: "no",
    });
    await expect(client.put("other", "x", { context })).rejects.toMatchObject({
      code: "CONTEXT_WRONG_KEY",
    });
  });

  test("what was acknowledged before it closed under load is there afterwards", async () => {
    const node = await start("a");
    const client = await connect(node);
    const acknowledged: string[] = [];
    let isClosing = false;
    const writer = async (lane: number): Promise<void> => {
      for (let i = 0; !isClosing; i++) {
        const key = `${lane}-${i}`;
        try {
          await client.put(key, key, { timeoutMs: 500 });
          acknowledged.push(key);
        } catch {
          // The node is going away: this one may or may not be there.
        }
      }
    };
    const writers = Array.from({ length: 8 }, (_, lane) => writer(lane));
    await until(() => acknowledged.length > 200);
    const closed = node.close();
    isClosing = true;
    await closed;
    await Promise.all(writers);
    const after = await connect(await start("a"));
    const found = await after.getMany(acknowledged);
    expect(found.map(({ value }) => text(value))).toEqual(acknowledged);
  });
});

test("a node whose disk fails stops by itself, says so, acknowledges nothing more", async () => {
  const node = await start("a", { durability: "sync" });
  const client = await connect(node);
  await client.put("before", "1");
  const refuse = (): never => {
    throw Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  };
  const spies = [
    vi.spyOn(fs, "fdatasyncSync").mockImplementation(refuse),
    vi
      .spyOn(fs, "fdatasync")
      .mockImplementation(((_fd: number, done: (e: Error) => void) =>
        setImmediate(done, Object.assign(new Error("EIO: i/o error"), { code: "EIO" }))) as never),
  ];
  try {
    await expect(client.put("key", "value", { timeoutMs: 2_000 })).rejects.toMatchObject({
      applied: "maybe",
    });
    expect(await node.died).toMatchObject({ code: "LOG_FAILED" });
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  const again = await connect(await start("a"));
  expect(text((await again.get("before")).value)).toBe("1");
});

describe("three nodes", () => {
  test("become one cluster; what one acknowledged another shows", async () => {
    const nodes = await three();
    expect(new Set(nodes.map(({ clusterId }) => clusterId)).size).toBe(1);
    expect(nodes.map(({ id }) => id)).toEqual([1, 2, 3]);
    const [a, b, c] = [await connect(nodes[0]), await connect(nodes[1]), await connect(nodes[2])];
    const { context, acks } = await a.put("cart", "milk");
    expect(acks).toBeGreaterThanOrEqual(2);
    expect(text((await b.get("cart")).value)).toBe("milk");
    // Sealed by one node, opened by another.
    await c.put("cart", "bread", { context });
    expect((await b.get("cart")).values.map(text)).toEqual(["bread"]);
  });

  test("serve on without one of them, and it is told what it missed", async () => {
    const [first, second, third] = await three();
    const client = await connect(first);
    await client.put("before", "1");
    await third.close();
    for (let i = 0; i < 50; i++) await client.put(`during-${i}`, String(i));
    const back = await start("n3");
    expect(back.id).toBe(3);
    await until2(async () => {
      const status = (await client.admin("status")) as {
        rootsAgree: boolean;
        nodes: { live: boolean }[];
      };
      return status.rootsAgree && status.nodes.every(({ live }) => live);
    });
    await Promise.all([first.close(), second.close()]);
    const alone = await connect(back);
    for (const i of [0, 49]) {
      expect(text((await alone.get(`during-${i}`, { r: 1 })).value)).toBe(String(i));
    }
  });

  test("all stopped, any two start again without the third", async () => {
    const nodes = await three();
    await (await connect(nodes[0])).put("key", "value");
    await Promise.all(nodes.map((node) => node.close()));
    const [second] = [await start("n2"), await start("n3")];
    const client = await connect(second);
    await until2(async () => text((await client.get("key")).value) === "value");
    await client.put("key2", "value2");
  });
});

describe("a node that cannot start says why, and leaves nothing open", () => {
  async function refusal(
    config: Partial<NodeConfig> & { readonly data: string },
  ): Promise<unknown> {
    const { data, ...more } = config;
    return start(data, more).then(
      () => expect.unreachable("it started"),
      (error: unknown) => error,
    );
  }

  test("nobody to join: every seed is named, and no cluster is founded", async () => {
    const seeds = ["127.0.0.1:1", "127.0.0.1:2"];
    for (let round = 0; round < 2; round++) {
      expect(await refusal({ data: "a", join: seeds, joinMsMax: 0 })).toMatchObject({
        code: "SEED_UNREACHABLE",
        message: expect.stringMatching(/127\.0\.0\.1:1.*ECONNREFUSED.*127\.0\.0\.1:2/),
      });
    }
  });

  test("the directory is in use, by this process too", async () => {
    await start("a");
    expect(await refusal({ data: "a" })).toMatchObject({ code: "DATA_DIR_LOCKED" });
  });

  test("the directory holds an embedded database", async () => {
    const engine = await openEngine(world.path("a"));
    await engine.put("key", "value");
    await engine.close();
    // An engine of its own makes its directory for everybody; a node's is closed.
    const { chmodSync } = await import("node:fs");
    chmodSync(world.path("a"), 0o700);
    expect(await refusal({ data: "a" })).toMatchObject({ code: "DATA_DIR_INVALID" });
  });

  test("what was fixed at founding cannot be asked for otherwise", async () => {
    const first = await start("a", { n: 3 });
    expect(await refusal({ data: "b", join: [first.address], n: 5 })).toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringContaining("n was fixed at 3 when the cluster was founded, got 5"),
    });
    await first.close();
    for (const wrong of [{ n: 2 }, { partitions: 32 }, { w: 4 }]) {
      expect(await refusal({ data: "a", ...wrong })).toMatchObject({ code: "CONFIG_INVALID" });
    }
    await start("a");
  });

  test("another address than the one that others know", async () => {
    const first = await start("a");
    await first.close();
    expect(await refusal({ data: "a", advertise: "127.0.0.1:9" })).toMatchObject({
      code: "IDENTITY_MISMATCH",
      message: expect.stringContaining(first.address),
    });
  });

  test("a directory of one cluster, and a seed of another", async () => {
    const first = await start("a");
    await first.close();
    const other = await start("b");
    expect(await refusal({ data: "a", join: [other.address], partitions: 16 })).toMatchObject({
      code: "IDENTITY_MISMATCH",
      message: expect.stringContaining(other.clusterId),
    });
    // A seed that is not there is not waited for.
    await start("a", { join: ["127.0.0.1:1"] });
  });

  test("a port that is taken", async () => {
    const first = await start("a");
    expect(await refusal({ data: "b", listen: first.address })).toMatchObject({
      code: "ADDRESS_UNAVAILABLE",
    });
  });

  test.each([
    ["a newer version", '{"version":2}', "FORMAT_TOO_NEW"],
    ["damage", "{", "CORRUPTION"],
    ["a record that is not whole", '{"version":1,"id":1}', "CORRUPTION"],
  ])("the record of its identity: %s", async (_name, record, code) => {
    await (await start("a")).close();
    const engine = await openEngine(world.path("a"));
    await engine.put(metaKey(identityName), record);
    await engine.close();
    expect(await refusal({ data: "a" })).toMatchObject({ code });
  });
});

describe("letting a node in", () => {
  const candidate = { dc: "dc1", rack: "rack1", weight: 1 };
  const asked = (more: object) => ({
    name: "join",
    arguments: { ...candidate, attempt: "one", clock: Date.now(), ...more },
    timeoutMs: 5_000,
  });

  test("a clock that is far off is refused, and says by how much", async () => {
    const node = await start("a");
    const address = "127.0.0.1:9";
    for (const [skew, word] of [
      [300_000, "ahead"],
      [-300_000, "behind"],
    ] as const) {
      const answer = await ask(node.address, asked({ address, clock: Date.now() + skew }));
      expect(answer).toMatchObject({ code: "CLOCK_SKEW", message: expect.stringContaining(word) });
    }
  });

  test("a newcomer whose answer was lost gets the same number, however it asks again", async () => {
    const node = await start("a");
    const address = "127.0.0.1:9";
    const [first, same] = await Promise.all([
      ask(node.address, asked({ address })),
      ask(node.address, asked({ address })),
    ]);
    expect(first).toMatchObject({ kind: "answer", json: { id: 2 } });
    expect(same).toEqual(first);
    expect(await ask(node.address, asked({ address }))).toEqual(first);
    const other = await ask(node.address, asked({ address, attempt: "two" }));
    expect(other).toMatchObject({ kind: "answer", json: { id: 2 } });
    // It owns nothing yet, so it is not waited for either when somebody else comes.
    const third = await ask(node.address, asked({ address: "127.0.0.1:8", attempt: "three" }));
    expect(third).toMatchObject({ kind: "answer", json: { id: 3 } });
  });

  test.each([
    [{ address: "nowhere" }],
    [{ address: "127.0.0.1:0" }],
    [{ address: "127.0.0.1:9", clock: "now" }],
    [{ address: "127.0.0.1:9", attempt: "x".repeat(65) }],
    [{ address: "127.0.0.1:9", weight: -1 }],
  ])("%j is no way to ask", async (wrong) => {
    const node = await start("a");
    expect(await ask(node.address, asked(wrong))).toMatchObject({ code: "INVALID_ARGUMENT" });
    await (await connect(node)).put("key", "still serves");
  });
});
