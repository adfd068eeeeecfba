/** Whole nodes that are closed to strangers: who comes in, as whom, and that nobody else does. */
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createAuthority, validFor } from "../../bin/certificates/authority.ts";
import type { Client } from "../../src/client/api.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import { encodeHello, newcomersHello } from "../../src/runtime/handshake.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { ClosedWorld } from "./closed-world.ts";

let world: ClosedWorld;

beforeEach(() => {
  world = new ClosedWorld();
});

afterEach(() => world.close());

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes);

async function refusal(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => expect.unreachable("it was let in"),
    (error: unknown) => error,
  );
}

async function allLive(client: Client, nodes: number): Promise<void> {
  const live = async (): Promise<number> => {
    const status = (await client.admin("status")) as { nodes: { live: boolean }[] };
    return status.nodes.filter((node) => node.live).length;
  };
  await expect.poll(live, { timeout: 20_000 }).toBe(nodes);
}

describe("a cluster over TLS", () => {
  const closings: readonly (readonly [string, (world: ClosedWorld) => Partial<NodeConfig>])[] = [
    ["by a secret", (at) => ({ peerSecretFile: at.secret() })],
    ["by certificates", () => ({})],
  ];

  test.each(closings)("%s: nodes find each other, clients read and write", async (_how, close) => {
    const ada = world.token("ada", "admin");
    const { tlsCa } = world;
    const settings = { ...world.tls(), tlsCa, ...close(world), tokenFile: world.writeTokens() };
    const first = await world.start("n1", settings);
    const join = { ...settings, join: [first.address] };
    const [second, third] = [await world.start("n2", join), await world.start("n3", join)];
    const tls = { ca: world.authority.certificate };
    const client = await world.connect(second, { tls, token: ada });
    await allLive(client, 3);
    await client.put("cart", "milk");
    const other = await world.connect(third, { tls, token: ada, routing: "aware" });
    expect(text((await other.get("cart")).value)).toBe("milk");
  });
});

describe("TLS", () => {
  const settle = (options: object): Promise<TLSSocket | Error> =>
    new Promise((resolve) => {
      const socket: TLSSocket = connectTls(options, () => resolve(socket));
      socket.on("error", resolve);
      world.later(() => socket.destroy());
    });

  test("is at least 1.3, and no session is resumed", async () => {
    const node = await world.start("a", world.tls());
    const port = Number(node.address.split(":")[1]);
    const ca = world.authority.certificate;
    expect(await settle({ port, ca, maxVersion: "TLSv1.2" })).toBeInstanceOf(Error);
    const first = await settle({ port, ca });
    if (first instanceof Error) throw first;
    let session: unknown = first.getSession();
    first.on("session", (given: Buffer) => {
      session = given;
    });
    first.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await new Promise((resolve) => first.once("close", resolve).resume());
    const second = await settle({ port, ca, session });
    if (second instanceof Error) throw second;
    expect([second.getProtocol(), second.isSessionReused()]).toEqual(["TLSv1.3", false]);
  });
});

describe("a node that does not prove to be one of the cluster", () => {
  const joining = (node: RunningNode) => ({ join: [node.address], joinMsMax: 0 });

  test("has no secret, or another one", async () => {
    const first = await world.start("a", { peerSecretFile: world.secret("right") });
    for (const wrong of [{}, { peerSecretFile: world.secret("wrong") }]) {
      expect(await refusal(world.start("b", { ...joining(first), ...wrong }))).toMatchObject({
        code: "PEER_AUTH_FAILED",
      });
    }
    const client = await world.connect(first);
    expect(await client.admin("ring")).toMatchObject({ epoch: 1, members: [{ id: 1 }] });
    await world.start("b", { ...joining(first), peerSecretFile: world.path("right") });
  });

  test("is not told the keys of contexts by a node that does not prove itself either", async () => {
    const open = await world.start("a", {});
    const wary = { ...joining(open), peerSecretFile: world.secret() };
    expect(await refusal(world.start("b", wary))).toMatchObject({ code: "PEER_AUTH_FAILED" });
  });

  test("shows no certificate, a client's, a foreign or an expired one", async () => {
    const { tlsCa } = world;
    const first = await world.start("a", { ...world.tls(), tlsCa });
    const hello = encodeHello(newcomersHello(Date.now()));
    const ca = world.authority.certificate;
    const knock = (tls: object) =>
      world.knock(first, { protocol: "everwrite.peer.1", headers: hello, tls });
    const wrong = {
      none: { ca },
      clients: world.clientTls("bob", "admin"),
      foreign: world.nodeTls("eve", { authority: createAuthority(validFor(1)) }),
      expired: world.nodeTls("old", { days: 0 }),
    };
    for (const [which, tls] of Object.entries(wrong)) {
      expect({ which, ...(await knock(tls)) }).toMatchObject({
        ...{ which, status: 403, code: "PEER_AUTH_FAILED" },
      });
    }
    expect(await knock(world.nodeTls("n2"))).toMatchObject({ status: 101 });
  });

  test("a client may not ask to be let in, whatever its role", async () => {
    const token = world.token("ada", "admin");
    const node = await world.start("a", { tokenFile: world.writeTokens() });
    const client = await world.connect(node, { token });
    const asked = client.admin("join", {
      ...{ address: "127.0.0.1:9", dc: "dc1", rack: "r1", weight: 1 },
      ...{ attempt: "x", clock: Date.now() },
    });
    await expect(asked).rejects.toMatchObject({ code: "FORBIDDEN", applied: "no" });
  });

  test("a recorded proof is taken once", async () => {
    const { Gate } = await import("../../src/runtime/gate.ts");
    const { silentLog } = await import("../../src/runtime/log.ts");
    const peerSecretFile = world.secret();
    const node = await world.start("a", { peerSecretFile });
    const gate = new Gate({ peerSecretFile }, { log: silentLog, now: Date.now });
    world.later(() => gate.close());
    const hello = encodeHello(newcomersHello(Date.now()));
    const headers = { ...hello, ...gate.prove(hello, 0).headers };
    const knock = { protocol: "everwrite.peer.1", headers } as const;
    expect(await world.knock(node, knock)).toMatchObject({ status: 101 });
    expect(await world.knock(node, knock)).toMatchObject({ status: 403, code: "PEER_AUTH_FAILED" });
  });
});

describe("a client that is not let in", () => {
  test("each wrong credential has its code, before any frame", async () => {
    const { tlsCa } = world;
    world.token("ada", "admin");
    const late = world.token("late", "admin", { expires: "2020-01-01" });
    const settings = { ...world.tls(), tlsCa, tokenFile: world.writeTokens() };
    const node = await world.start("a", settings);
    const ca = world.authority.certificate;
    const other = createAuthority(validFor(1));
    const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    const cases = [
      ["nothing", { tls: { ca } }, 401, "AUTH_REQUIRED"],
      ["an unknown token", { tls: { ca }, ...bearer("x".repeat(43)) }, 403, "AUTH_FAILED"],
      ["an expired token", { tls: { ca }, ...bearer(late) }, 403, "AUTH_FAILED"],
      [
        "another scheme",
        { tls: { ca }, headers: { authorization: "Basic eDp5" } },
        403,
        "AUTH_FAILED",
      ],
      [
        "a certificate of a foreign authority",
        { tls: { ...world.clientTls("eve", "admin", { authority: other }), ca } },
        ...([403, "AUTH_FAILED"] as const),
      ],
      [
        "an expired certificate",
        { tls: world.clientTls("old", "admin", { days: 0 }) },
        ...([403, "AUTH_FAILED"] as const),
      ],
      [
        "a page in a browser",
        { tls: { ca }, headers: { origin: "https://x" } },
        403,
        "ORIGIN_REFUSED",
      ],
    ] as const;
    for (const [name, knock, status, code] of cases) {
      expect({ name, ...(await world.knock(node, knock)) }).toMatchObject({ name, status, code });
    }
    expect(await world.knock(node, {})).toMatchObject({ status: 0 });
    // A node's certificate is not a client's.
    const { readFileSync } = await import("node:fs");
    const [cert, key] = [readFileSync(settings.tlsCert), readFileSync(settings.tlsKey)];
    const knocked = await world.knock(node, { tls: { ca, cert, key } });
    expect(knocked).toMatchObject({ status: 403, code: "AUTH_FAILED" });
  });
});

test("the token file rules over what a client's certificate says of its role", async () => {
  const { tlsCa } = world;
  world.ruling({ name: "adas", certificate: "ada", role: "read", prefixes: [":a/"] });
  world.ruling({ name: "eves", certificate: "eve", role: "admin", expires: "2020-01-01" });
  const node = await world.start("a", {
    ...{ n: 1, ...world.tls(), tlsCa, tokenFile: world.writeTokens() },
  });
  const forbidden = { code: "FORBIDDEN", applied: "no" };
  const ada = await world.connect(node, { tls: world.clientTls("ada", "admin") });
  await ada.get("a/1");
  await expect(ada.get("b/1")).rejects.toMatchObject(forbidden);
  await expect(ada.put("a/1", "x")).rejects.toMatchObject(forbidden);
  // Nobody rules over this one: it is what its certificate says.
  const bob = await world.connect(node, { tls: world.clientTls("bob", "write") });
  await bob.put("b/1", "x");
  await expect(bob.admin("repair")).rejects.toMatchObject(forbidden);
  const eve = await world.knock(node, { tls: world.clientTls("eve", "admin") });
  expect(eve).toMatchObject({ status: 403, code: "AUTH_FAILED" });
});
