/** Connections between real sockets on the loopback: what passes, what is refused, and how. */
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { formatAddress } from "../../src/runtime/address.ts";
import {
  type Admission,
  type Incoming,
  type Listener,
  listen,
} from "../../src/runtime/listener.ts";
import { dial, requestFrameBytesMax, type Socket } from "../../src/runtime/sockets.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Opened {
  readonly listener: Listener;
  readonly address: string;
  readonly received: Uint8Array[];
  readonly sockets: Socket[];
  readonly ends: string[];
}

async function open(admit?: (incoming: Incoming) => Admission | undefined): Promise<Opened> {
  const received: Uint8Array[] = [];
  const sockets: Socket[] = [];
  const ends: string[] = [];
  const listener = await listen({
    host: "127.0.0.1",
    port: 0,
    admit: (incoming) =>
      admit?.(incoming) ?? {
        kind: "admitted",
        headers: { "everwrite-node": "7" },
        attach: (socket) => {
          sockets.push(socket);
          return {
            onMessage: (bytes) => received.push(bytes.slice()),
            onClose: (why) => ends.push(why),
          };
        },
      },
  });
  closers.push(() => listener.close());
  return { listener, address: formatAddress(listener.address), received, sockets, ends };
}

interface Dialled {
  readonly socket: Socket;
  readonly opened: Promise<Readonly<Record<string, unknown>>>;
  readonly closed: Promise<{ readonly why: string; readonly code: string | undefined }>;
  readonly received: Uint8Array[];
}

function reach(address: string, headers: Record<string, string> = {}): Dialled {
  const received: Uint8Array[] = [];
  let onOpen = (_headers: Readonly<Record<string, unknown>>): void => undefined;
  let onClose = (_end: { why: string; code: string | undefined }): void => undefined;
  const opened = new Promise<Readonly<Record<string, unknown>>>((resolve) => {
    onOpen = resolve;
  });
  const closed = new Promise<{ why: string; code: string | undefined }>((resolve) => {
    onClose = resolve;
  });
  const socket = dial({
    address,
    protocol: "client",
    headers,
    onOpen: (answer) => onOpen(answer),
    onMessage: (bytes) => received.push(bytes.slice()),
    onClose: (why, code) => onClose({ why, code }),
  });
  closers.push(() => socket.terminate());
  return { socket, opened, closed, received };
}

async function until(isTrue: () => boolean): Promise<void> {
  await expect.poll(isTrue, { timeout: 10_000, interval: 5 }).toBe(true);
}

/** Another program's WebSocket, which does not keep our rules; resolves with the close code. */
function stranger(address: string, protocol: string, act: (socket: WebSocket) => void) {
  return new Promise<number>((resolve, reject) => {
    const socket = new WebSocket(`ws://${address}/`, protocol, { perMessageDeflate: false });
    socket.on("open", () => act(socket));
    socket.on("close", (code) => resolve(code));
    socket.on("unexpected-response", (_request, response) => resolve(response.statusCode ?? 0));
    socket.on("error", (error) => {
      if (socket.readyState === WebSocket.CONNECTING) reject(error);
    });
  });
}

async function stillServes({ address, received }: Opened): Promise<void> {
  const before = received.length;
  const healthy = reach(address);
  await healthy.opened;
  healthy.socket.send(Uint8Array.of(42));
  await until(() => received.length > before);
  expect(received.at(-1)).toEqual(Uint8Array.of(42));
}

test("frames pass both ways, with the headers of the answer", async () => {
  const node = await open();
  const client = reach(node.address);
  expect((await client.opened)["everwrite-node"]).toBe("7");
  client.socket.send(Uint8Array.of(1, 2, 3));
  await until(() => node.received.length === 1);
  node.sockets[0]?.send(Uint8Array.of(4));
  await until(() => client.received.length === 1);
  expect([node.received[0], client.received[0]]).toEqual([
    Uint8Array.of(1, 2, 3),
    Uint8Array.of(4),
  ]);
});

/** Compared as text, since to compare arrays of this length takes a second. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

test("frames of every length pass whole and in order, probes among them", async () => {
  const node = await open();
  const client = reach(node.address);
  await client.opened;
  // Around the lengths of one byte and of two, and around what is sent in one piece.
  const lengths = [0, 1, 125, 126, 255, 256, 16_383, 16_384, 16_385, 65_535, 65_536, 3];
  const sent = lengths.map((length) => Uint8Array.from({ length }, (_, i) => i * 7 + length));
  const ways = [
    [client.socket, node.received],
    [node.sockets[0], client.received],
  ] as const;
  for (const [socket, received] of ways) {
    for (const bytes of sent) {
      socket?.send(bytes);
      socket?.probe();
    }
    await until(() => received.length >= sent.length);
    expect(received.map(textOf)).toEqual(sent.map(textOf));
  }
  expect(ways.map(([socket]) => socket?.probe())).toEqual([true, true]);
  expect(node.ends).toEqual([]);
});

test("a frame leaves in one piece, masked with zeros by the dialler alone", async () => {
  const chunks: Buffer[] = [];
  const node = await open();
  const proxy = createServer((near) => {
    const [host = "", port = ""] = node.address.split(":");
    const far = connectTcp(Number(port), host);
    near.on("data", (chunk) => chunks.push(chunk));
    far.on("data", (chunk) => chunks.push(chunk));
    near.pipe(far).pipe(near);
    for (const end of [near, far]) end.on("error", () => end.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  closers.push(() => proxy.close());
  const client = reach(`127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  await client.opened;
  chunks.length = 0;
  client.socket.send(Uint8Array.of(1, 2, 3));
  await until(() => node.received.length === 1);
  node.sockets[0]?.send(Uint8Array.of(4));
  await until(() => client.received.length === 1);
  expect(chunks.map((chunk) => chunk.toString("hex"))).toEqual(["828300000000010203", "820104"]);
});

test("whoever asks in plain HTTP is told what this is", async () => {
  const node = await open();
  const answer = await fetch(`http://${node.address}/`);
  expect([answer.status, await answer.text()]).toEqual([
    200,
    expect.stringContaining("Everwrite cluster"),
  ]);
  expect((await fetch(`http://${node.address}/`, { method: "POST", body: "x" })).status).toBe(405);
  await stillServes(node);
});

test("web pages are refused, whatever they ask for", async () => {
  const node = await open();
  const origin = { origin: "http://example.com" };
  expect((await fetch(`http://${node.address}/`, { headers: origin })).status).toBe(403);
  const refused = await reach(node.address, origin).closed;
  expect(refused.code).toBe("ORIGIN_REFUSED");
  await stillServes(node);
});

test("another version of the protocol is refused by name", async () => {
  const node = await open();
  expect(await stranger(node.address, "everwrite.client.9", () => undefined)).toBe(400);
  await stillServes(node);
});

test("a refusal reaches the dialler in the node's own words", async () => {
  const node = await open(() => ({
    kind: "refused",
    status: 403,
    code: "CLUSTER_MISMATCH",
    message: "this is another cluster",
  }));
  const { why, code } = await reach(node.address).closed;
  expect([code, why]).toEqual(["CLUSTER_MISMATCH", `${node.address}: this is another cluster`]);
});

test("text is answered with 1003, a frame too long with 1009, many pieces with 1008", async () => {
  const node = await open();
  const say = (act: (socket: WebSocket) => void) =>
    stranger(node.address, "everwrite.client.1", act);
  expect(await say((socket) => socket.send("hello"))).toBe(1003);
  const exact = new Uint8Array(requestFrameBytesMax);
  expect(
    await say((socket) => {
      socket.send(exact);
      socket.send(new Uint8Array(requestFrameBytesMax + 1));
    }),
  ).toBe(1009);
  expect(node.received.map(({ length }) => length)).toEqual([requestFrameBytesMax]);
  expect(
    await say((socket) => {
      for (let i = 0; i < 10; i++) socket.send(Uint8Array.of(i), { fin: false });
    }),
  ).toBe(1008);
  expect(node.received).toHaveLength(1);
  await stillServes(node);
});

test("half a handshake, garbage and a header without end cost nobody else anything", async () => {
  const node = await open();
  const { port } = node.listener.address;
  const ended: Promise<unknown>[] = [];
  for (const bytes of [
    "GET / HTTP/1.1\r\n",
    "\0\xff\x01garbage\r\n\r\n",
    `GET /${"a".repeat(9000)}`,
  ]) {
    const socket = connectTcp(port, "127.0.0.1");
    closers.push(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.write(Buffer.from(bytes, "latin1"));
    ended.push(new Promise((resolve) => socket.once("close", resolve)));
    socket.resume();
  }
  await stillServes(node);
  // The last two are closed at once, the first when its time is over.
  await Promise.all(ended.slice(1));
});

test("nobody there, and no node there, are two different reasons", async () => {
  const node = await open();
  await node.listener.close();
  expect((await reach(node.address).closed).why).toContain("ECONNREFUSED");
  const { createServer } = await import("node:http");
  const other = createServer((_request, response) => response.end("hello"));
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  closers.push(() => other.close());
  const { port } = other.address() as { port: number };
  expect((await reach(`127.0.0.1:${port}`).closed).why).toContain("no node of ours");
});

test("a port in use is named", async () => {
  const node = await open();
  const again = listen({ ...node.listener.address, admit: () => expect.unreachable() });
  await expect(again).rejects.toMatchObject({
    code: "ADDRESS_UNAVAILABLE",
    message: expect.stringContaining(node.address),
  });
});

test("closing the listener ends its connections and frees the port", async () => {
  const node = await open();
  const client = reach(node.address);
  await client.opened;
  await node.listener.close();
  await client.closed;
  expect(node.ends).toHaveLength(1);
  const again = await listen({ ...node.listener.address, admit: () => expect.unreachable() });
  await again.close();
});

test("a probe tells whether the other side said anything", async () => {
  const node = await open();
  const client = reach(node.address);
  await client.opened;
  await until(() => node.sockets.length === 1);
  const [socket] = node.sockets;
  expect(socket?.probe()).toBe(true);
  await until(() => socket?.probe() === true);
});
