/**
 * Whoever should not come in, at the port of a whole node that is closed: each is refused with the
 * right code, before any of its frames is read, and what the node holds stays as it was.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuthority, issue, validFor } from "../../bin/certificates/authority.ts";
import type { Pair } from "../../bin/certificates/certificate.ts";
import type { Client } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Message } from "../../src/core/message.ts";
import { FrameWriter } from "../../src/core/wire/codec.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import { encodeHello, type Hello, newcomersHello } from "../../src/runtime/handshake.ts";
import { parseSecrets, prove } from "../../src/runtime/peer-proof.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import type { DialTls, Headers } from "../../src/runtime/sockets.ts";
import { ClosedTown } from "../support/closed-town.ts";
import { frameOf, type KnockOptions, knock, newAddress } from "../support/knock.ts";

const peer = "everwrite.peer.1";
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

const town = new ClosedTown();
let node: RunningNode;
let admin: Client;
let tls: DialTls;

beforeAll(async () => {
  node = await town.start("n1", { n: 1 });
  admin = await town.connect(node, "root");
  tls = { ca: town.authority.certificate };
  await admin.put("canary", "alive");
});

afterAll(() => town.close());

/** The headers of a node that says it is number 9. */
function hello(more: Partial<Hello> = {}): Headers {
  return encodeHello({
    ...{ clusterId: node.clusterId, node: 9, to: node.id, started: Date.now() },
    ...{ epoch: 99, lane: "data", clock: Date.now() },
    ...more,
  });
}

function framesOf(...messages: readonly Message[]): Uint8Array {
  const writer = new FrameWriter();
  for (const message of messages) writer.add(message);
  return Buffer.concat(writer.take().map((frame) => frameOf(frame)));
}

const attack = keyOf("", bytes("attack"));

/** A put as a client would send it, right behind the headers of its upgrade. */
const putting: Uint8Array = framesOf({
  kind: "request",
  request: 1,
  token: undefined,
  command: {
    ...{ kind: "put", key: attack, value: bytes("applied"), w: undefined, strict: false },
    ...{ ttlMs: undefined, trace: false, deadlineMs: 1000 },
    operation: { at: Date.now(), nonce: 1, retried: false },
    context: { vector: [], dots: [], operations: [] },
  },
} as unknown as Message);

async function knocked(options: KnockOptions): Promise<readonly [number, string | undefined]> {
  const { status, code, socket } = await knock(node.address, {
    ...{ tls, behind: putting, from: newAddress() },
    ...options,
  });
  socket.destroy();
  return [status, code];
}

const bearer = (token: string): Headers => ({ authorization: `Bearer ${token}` });

/** Nobody wrote, nobody became a member, and who may come in is served. */
async function nothingHappened(): Promise<void> {
  expect((await admin.get("attack", { r: 1 })).values).toEqual([]);
  expect(Buffer.from((await admin.get("canary")).value ?? []).toString()).toBe("alive");
  const { nodes, epoch } = (await admin.admin("status")) as { nodes: unknown[]; epoch: number };
  expect([nodes.length, epoch]).toEqual([1, 1]);
}

test("the attack works for who may write, so that what follows means something", async () => {
  const { status, socket } = await knock(node.address, {
    ...{ tls, behind: putting, headers: bearer(town.token("writer")) },
  });
  expect(status).toBe(101);
  await expect.poll(async () => (await admin.get("attack")).values.length).toBe(1);
  socket.destroy();
  await admin.delete("attack");
  await nothingHappened();
});

describe("a client is refused", () => {
  test("without a token, with a wrong one, with one that has ended", async () => {
    expect(await knocked({})).toEqual([401, "AUTH_REQUIRED"]);
    const wrong = [
      bearer("x".repeat(43)),
      bearer(town.token("late")),
      bearer(town.token("root").slice(0, -1)),
      bearer(`${town.token("root")}A`),
      bearer(town.secret),
      { authorization: town.token("root") },
      { authorization: `Basic ${Buffer.from(`root:${town.token("root")}`).toString("base64")}` },
      { authorization: "Bearer" },
      { authorization: `Bearer ${"x".repeat(4000)}` },
      { authorization: `Bearer ${town.token("root")}, Bearer x` },
    ];
    for (const headers of wrong) {
      const [status, code] = await knocked({ headers });
      expect([[403, 429].includes(status), code]).toEqual([true, "AUTH_FAILED"]);
    }
    await nothingHappened();
  });

  test("with its token anywhere but in the header for it", async () => {
    const token = town.token("root");
    const places = [{ cookie: `token=${token}` }, { "x-api-key": token }, { token }];
    for (const headers of places) {
      expect((await knocked({ headers: headers as unknown as Headers }))[1]).toBe("AUTH_REQUIRED");
    }
    await nothingHappened();
  });

  test("from a web page, whatever it holds", async () => {
    const headers = { ...bearer(town.token("root")), origin: "https://example.com" };
    expect(await knocked({ headers })).toEqual([403, "ORIGIN_REFUSED"]);
    expect(await knocked({ headers: { ...headers, origin: "null" } })).toEqual([
      ...[403, "ORIGIN_REFUSED"],
    ]);
    await nothingHappened();
  });

  test("with a certificate that is foreign, ended, a node's, or nobody's", async () => {
    const month = 30 * 86_400_000;
    const past = { from: new Date(Date.now() - 2 * month), until: new Date(Date.now() - month) };
    const holder = { kind: "client", name: "ada", role: "admin" } as const;
    const { authority } = town;
    const wrong: readonly Pair[] = [
      issue(createAuthority(validFor(9)), holder, validFor(9)),
      issue(authority, holder, past),
      issue(authority, { kind: "node", name: "n", hosts: ["127.0.0.1"] }, validFor(9)),
      authority,
    ];
    for (const { certificate: cert, key } of wrong) {
      const [status, code] = await knocked({ tls: { ...tls, cert, key } });
      expect([[403, 429].includes(status), code]).toEqual([true, "AUTH_FAILED"]);
      // Nor does a good token make a bad certificate good.
      const headers = bearer(town.token("root"));
      expect((await knocked({ tls: { ...tls, cert, key }, headers }))[1]).toBe("AUTH_FAILED");
    }
    await nothingHappened();
  });

  test("by TLS that is older than 1.3, and where it speaks none", async () => {
    const old = { ...tls, maxVersion: "TLSv1.2" } as DialTls;
    await expect(knock(node.address, { tls: old })).rejects.toThrow(/protocol version/);
    const { status } = await knock(node.address, { headers: bearer(town.token("root")) });
    expect(status).not.toBe(101);
    await nothingHappened();
  });

  test("ever later when it guesses, while who is right is let in at once", async () => {
    const began = performance.now();
    const from = newAddress();
    const guesses = Array.from({ length: 12 }, (_, i) =>
      knocked({ from, headers: bearer(`guess-${i}`.padEnd(43, "x")) }),
    );
    const answers = await Promise.all(guesses);
    expect(answers.filter(([status]) => status === 429).length).toBeGreaterThan(0);
    expect(performance.now() - began).toBeGreaterThan(90);
    const since = performance.now();
    const client = await town.connect(node, "reader");
    expect(performance.now() - since).toBeLessThan(2_000);
    await client.get("canary");
    await nothingHappened();
  });
});

describe("a node is refused", () => {
  const refusal = [expect.anything(), "PEER_AUTH_FAILED"];
  const secrets = () => parseSecrets(town.secret) as NonNullable<ReturnType<typeof parseSecrets>>;
  const others = parseSecrets("another secret, just as long as it has to be");

  test("without a proof, with another secret's, with a client's token or certificate", async () => {
    const headers = hello();
    expect(await knocked({ protocol: peer, headers })).toEqual(refusal);
    if (others === undefined) throw new Error("a secret is a secret");
    const foreign = prove(headers, others, Date.now()).headers;
    expect(await knocked({ protocol: peer, headers: { ...headers, ...foreign } })).toEqual(refusal);
    const asClient = { ...headers, ...bearer(town.token("root")) };
    expect(await knocked({ protocol: peer, headers: asClient })).toEqual(refusal);
    const { certificate: cert, key } = town.client("ada", "admin");
    const own = prove(headers, secrets(), Date.now()).headers;
    const shown = { ...tls, cert, key };
    // Not even beside a proof that holds.
    expect(await knocked({ protocol: peer, tls: shown, headers: { ...headers, ...own } })).toEqual(
      refusal,
    );
    await nothingHappened();
  });

  test("by a proof that was shown before, is old, or says something else", async () => {
    const once = { ...hello() };
    const proved = { ...once, ...prove(once, secrets(), Date.now()).headers };
    // The proof holds: it is an epoch that this node has not reached, so it is let in …
    expect((await knocked({ protocol: peer, headers: proved }))[0]).toBe(101);
    // … once.
    expect(await knocked({ protocol: peer, headers: proved })).toEqual(refusal);
    for (const late of [-11_000, 11_000, -86_400_000]) {
      const headers = hello();
      const proof = prove(headers, secrets(), Date.now() + late).headers;
      expect(await knocked({ protocol: peer, headers: { ...headers, ...proof } })).toEqual(refusal);
    }
    const changes: readonly Partial<Hello>[] = [
      ...[{ node: 8 }, { to: 2 }, { lane: "control" as const }, { epoch: 100 }, { started: 1 }],
      ...[{ clusterId: "f".repeat(32) }, { clock: 1 }],
    ];
    for (const change of changes) {
      const headers = hello();
      const proof = prove(headers, secrets(), Date.now()).headers;
      const changed = { ...headers, ...hello({ ...change }) };
      expect([
        change,
        ...(await knocked({ protocol: peer, headers: { ...changed, ...proof } })),
      ]).toEqual([change, ...refusal]);
    }
    await nothingHappened();
  });

  test("that wants to join, when it cannot prove that it may", async () => {
    const joining = framesOf({
      kind: "request",
      request: 1,
      token: undefined,
      command: {
        ...{ kind: "admin", name: "join", deadlineMs: 1000 },
        arguments: JSON.stringify({
          ...{ address: "127.0.0.1:9", dc: "dc1", rack: "r", weight: 1, attempt: "a".repeat(16) },
          clock: Date.now(),
        }),
      },
    });
    const headers = encodeHello(newcomersHello(Date.now()));
    expect(await knocked({ protocol: peer, headers, behind: joining })).toEqual(refusal);
    // An administrator among the clients may much, but is no node.
    await expect(admin.admin("join", { address: "127.0.0.1:9" })).rejects.toMatchObject({
      ...{ code: "FORBIDDEN", applied: "no" },
    });
    await nothingHappened();
  });

  test("by headers that are no node's", async () => {
    const whole = hello();
    for (const name of Object.keys(whole)) {
      for (const value of ["", "x", "-1", "1e9", "9".repeat(40), "0x1", " "]) {
        const [status] = await knocked({ protocol: peer, headers: { ...whole, [name]: value } });
        expect([name, value, status]).toEqual([name, value, expect.toSatisfy((s) => s !== 101)]);
      }
    }
    await nothingHappened();
  });
});

describe("a role", () => {
  test("that reads does not write; one that writes does not administer", async () => {
    const [reader, writer] = [
      await town.connect(node, "reader"),
      await town.connect(node, "writer"),
    ];
    const forbidden = { code: "FORBIDDEN", applied: "no" };
    await expect(reader.put("attack", "x")).rejects.toMatchObject(forbidden);
    await expect(reader.delete("canary")).rejects.toMatchObject(forbidden);
    await expect(reader.update("canary", () => "x")).rejects.toMatchObject(forbidden);
    for (const client of [reader, writer]) {
      for (const command of ["repair", "commit", "abort", "remove", "ring-force", "checkpoint"]) {
        await expect(client.admin(command), command).rejects.toMatchObject(forbidden);
      }
      await expect(client.createBucket("b")).rejects.toMatchObject(forbidden);
    }
    expect(Buffer.from((await reader.get("canary")).value ?? []).toString()).toBe("alive");
    await nothingHappened();
  });

  test("that is held to prefixes has no other key, in any verb", async () => {
    const carts = await town.connect(node, "carts");
    const forbidden = { code: "FORBIDDEN", applied: "no" };
    const shop = carts.bucket("shop");
    await carts.put("cart/1", "milk");
    await shop.put("user/1", "ada");
    for (const key of ["attack", "cart", "Cart/1", "user/1", "\0cart/1", "canary"]) {
      await expect(carts.put(key, "x"), key).rejects.toMatchObject(forbidden);
      await expect(carts.get(key), key).rejects.toMatchObject(forbidden);
      await expect(carts.delete(key), key).rejects.toMatchObject(forbidden);
    }
    await expect(shop.get("cart/1")).rejects.toMatchObject(forbidden);
    await expect(carts.bucket("other").get("cart/1")).rejects.toMatchObject(forbidden);
    await expect(carts.getMany(["cart/1", "canary"])).rejects.toMatchObject(forbidden);
    for (const prefix of ["", "c", "cart", "d", "canary"]) {
      await expect(all(carts.scan({ prefix })), prefix).rejects.toMatchObject(forbidden);
    }
    expect(await all(carts.scan({ prefix: "cart/" }))).toEqual(["cart/1"]);
    await carts.delete("cart/1");
    await shop.delete("user/1");
    await nothingHappened();
  });
});

async function all(scan: AsyncIterable<[key: Uint8Array, found: unknown]>): Promise<string[]> {
  const keys: string[] = [];
  for await (const [key] of scan) keys.push(Buffer.from(key).toString());
  return keys;
}

test("a certificate of a client is as good as a token, for its role", async () => {
  const { certificate: cert, key } = town.client("eve", "read");
  const client = await connect(node.address, { tls: { ...tls, cert, key } });
  expect(Buffer.from((await client.get("canary")).value ?? []).toString()).toBe("alive");
  await expect(client.put("attack", "x")).rejects.toMatchObject({ code: "FORBIDDEN" });
  await client.close();
  await nothingHappened();
});

describe("a cluster that nobody can join", () => {
  const other = new ClosedTown();
  afterAll(() => other.close());

  /** How the attempt of a node of another town, or with other files, ends. */
  async function joined(more: Partial<NodeConfig>): Promise<unknown> {
    const name = `n${Math.random()}`;
    return town.start(name, { join: [node.address], joinMsMax: 1_000, ...more }).then(
      () => "joined",
      (error: { code: string }) => error.code,
    );
  }

  test("with another secret, another authority, no TLS, or no proof at all", async () => {
    expect(await joined({ peerSecretFile: `${other.base}/secret` })).toBe("PEER_AUTH_FAILED");
    expect(await joined({ peerSecretFile: undefined })).toBe("PEER_AUTH_FAILED");
    expect(await joined({ tlsCa: `${other.base}/ca.crt` })).toBe("TLS_FAILED");
    // Foreign certificates, and the right authority to judge by: they are not believed there.
    const files = { tlsCert: `${other.base}/node.crt`, tlsKey: `${other.base}/node.key` };
    expect(await joined({ ...files, peerSecretFile: undefined })).toBe("PEER_AUTH_FAILED");
    const plain = { tlsCert: undefined, tlsKey: undefined, tlsCa: undefined };
    expect(await joined(plain)).toBe("SEED_UNREACHABLE");
    await nothingHappened();
  });
});
