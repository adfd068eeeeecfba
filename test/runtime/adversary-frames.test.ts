/**
 * Who was let in and then breaks the rules: frames that are wrong in every way, and contexts that
 * no node sealed for that key. The connection ends with the right code, nothing is applied, and
 * others do not notice.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/client/api.ts";
import { Context } from "../../src/client/context.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Message } from "../../src/core/message.ts";
import { FrameWriter } from "../../src/core/wire/codec.ts";
import { encodeHello } from "../../src/runtime/handshake.ts";
import { parseSecrets, prove } from "../../src/runtime/peer-proof.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { requestFrameBytesMax } from "../../src/runtime/sockets.ts";
import { ClosedTown } from "../support/closed-town.ts";
import { frameOf, knock } from "../support/knock.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString();

/** In the clear, so that the sockets of the test are as fast and as rude as can be. */
const town = new ClosedTown({ hasTls: false });
let node: RunningNode;
let admin: Client;

beforeAll(async () => {
  node = await town.start("n1", { n: 1 });
  admin = await town.connect(node, "root");
  await admin.put("canary", "alive");
});

afterAll(() => town.close());

const key = keyOf("", bytes("attack"));

function putting(name = key): Message {
  return {
    kind: "request",
    request: 7,
    token: undefined,
    command: {
      ...{ kind: "put", key: name, value: bytes("applied"), w: undefined, strict: false },
      ...{ ttlMs: undefined, trace: false, deadlineMs: 1000, context: undefined },
      operation: { at: Date.now(), nonce: 1, retried: false },
    },
  };
}

function payloadOf(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter();
  for (const message of messages) writer.add(message);
  return Buffer.concat(writer.take());
}

/** As who may write, sends these bytes, and says with which code the node ends it. */
async function send(...parts: readonly Uint8Array[]): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${town.token("writer")}` };
  const { status, socket, closed } = await knock(node.address, { headers });
  expect(status).toBe(101);
  for (const part of parts) socket.write(part);
  return closed;
}

async function nothingHappened(): Promise<void> {
  expect((await admin.get("attack")).values).toEqual([]);
  expect(text((await admin.get("canary")).value)).toBe("alive");
  const { nodes, epoch } = (await admin.admin("status")) as { nodes: unknown[]; epoch: number };
  expect([nodes.length, epoch]).toEqual([1, 1]);
}

const put = payloadOf(putting());

describe("a frame is refused, and so is what came in it,", () => {
  test("when it is text, compressed, unmasked, or of no known kind", async () => {
    expect(await send(frameOf(bytes("put attack"), { first: 0x81 }))).toBe(1003);
    expect(await send(frameOf(put, { first: 0x81 }))).toBe(1007);
    // RSV1 says compressed, RSV2 and RSV3 say nothing anybody knows.
    for (const first of [0xc2, 0xa2, 0x92, 0x83, 0x8b]) {
      expect([first, await send(frameOf(put, { first }))]).toEqual([first, 1002]);
    }
    expect(await send(frameOf(put, { isMasked: false }))).toBe(1002);
    await nothingHappened();
  });

  test("when it is longer than allowed, or says it is", async () => {
    const huge = new Uint8Array(requestFrameBytesMax + 1);
    huge.set(put);
    expect(await send(frameOf(huge))).toBe(1009);
    // Nothing is kept free for what is only announced.
    const before = process.memoryUsage().rss;
    for (const length of [2n ** 31n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n]) {
      expect(await send(frameOf(put, { length }))).toBe(1009);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
    await nothingHappened();
  });

  test("when it comes in more pieces than it may", async () => {
    const pieces = Array.from(put, (_, i) =>
      frameOf(put.subarray(i, i + 1), { first: i === 0 ? 0x02 : i + 1 === put.length ? 0x80 : 0 }),
    );
    expect(await send(...pieces)).toBe(1008);
    // Empty pieces cost the sender two bytes each.
    const empty = frameOf(new Uint8Array(0), { first: 0 });
    const flood = [frameOf(new Uint8Array(0), { first: 2 }), ...Array(5000).fill(empty)];
    expect(await send(Buffer.concat(flood))).toBe(1008);
    expect(await send(frameOf(put, { first: 0x80 }))).toBe(1002);
    await nothingHappened();
  });

  test("when what it holds is no message, or none that a client may send", async () => {
    for (const wrong of [new Uint8Array(0), bytes("GET / HTTP/1.1\r\n\r\n"), put.subarray(1)]) {
      expect(await send(frameOf(wrong))).toBe(1002);
    }
    const other = put.slice();
    other[0] = 0x7f;
    expect(await send(frameOf(other))).toBe(1002);
    // Cut anywhere: never half of it.
    for (let end = 1; end < put.length; end++) {
      expect([end, await send(frameOf(put.subarray(0, end)))]).toEqual([end, 1002]);
    }
    await nothingHappened();
  });

  test("when a client speaks as a node", async () => {
    const versions = {
      ...{ vector: [], dots: [], operations: [] },
      siblings: [
        {
          dot: { actor: "0123456789abcdef", counter: 1 },
          ...{ operation: undefined, time: Date.now(), expiresAt: 0, value: bytes("applied") },
        },
      ],
    };
    const asNode: readonly Message[] = [
      {
        ...{ kind: "write", request: 1, key, versions, round: 0, hintFor: [], relay: [] },
        ...{ repair: false, deadlineMs: 1000 },
      } as unknown as Message,
      { kind: "go-away" },
      { kind: "result", request: 1, result: { kind: "answer", json: "1" }, token: undefined },
    ];
    for (const message of asNode) {
      expect([message.kind, await send(frameOf(payloadOf(message)))]).toEqual([message.kind, 1002]);
    }
    await nothingHappened();
  });

  test("when it is any mutation of a good one, at random", async () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 60; round++) {
      const wrong = Buffer.from(frameOf(put));
      for (let changes = 1 + pick(random, 3); changes > 0; changes--) {
        // Not in the key and the value, which may be anything.
        wrong[pick(random, 14 + 12)] = pick(random, 256);
      }
      const headers = { authorization: `Bearer ${town.token("carts")}` };
      const { socket, closed } = await knock(node.address, { headers });
      socket.end(wrong);
      await closed;
      expect([seed, round, text((await admin.get("canary")).value)]).toEqual([
        ...[seed, round, "alive"],
      ]);
    }
    await nothingHappened();
  });
});

test("who does not answer the node's goodbye is cut off soon nevertheless", async () => {
  const headers = { authorization: `Bearer ${town.token("writer")}` };
  const { socket, closed } = await knock(node.address, { headers, isRude: true });
  const began = performance.now();
  socket.write(frameOf(bytes("x")));
  expect(await closed).toBe(1002);
  expect(performance.now() - began).toBeLessThan(10_000);
});

test("a node that proved itself and sends what is no frame is cut off", async () => {
  const secrets = parseSecrets(town.secret);
  if (secrets === undefined) throw new Error("the town has a secret");
  const wrong = [bytes("x"), put.subarray(0, 20), Buffer.concat([put, put]), new Uint8Array(0)];
  for (const payload of wrong) {
    const hello = encodeHello({
      ...{ clusterId: node.clusterId, node: 9, to: node.id, started: Date.now() },
      ...{ epoch: 99, lane: "data", clock: Date.now() },
    });
    const headers = { ...hello, ...prove(hello, secrets, Date.now()).headers };
    const { status, socket, closed } = await knock(node.address, {
      ...{ protocol: "everwrite.peer.1", headers },
    });
    expect(status).toBe(101);
    socket.write(frameOf(payload));
    expect(await closed).toBe(1002);
  }
  await nothingHappened();
});

describe("a context", () => {
  const refused = async (context: Context, name = "key"): Promise<void> => {
    const client = await town.connect(node, "writer");
    const before = (await admin.get("key")).values.map(text);
    for (const attempt of [
      () => client.put(name, "attack", { context }),
      () => client.delete(name, { context }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({
        code: expect.stringMatching(/^CONTEXT_(INVALID|WRONG_KEY|WRONG_CLUSTER)$/),
        applied: "no",
      });
    }
    expect((await admin.get("key")).values.map(text)).toEqual(before);
    await client.close();
  };

  test("that is altered in any byte, cut, or longer is refused", async () => {
    await admin.put("key", "one");
    const { context } = await admin.get("key");
    const random = randomFrom(seed);
    for (let at = 0; at < context.bytes.length; at++) {
      const bytes = context.bytes.slice();
      bytes[at] = (bytes[at] ?? 0) ^ (1 << pick(random, 8));
      await refused(new Context(bytes));
    }
    for (const bytes of [
      context.bytes.subarray(0, context.bytes.length - 1),
      Buffer.concat([context.bytes, Uint8Array.of(0)]),
    ]) {
      await refused(new Context(bytes));
    }
    await admin.put("key", "two", { context });
    expect((await admin.get("key")).values.map(text)).toEqual(["two"]);
  });

  test("of another key, bucket or cluster is refused", async () => {
    const { context } = await admin.put("other", "x");
    await refused(context);
    await refused((await admin.bucket("b").put("key", "x")).context);
    const elsewhere = new ClosedTown({ hasTls: false });
    try {
      const foreign = await elsewhere.connect(await elsewhere.start("n1", { n: 1 }), "root");
      await refused((await foreign.put("key", "x")).context);
    } finally {
      await elsewhere.close();
    }
  });
});
