/** The edge towards clients: numbers, contexts, limits, and what is no request at all. */
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { emptyContext } from "../../src/core/clock/versions.ts";
import { failed } from "../../src/core/failure.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Command, Message, Result } from "../../src/core/message.ts";
import { decodeFrame, FrameWriter } from "../../src/core/wire/codec.ts";
import { type ClientLimits, clientLimits } from "../../src/runtime/client-link.ts";
import { Clients } from "../../src/runtime/clients.ts";
import { KeepAlive } from "../../src/runtime/keep-alive.ts";
import { type Log, silentLog } from "../../src/runtime/log.ts";
import { Turn } from "../../src/runtime/outbox.ts";
import { openGate, openPort, ringOf, until } from "./wires.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const key = keyOf("", Uint8Array.of(107));
const context = { ...emptyContext, vector: [{ actor: "0".repeat(16), counter: 3, time: 0 }] };
const sealed = Uint8Array.of(7, 7);

interface Edge {
  readonly clients: Clients;
  readonly address: string;
  readonly submitted: { readonly id: number; readonly command: Command }[];
  readonly logged: string[];
}

async function edge(limits: Partial<ClientLimits> = {}): Promise<Edge> {
  const port = await openPort();
  closers.push(() => port.listener.close());
  const submitted: { id: number; command: Command }[] = [];
  const logged: string[] = [];
  const keepAlive = new KeepAlive();
  const log: Log = { ...silentLog, warn: (_event, fields) => logged.push(JSON.stringify(fields)) };
  const clients = new Clients({
    ring: ringOf([port.address]),
    turn: new Turn(),
    keepAlive,
    log,
    limits: { ...clientLimits, ...limits },
    gate: openGate,
    contexts: {
      seal: () => sealed,
      open: (token) =>
        token[0] === 7
          ? { kind: "context", context, fastest: 2 }
          : failed("CONTEXT_INVALID", "no context of ours"),
    },
    submit: (id, command) => submitted.push({ id, command }),
    answerOwn: (command, _by, answer) => {
      if (command.name === "own") answer({ kind: "answer", json: '"own"' });
      return command.name === "own";
    },
  });
  port.admit = (incoming) => clients.admit(incoming);
  closers.push(() => {
    clients.close();
    keepAlive.stop();
  });
  return { clients, address: port.address, submitted, logged };
}

interface Client {
  readonly socket: WebSocket;
  readonly received: Message[];
  readonly closed: Promise<readonly [code: number, reason: string]>;
  send(...messages: Message[]): void;
}

async function connect({ address }: Edge): Promise<Client> {
  const socket = new WebSocket(`ws://${address}/`, "everwrite.client.1");
  closers.push(() => socket.terminate());
  const received: Message[] = [];
  socket.on("message", (bytes: Buffer) => {
    const frame = decodeFrame(new Uint8Array(bytes));
    if (frame.kind === "frame") received.push(...frame.messages);
  });
  socket.on("error", () => undefined);
  const closed = new Promise<readonly [number, string]>((resolve) =>
    socket.once("close", (code, reason) => resolve([code, reason.toString()])),
  );
  await new Promise((resolve) => socket.once("open", resolve));
  const send = (...messages: Message[]): void => {
    const frame = new FrameWriter();
    for (const message of messages) frame.add(message);
    for (const bytes of frame.take()) socket.send(bytes);
  };
  return { socket, received, closed, send };
}

const get: Command = { kind: "get", key, r: 1, strict: false, deadlineMs: 100, trace: false };
const put: Command = {
  ...{ kind: "put", key, context: undefined, value: Uint8Array.of(1), ttlMs: 0, w: 1 },
  ...{ operation: { at: 1, nonce: 2, retried: false }, strict: false, deadlineMs: 100 },
  trace: false,
};
const found = (value: Uint8Array): Result => ({
  ...{ kind: "found", values: [value], context, fastest: 1, degraded: false },
  ...{ written: [{ time: 1, actor: "0".repeat(16) }], trace: undefined },
});
const request = (id: number, command: Command, token?: Uint8Array): Message => ({
  ...{ kind: "request", request: id, command, token },
});

async function stillServes(node: Edge): Promise<void> {
  const healthy = await connect(node);
  const before = node.submitted.length;
  healthy.send(request(1, get));
  await until(() => node.submitted.length > before);
  const id = node.submitted.at(-1)?.id ?? 0;
  node.clients.reply(id, { kind: "answer", json: "1" });
  await until(() => healthy.received.length === 1);
}

test("two connections may use the same numbers, and each gets its own answers", async () => {
  const node = await edge();
  const [a, b] = [await connect(node), await connect(node)];
  a.send(request(5, get));
  await until(() => node.submitted.length === 1);
  b.send(request(5, get));
  await until(() => node.submitted.length === 2);
  const [first, second] = node.submitted.map(({ id }) => id);
  expect(first).not.toBe(second);
  node.clients.reply(second ?? 0, { kind: "answer", json: '"b"' });
  node.clients.reply(first ?? 0, { kind: "answer", json: '"a"' });
  await until(() => a.received.length === 1 && b.received.length === 1);
  expect([a.received[0], b.received[0]]).toMatchObject([
    { kind: "result", request: 5, result: { json: '"a"' } },
    { kind: "result", request: 5, result: { json: '"b"' } },
  ]);
});

test("contexts leave sealed and come back opened; one that nobody sealed is refused", async () => {
  const node = await edge();
  const client = await connect(node);
  client.send(request(1, get));
  await until(() => node.submitted.length === 1);
  node.clients.reply(node.submitted[0]?.id ?? 0, found(Uint8Array.of(1)));
  await until(() => client.received.length === 1);
  expect(client.received[0]).toMatchObject({ token: sealed, result: { context: emptyContext } });
  client.send(request(2, put, sealed), request(3, put, Uint8Array.of(1)), request(4, put));
  await until(() => node.submitted.length === 3 && client.received.length === 2);
  expect(node.submitted.slice(1).map(({ command }) => command)).toMatchObject([
    { context, fastest: 2 },
    { context: undefined },
  ]);
  expect(client.received[1]).toMatchObject({
    request: 3,
    result: { kind: "failed", code: "CONTEXT_INVALID", applied: "no" },
  });
});

test("a context that is not sealed counts for nothing: it supersedes nothing", async () => {
  const node = await edge();
  const client = await connect(node);
  client.send(request(1, { ...put, context }), request(2, { ...put, context }, Uint8Array.of()));
  await until(() => node.submitted.length === 2);
  for (const { command } of node.submitted) expect(command).toMatchObject({ context: undefined });
});

test("nothing that was ever written has no context to seal", async () => {
  const node = await edge();
  const client = await connect(node);
  client.send(request(1, get));
  await until(() => node.submitted.length === 1);
  const nothing = { ...found(Uint8Array.of()), values: [], written: [], context: emptyContext };
  node.clients.reply(node.submitted[0]?.id ?? 0, nothing as Result);
  await until(() => client.received.length === 1);
  expect(client.received[0]).toMatchObject({ token: undefined, result: { values: [] } });
});

test("the runtime's own commands do not reach the core", async () => {
  const node = await edge();
  const client = await connect(node);
  const admin = (name: string): Command => ({
    ...{ kind: "admin", name, arguments: "{}", deadlineMs: 100 },
  });
  client.send(request(1, admin("own")), request(2, admin("status")));
  await until(() => client.received.length === 1 && node.submitted.length === 1);
  expect(client.received[0]).toMatchObject({ request: 1, result: { json: '"own"' } });
  expect(node.submitted[0]?.command).toMatchObject({ name: "status" });
});

test("too many at a time are told to come back; a number in use is refused", async () => {
  const node = await edge({ inFlightMax: 3 });
  const client = await connect(node);
  client.send(...[1, 2, 2, 3, 4].map((id) => request(id, get)));
  await until(() => client.received.length === 2);
  expect(client.received).toMatchObject([
    { request: 2, result: { code: "INVALID_ARGUMENT" } },
    { request: 4, result: { code: "OVERLOADED", applied: "no", retryAfterMs: 50 } },
  ]);
  expect(node.submitted).toHaveLength(3);
  node.clients.reply(node.submitted[0]?.id ?? 0, { kind: "answer", json: "1" });
  client.send(request(5, get));
  await until(() => node.submitted.length === 4);
});

test("who watches the ring is told at once, and of every change", async () => {
  const node = await edge();
  const [watcher, other] = [await connect(node), await connect(node)];
  watcher.send({ kind: "watch-ring" });
  await until(() => watcher.received.length === 1);
  node.clients.setRing(ringOf([node.address], { epoch: 2 }));
  node.clients.setDown([1]);
  await until(() => watcher.received.length === 3);
  expect(watcher.received).toMatchObject([
    { kind: "ring-news", state: { epoch: 1 }, down: [] },
    { kind: "ring-news", state: { epoch: 2 }, down: [] },
    { kind: "ring-news", state: { epoch: 2 }, down: [1] },
  ]);
  expect(other.received).toEqual([]);
});

describe("nonsense ends its connection, with where and why, and nobody else's", () => {
  const cut = new FrameWriter();
  cut.add({ kind: "watch-ring" });
  const ping = new FrameWriter();
  ping.add({ kind: "ping", sequence: 1 });
  test.each([
    ["bytes that are no frame", Uint8Array.of(200, 1, 2), /^FRAME_INVALID at byte 0/],
    ["no bytes at all", new Uint8Array(0), /^FRAME_INVALID at byte 0/],
    ["a message cut short", cut.take()[0]?.subarray(0, -1), /^FRAME_INVALID at byte/],
    ["a message of peers", ping.take()[0], /^FRAME_INVALID: ping/],
  ])("%s", async (_name, bytes, why) => {
    const node = await edge();
    const client = await connect(node);
    client.socket.send(bytes ?? "");
    const [code, reason] = await client.closed;
    expect(code).toBe(1002);
    expect(reason).toMatch(why);
    expect(node.logged).toHaveLength(1);
    await stillServes(node);
  });
});

describe("a client that does not read its answers", () => {
  const big = found(new Uint8Array(1 << 20));

  /** Asks for so many answers of 1 MiB, reads nothing, and has them answered. */
  async function flood(node: Edge, count: number): Promise<Client> {
    const client = await connect(node);
    for (let id = 1; id <= count; id++) client.send(request(id, get));
    await until(() => node.submitted.length === count);
    client.socket.pause();
    for (const { id } of node.submitted) node.clients.reply(id, big);
    return client;
  }

  test("is not read either, until it reads again", async () => {
    const node = await edge({ pauseBytes: 1 << 20 });
    const client = await flood(node, 32);
    await new Promise((resolve) => setImmediate(resolve));
    client.send(request(99, get));
    await stillServes(node);
    expect(node.submitted.some(({ command }) => command === undefined)).toBe(false);
    expect(node.submitted).toHaveLength(33);
    client.socket.resume();
    await until(() => client.received.length === 32 && node.submitted.length === 34);
  });

  test("is sent away when that lasts", async () => {
    const node = await edge({ pauseBytes: 1 << 20, pauseMsMax: 50 });
    const client = await flood(node, 32);
    await until(() => node.clients.connections === 0);
    client.socket.resume();
    expect((await client.closed)[0]).not.toBe(1000);
    expect(node.logged[0]).toMatch(/slow reader/);
    await stillServes(node);
  });

  test("is sent away at once when too much piles up", async () => {
    const node = await edge({ bufferedBytesMax: 16 << 20 });
    const client = await flood(node, 64);
    await until(() => node.logged.length > 0);
    client.socket.resume();
    await client.closed;
    await stillServes(node);
  });
});

test("an answer for a client that is gone is dropped", async () => {
  const node = await edge();
  const client = await connect(node);
  client.send(request(1, get));
  await until(() => node.submitted.length === 1);
  client.socket.terminate();
  await until(() => node.clients.connections === 0);
  node.clients.reply(node.submitted[0]?.id ?? 0, found(Uint8Array.of(1)));
  expect(node.clients.inFlight).toBe(0);
  await stillServes(node);
});

test("at the end clients are told to go, and what is under way is answered", async () => {
  const node = await edge();
  const client = await connect(node);
  client.send(request(1, get), request(2, put));
  await until(() => node.submitted.length === 2);
  const drained = node.clients.drain(10_000);
  await until(() => client.received.length === 1);
  expect(client.received[0]).toEqual({ kind: "go-away" });
  client.send(request(3, get));
  await until(() => client.received.length === 2);
  expect(client.received[1]).toMatchObject({ request: 3, result: { code: "CLOSED" } });
  for (const { id } of node.submitted) node.clients.reply(id, { kind: "answer", json: "1" });
  await drained;
  node.clients.close();
  expect((await client.closed)[0]).toBe(1001);
  expect(client.received).toHaveLength(4);
});

test("what cannot be answered in time is answered with what is known: perhaps", async () => {
  const node = await edge();
  const client = await connect(node);
  client.send(request(1, put));
  await until(() => node.submitted.length === 1);
  await node.clients.drain(1);
  node.clients.close();
  await client.closed;
  expect(client.received.at(-1)).toMatchObject({
    result: { kind: "failed", code: "CLOSED", applied: "maybe" },
  });
});
