/** The client over TLS, and in front of doors that do not open, on real sockets. */

import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import type { Client, ConnectOptions } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { ringOf, until } from "../runtime/wires.ts";
import {
  authority,
  longAgo,
  nodePair,
  openTlsDoor,
  stranger,
  type TlsDoor,
} from "../support/tls-door.ts";
import { FakeNode, text } from "./fake-node.ts";

const closers: (() => unknown)[] = [];
const ca = authority.certificate;

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function openNode(): Promise<FakeNode> {
  const node = await FakeNode.open();
  closers.push(() => node.close());
  return node;
}

async function openDoor(...args: Parameters<typeof openTlsDoor>): Promise<TlsDoor> {
  const door = await openTlsDoor(...args);
  closers.push(() => door.close());
  return door;
}

async function open(to: string | readonly string[], options: ConnectOptions): Promise<Client> {
  const client = await connect(to, options);
  closers.push(() => client.close());
  return client;
}

/** How an attempt to connect ends. */
async function refused(to: string, options: ConnectOptions) {
  const error = await connect(to, { timeoutMs: 3000, ...options }).then(
    async (client) => {
      await client.close();
      return new Error("was let in");
    },
    (error: unknown) => error,
  );
  return error as Error & { readonly code: string };
}

describe("over TLS", () => {
  test("every member that the ring names is dialled, and dialled again, by TLS", async () => {
    const nodes = [await openNode(), await openNode()];
    const doors = [
      await openDoor(nodes[0]?.address ?? ""),
      await openDoor(nodes[1]?.address ?? ""),
    ];
    const ring = ringOf(doors.map(({ address }) => address));
    for (const node of nodes) node.ring = ring;
    const client = await open(doors[0]?.address ?? "", { tls: { ca } });
    await until(() => nodes.every(({ connections }) => connections === 1));
    expect(text((await client.get("key")).value)).toBe("value");
    for (const door of doors) door.cut();
    await until(() => doors.every(({ tried }) => tried >= 2));
    await until(() => nodes.every(({ connections }) => connections === 1));
    expect(text((await client.get("key")).value)).toBe("value");
  });

  test("a node may be dialled by another name than its certificate's, if told so", async () => {
    const node = await openNode();
    const door = await openDoor(node.address, nodePair(["db.example.com"]));
    node.ring = ringOf([door.address]);
    const client = await open(door.address, { tls: { ca, servername: "db.example.com" } });
    expect(text((await client.get("key")).value)).toBe("value");
    const { code, message } = await refused(door.address, { tls: { ca } });
    expect([code, message]).toEqual([
      "TLS_FAILED",
      expect.stringMatching(/for other hosts \(.*DNS:db\.example\.com\); dial one of them/),
    ]);
  });

  test("a node is not believed that nobody vouches for, no more, or by an old TLS", async () => {
    const node = await openNode();
    const cases: readonly (readonly [Parameters<typeof nodePair>[1], object, RegExp])[] = [
      [{ from: stranger }, {}, /no authority that is believed here .* name the right one as ca/],
      [{ validity: longAgo }, {}, /its certificate has ended/],
      [{}, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }, /it speaks no TLS 1\.3/],
    ];
    for (const [more, settings, words] of cases) {
      const door = await openDoor(node.address, nodePair(undefined, more), settings);
      const error = await refused(door.address, { tls: { ca } });
      expect([error.code, error.message]).toEqual(["TLS_FAILED", expect.stringMatching(words)]);
      expect(error.message).toContain(door.address);
    }
    const door = await openDoor(node.address);
    expect(await refused(door.address, { tls: true })).toMatchObject({ code: "TLS_FAILED" });
    expect(node.connections).toBe(0);
  });

  test("two authorities in one text are both believed: one can follow the other", async () => {
    const node = await openNode();
    for (const from of [authority, stranger]) {
      const door = await openDoor(node.address, nodePair(undefined, { from }));
      node.ring = ringOf([door.address]);
      const client = await open(door.address, { tls: { ca: `${ca}${stranger.certificate}` } });
      expect(text((await client.get("key")).value)).toBe("value");
    }
  });

  test("a node that shows nobody the door without a certificate says so", async () => {
    const node = await openNode();
    const settings = { requestCert: true, rejectUnauthorized: true, ca };
    const door = await openDoor(node.address, nodePair(), settings);
    node.ring = ringOf([door.address]);
    const { code, message } = await refused(door.address, { tls: { ca } });
    expect([code, message]).toEqual([
      "TLS_FAILED",
      expect.stringMatching(/does not take the cert/),
    ]);
    const own = nodePair();
    const client = await open(door.address, {
      tls: { ca: Buffer.from(ca), cert: own.certificate, key: Buffer.from(own.key) },
    });
    expect(text((await client.get("key")).value)).toBe("value");
  });
});

describe("where one side speaks TLS and the other does not", () => {
  test("both learn what to do", async () => {
    const node = await openNode();
    const door = await openDoor(node.address);
    const toPlain = await refused(node.address, { tls: { ca } });
    expect([toPlain.code, toPlain.message]).toEqual([
      ...["TLS_FAILED", expect.stringContaining("it speaks no TLS; connect without")],
    ]);
    const toTls = await refused(door.address, {});
    expect([toTls.code, toTls.message]).toEqual([
      ...["NO_ENDPOINT", expect.stringContaining("if it speaks TLS only, connect with tls")],
    ]);
  });

  test("a port that says nothing at all is given up at the deadline", async () => {
    const silent = createServer((socket) => socket.on("error", () => {}));
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    closers.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const error = await refused(`127.0.0.1:${port}`, { tls: { ca }, timeoutMs: 200 });
    expect(error).toMatchObject({ code: "NO_ENDPOINT" });
  });
});

describe("a client that is not let in", () => {
  test("is told the node's own reason, also beside a node that is not there", async () => {
    const node = await openNode();
    node.refusal = { status: 401, code: "AUTH_FAILED", message: "this token is not known" };
    const { code, message } = await refused(`127.0.0.1:1,${node.address}`, { token: "secret" });
    expect([code, message]).toEqual([
      "AUTH_FAILED",
      expect.stringMatching(/^not let in: .*127\.0\.0\.1:1, .*this token is not known/),
    ]);
    expect(message).not.toContain("secret");
  });

  test("any more has its calls fail at once, and goes on once it is let in again", async () => {
    const node = await openNode();
    const client = await open(node.address, {});
    node.refusal = { status: 401, code: "AUTH_FAILED", message: "revoked" };
    node.answer = () => "silence";
    const waiting = client.put("key", "value", { timeoutMs: 30_000 });
    await until(() => node.asked.length === 1);
    node.cut();
    const began = performance.now();
    // It was sent, so nobody knows; the reason is told nevertheless.
    await expect(waiting).rejects.toMatchObject({
      ...{ code: "CONNECTION_LOST", applied: "maybe" },
      message: expect.stringContaining("revoked"),
    });
    await expect(client.get("key", { timeoutMs: 30_000 })).rejects.toMatchObject({
      ...{ code: "AUTH_FAILED", applied: "no" },
    });
    expect(performance.now() - began).toBeLessThan(10_000);
    node.refusal = undefined;
    node.answer = () => ({ kind: "answer", json: "1" });
    await until(() => node.connections === 1);
    expect(await client.admin("status")).toBe(1);
  });
});

test("what is said of TLS is checked before anything is dialled", async () => {
  const { certificate: cert, key } = nodePair();
  const other = nodePair().key;
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [{ ca: "" }, /tls\.ca holds no certificate/],
    [{ ca: key }, /tls\.ca holds no certificate/],
    [{ cert }, /tls\.key is given without|tls\.cert is given without/],
    [{ key }, /given without the other half/],
    [{ cert, key: cert }, /tls\.key holds no private key/],
    [{ cert, key: other }, /does not hold what TLS can use/],
    [{ ca: cert.replace("MII", "AAA") }, /does not hold what TLS can use/],
    [{ servername: "a b" }, /tls\.servername/],
    [{ rejectUnauthorized: false }, /tls has no "rejectUnauthorized"/],
  ];
  for (const [tls, words] of wrong) {
    const attempt = connect("127.0.0.1:1", { tls } as ConnectOptions);
    await expect(attempt).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringMatching(words),
    });
  }
  for (const tls of [false, null, "yes", { ca: 1 }]) {
    await expect(connect("127.0.0.1:1", { tls } as never)).rejects.toThrow(TypeError);
  }
});
