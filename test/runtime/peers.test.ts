/** Connections between nodes: who is let in, what is dropped, and how they come back. */
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Message } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { FrameWriter } from "../../src/core/wire/codec.ts";
import { encodeHello } from "../../src/runtime/handshake.ts";
import { KeepAlive } from "../../src/runtime/keep-alive.ts";
import { type Log, silentLog } from "../../src/runtime/log.ts";
import { Turn } from "../../src/runtime/outbox.ts";
import { type PeerSecrets, ProofJudge, parseSecrets, prove } from "../../src/runtime/peer-proof.ts";
import { type PeerGate, Peers } from "../../src/runtime/peers.ts";
import { clusterId, openGate, openPort, ringOf, until } from "./wires.ts";

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

type Port = Awaited<ReturnType<typeof openPort>>;

interface World {
  readonly ports: readonly Port[];
  readonly ring: RingState;
  readonly logged: { readonly event: string; readonly fields: Record<string, unknown> }[];
}

async function portsFor(count: number): Promise<World> {
  const ports: Port[] = [];
  for (let i = 0; i < count; i++) {
    const port = await openPort();
    closers.push(() => port.listener.close());
    ports.push(port);
  }
  return { ports, ring: ringOf(ports.map(({ address }) => address)), logged: [] };
}

function leftBy(ring: RingState, node: number): RingState {
  const members = ring.members.map((member) =>
    member.id === node ? { ...member, state: "left" as const } : member,
  );
  return { ...ring, members };
}

interface Started {
  readonly peers: Peers;
  readonly received: { readonly from: number; readonly message: Message }[];
  readonly links: string[];
  /** Members that refused this node as one that they do not know. */
  readonly doubts: number[];
}

function start(
  { ports, ring, logged }: World,
  self: number,
  more: {
    readonly started?: number;
    readonly now?: () => number;
    readonly gate?: PeerGate;
  } = {},
): Started {
  const received: { from: number; message: Message }[] = [];
  const links: string[] = [];
  const doubts: number[] = [];
  const note = (event: string, fields?: object) =>
    void logged.push({ event, fields: { ...fields } });
  const log: Log = { ...silentLog, warn: note, error: note };
  const keepAlive = new KeepAlive();
  const peers = new Peers({
    self,
    started: more.started ?? 1000 + self,
    ring,
    turn: new Turn(),
    keepAlive,
    log,
    gate: more.gate ?? openGate,
    now: more.now ?? Date.now,
    deliver: (from, message) => received.push({ from, message }),
    linkChanged: (peer, up) => links.push(`${peer} ${up ? "up" : "down"}`),
    contextKeys: () => undefined,
    doubted: (by) => doubts.push(by),
  });
  const port = ports[self - 1];
  if (port !== undefined) port.admit = (incoming) => peers.admit(incoming);
  closers.push(() => {
    peers.close();
    keepAlive.stop();
  });
  return { peers, received, links, doubts };
}

/** A connection of a stranger who knows the protocol: the HTTP status, or 101 once open. */
function knock(
  address: string,
  hello: Partial<Parameters<typeof encodeHello>[0]> = {},
): Promise<{ readonly status: number; readonly body: string; readonly socket: WebSocket }> {
  const whole = {
    ...{ clusterId, node: 2, to: 1, started: 5, epoch: 1, lane: "data" as const },
    clock: Date.now(),
    ...hello,
  };
  const socket = new WebSocket(`ws://${address}/`, "everwrite.peer.1", {
    headers: encodeHello(whole),
  });
  closers.push(() => socket.terminate());
  return new Promise((resolve) => {
    socket.on("error", () => undefined);
    socket.on("open", () => resolve({ status: 101, body: "", socket }));
    socket.on("unexpected-response", (_request, response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body, socket }));
    });
  });
}

const ping = (sequence: number): Message => ({ kind: "ping", sequence });
const survey = (request: number): Message => ({ kind: "survey", request, question: "?" });
const page = (request: number): Message => ({ kind: "hints-reply", request, stored: true });

test("messages of all lanes arrive, with who sent them, once the link is up", async () => {
  const world = await portsFor(2);
  const [first, second] = [start(world, 1), start(world, 2)];
  await until(() => first.links.length === 1 && second.links.length === 1);
  expect([first.links, second.links]).toEqual([["2 up"], ["1 up"]]);
  for (const message of [ping(1), survey(2), page(3)]) first.peers.send(2, message);
  second.peers.send(1, ping(4));
  await until(() => second.received.length === 3 && first.received.length === 1);
  expect(second.received.map(({ from, message }) => `${from} ${message.kind}`).sort()).toEqual([
    ...["1 hints-reply", "1 ping", "1 survey"],
  ]);
  expect(first.received).toEqual([{ from: 2, message: ping(4) }]);
});

test("order is kept within a lane, across many frames", async () => {
  const world = await portsFor(2);
  const [first, second] = [start(world, 1), start(world, 2)];
  await until(() => first.links.includes("2 up"));
  for (let i = 0; i < 50_000; i++) first.peers.send(2, survey(i));
  await until(() => second.received.length === 50_000);
  expect(
    second.received.every(({ message }, i) => "request" in message && message.request === i),
  ).toBe(true);
});

test("a peer that stops is known at once, and its return soon", async () => {
  const world = await portsFor(2);
  const first = start(world, 1);
  const second = start(world, 2);
  await until(() => first.links.includes("2 up") && second.links.includes("1 up"));
  second.peers.close();
  await world.ports[1]?.listener.close();
  await until(() => first.links.at(-1) === "2 down");
  first.peers.send(2, ping(1));
  expect(first.peers.dropped).toBe(1);
  const again = await openPort(world.ports[1]?.listener.address.port);
  closers.push(() => again.listener.close());
  const revived = start({ ...world, ports: [world.ports[0] as Port, again] }, 2, { started: 9000 });
  await until(() => first.links.at(-1) === "2 up" && revived.links.at(-1) === "1 up");
  first.peers.send(2, ping(2));
  await until(() => revived.received.length === 1);
});

test("a new member is dialled, one that left is not; a bad address hurts nobody", async () => {
  const world = await portsFor(3);
  const addresses = world.ports.map(({ address }) => address);
  const small = { ...world, ring: ringOf(addresses.slice(0, 2)) };
  const [first, second] = [start(small, 1), start(small, 2)];
  await until(() => first.links.includes("2 up"));
  const bad = ["not an address", "a<b:7400", "[fe80::1%eth0]:7400"];
  const ring = ringOf([...addresses, ...bad], { epoch: 2 });
  for (const { peers } of [first, second]) peers.setRing(ring);
  const third = start({ ...world, ring }, 3);
  await until(() => first.links.includes("3 up") && third.links.length === 2);
  first.peers.setRing({ ...leftBy(ring, 3), epoch: 3 });
  expect(first.links.at(-1)).toBe("3 down");
  first.peers.send(3, ping(1));
  first.peers.send(4, ping(1));
  first.peers.send(2, ping(2));
  await until(() => second.received.length === 1);
  expect(third.received).toEqual([]);
});

test("one that left without a word of it is refused, and so comes to ask", async () => {
  const world = await portsFor(2);
  const [first, second] = [start(world, 1), start(world, 2)];
  await until(() => first.links.includes("2 up") && second.links.includes("1 up"));
  // As if the message that says so had been lost: only the first knows of it.
  first.peers.setRing({ ...leftBy(world.ring, 2), epoch: 2 });
  await until(() => second.doubts.includes(1));
  expect(second.links.at(-1)).toBe("1 down");
});

test("nothing is sent to whoever answers at a member's address without its proof", async () => {
  const world = await portsFor(2);
  const impostor = start(world, 2);
  const prove = () => ({ headers: {}, isAnswered: () => false });
  const wary = start(world, 1, { gate: { ...openGate, prove } });
  const refused = () => world.logged.some(({ fields }) => fields["code"] === "PEER_AUTH_FAILED");
  await until(refused);
  wary.peers.send(2, { kind: "ring-ask" });
  expect(wary.peers.dropped).toBe(1);
  expect(impostor.received).toEqual([]);
  expect(wary.links).not.toContain("2 up");
});

test("connections end whose proof does not hold any more, and no others", async () => {
  const world = await portsFor(2);
  const proofs = { hold: true };
  const first = start(world, 1, { gate: { ...openGate, holds: () => proofs.hold } });
  const second = start(world, 2);
  await until(() => second.links.includes("1 up"));
  first.peers.judgeAgain();
  // Nothing comes through a connection that was ended before.
  second.peers.send(1, ping(1));
  await until(() => first.received.length === 1);
  expect(second.links).toEqual(["1 up"]);
  proofs.hold = false;
  first.peers.judgeAgain();
  await until(() => second.links.includes("1 down"));
});

test("a member whose clock is off proves itself by the time that it is told", async () => {
  const world = await portsFor(2);
  const secret = "a secret of the cluster";
  const gateAt = (ahead: number): PeerGate => {
    const secrets = parseSecrets(secret) as PeerSecrets;
    const judge = new ProofJudge(Date.now() + ahead - 60_000);
    return {
      ...openGate,
      prove: (claims, more) => prove(claims, secrets, Date.now() + ahead + more),
      judgePeer: ({ headers }, claims) => {
        const now = Date.now() + ahead;
        const verdict = judge.judge(headers, { claims, secrets, now });
        if (verdict.kind === "proved") return { ...verdict, grounds: verdict.secret };
        const refusal = { status: 403, code: "PEER_AUTH_FAILED", message: verdict.why } as const;
        return { kind: "refused", ...refusal, clock: now };
      },
    };
  };
  const right = start(world, 1, { gate: gateAt(0) });
  const ahead = 3_600_000;
  const wrong = start(world, 2, { gate: gateAt(ahead), now: () => Date.now() + ahead });
  await until(() => right.links.includes("2 up") && wrong.links.includes("1 up"));
});

describe("these are refused, before any frame is read", () => {
  test.each([
    ["another cluster", { clusterId: clusterId.replace("0", "f") }, 403, "CLUSTER_MISMATCH"],
    ["a node that is no member", { node: 9 }, 403, "NODE_UNKNOWN"],
    ["one that takes this node for another", { to: 7 }, 421, "NODE_UNKNOWN"],
    ["one that claims this node's number", { node: 1 }, 409, "NODE_ID_IN_USE"],
    ["headers that are not whole", { started: Number.NaN }, 400, "FRAME_INVALID"],
  ])("%s", async (_name, hello, status, code) => {
    const world = await portsFor(2);
    start(world, 1);
    const address = world.ports[0]?.address ?? "";
    const refused = await knock(address, hello);
    expect([refused.status, JSON.parse(refused.body).code]).toEqual([status, code]);
    expect(world.logged.at(-1)?.event).toBe("peer.refused");
    expect((await knock(address)).status).toBe(101);
  });

  test("a node that has left, although it was a member", async () => {
    const world = await portsFor(2);
    start({ ...world, ring: leftBy(world.ring, 2) }, 1);
    expect((await knock(world.ports[0]?.address ?? "", { epoch: 9 })).status).toBe(403);
  });
});

test("the certificate of one node does not open the door for the number of another", async () => {
  const world = await portsFor(2);
  const shown: { name: string | undefined } = { name: "two" };
  const judgePeer = () =>
    ({ kind: "proved", headers: {}, grounds: undefined, name: shown.name }) as const;
  start(world, 1, { gate: { ...openGate, judgePeer } });
  const address = world.ports[0]?.address ?? "";
  expect((await knock(address)).status).toBe(101);
  for (const name of ["three", undefined]) {
    shown.name = name;
    const refused = await knock(address);
    expect([refused.status, JSON.parse(refused.body).code]).toEqual([403, "PEER_AUTH_FAILED"]);
  }
  // Several nodes may share one.
  shown.name = "two";
  expect((await knock(address)).status).toBe(101);
  expect((await knock(address, { node: 9, epoch: 2 })).status).toBe(101);
});

test("a node of a later epoch is believed to be a member of it", async () => {
  const world = await portsFor(1);
  start(world, 1);
  expect((await knock(world.ports[0]?.address ?? "", { node: 9, epoch: 2 })).status).toBe(101);
});

test("a second process with the number of a live node is refused while it lives", async () => {
  const world = await portsFor(2);
  const [first, second] = [start(world, 1), start(world, 2)];
  await until(() => second.links.includes("1 up"));
  const address = world.ports[0]?.address ?? "";
  const copy = await knock(address, { started: 77 });
  expect([copy.status, JSON.parse(copy.body).code]).toEqual([409, "NODE_ID_IN_USE"]);
  second.peers.send(1, ping(3));
  await until(() => first.received.length === 1);
});

test("what is left of a frozen process gives way to its successor", async () => {
  const world = await portsFor(2);
  start(world, 1);
  const address = world.ports[0]?.address ?? "";
  const { socket } = await knock(address, { started: 5 });
  socket.pause();
  expect((await knock(address, { started: 77 })).status).toBe(409);
  const deadline = performance.now() + 10_000;
  let status = 409;
  while (status === 409 && performance.now() < deadline) {
    status = (await knock(address, { started: 77 })).status;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(status).toBe(101);
});

test("a member whose clock is wrong is served, and reported", async () => {
  const world = await portsFor(2);
  const first = start(world, 1);
  start(world, 2, { now: () => Date.now() + 300_000 });
  await until(() => first.links.includes("2 up"));
  const skews = world.logged.filter(({ event }) => event === "peer.clock-skew");
  expect(Math.abs(Number(skews[0]?.fields["skewMs"]))).toBeGreaterThan(290_000);
});

describe("a peer that sends nonsense loses that connection, and nothing else", () => {
  const framed = (message: Message): Uint8Array => {
    const frame = new FrameWriter(() => ({ clusterTag: 0x01234567, epoch: 1 }));
    frame.add(message);
    return frame.take()[0] as Uint8Array;
  };
  const unmarked = new FrameWriter();
  unmarked.add(ping(1));
  test.each([
    ["bytes that are no frame", Uint8Array.of(9, 9, 9)],
    ["nothing", new Uint8Array(0)],
    ["a frame cut short", framed(ping(1)).subarray(0, -1)],
    ["a message of clients", framed({ kind: "go-away" })],
    ["a frame of another cluster", unmarked.take()[0] as Uint8Array],
  ])("%s", async (_name, bytes) => {
    const world = await portsFor(2);
    const first = start(world, 1);
    const address = world.ports[0]?.address ?? "";
    const { socket } = await knock(address);
    const code = new Promise<number>((resolve) => socket.once("close", resolve));
    socket.send(bytes);
    // Nothing that comes after it can be trusted.
    socket.send(framed(ping(1)));
    expect(await code).toBe(1002);
    expect(first.received).toEqual([]);
    const healthy = await knock(address);
    healthy.socket.send(framed(ping(5)));
    await until(() => first.received.length === 1);
  });
});

test("a peer that does not read costs bounded memory, and probes still pass", async () => {
  const world = await portsFor(2);
  const first = start(world, 1);
  const sockets: { readonly lane: string; pause(): void }[] = [];
  const second = start(world, 2);
  const port = world.ports[1] as Port;
  const { admit } = port;
  port.admit = (incoming) => {
    const admission = admit(incoming);
    if (admission.kind === "refused") return admission;
    return {
      ...admission,
      attach: (socket) => {
        const lane = String(incoming.headers["everwrite-lane"]);
        sockets.push({ lane, pause: () => socket.pause() });
        return admission.attach(socket);
      },
    };
  };
  await until(() => first.links.includes("2 up") && sockets.length === 3);
  for (const socket of sockets) if (socket.lane === "data") socket.pause();
  const value = new Uint8Array(1 << 20);
  const key = { bucket: "", bytes: Uint8Array.of(1), high: 0, low: 0 };
  const command = {
    ...{ kind: "put" as const, key, context: undefined, value, ttlMs: 0, w: 1, strict: false },
    ...{ operation: { at: 1, nonce: 1, retried: false }, deadlineMs: 100, trace: false },
  };
  for (let request = 0; request < 128; request++)
    first.peers.send(2, { kind: "forward", request, started: 1, command });
  // 32 MiB may wait, and what the system's own buffers took besides.
  expect(first.peers.dropped).toBeGreaterThan(80);
  expect(first.peers.dropped).toBeLessThan(100);
  first.peers.send(2, ping(1));
  await until(() => second.received.some(({ message }) => message.kind === "ping"));
});
