/** Files that close a node change while it runs: what was good before stays when they are bad. */
import { createHash } from "node:crypto";
import { rmSync, utimesSync } from "node:fs";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createAuthority, validFor } from "../../bin/certificates/authority.ts";
import { Gate } from "../../src/runtime/gate.ts";
import { encodeHello, newcomersHello } from "../../src/runtime/handshake.ts";
import { silentLog } from "../../src/runtime/log.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { ClosedWorld } from "./closed-world.ts";

let world: ClosedWorld;

beforeEach(() => {
  world = new ClosedWorld();
});

afterEach(() => world.close());

/** Every change has a time of its own, also two within one tick of the file system's clock. */
let ticks = 0;
function touch(...paths: readonly string[]): void {
  ticks += 1;
  for (const path of paths) utimesSync(path, new Date(), new Date(Date.now() + 1000 * ticks));
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

/** The fingerprint of the certificate that a new connection is shown. */
function shownBy({ address }: RunningNode): Promise<string> {
  const port = Number(address.split(":")[1]);
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connectTls({ port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("a token that is taken back ends its connections; others go on", async () => {
  const [ada, bob] = [world.token("ada", "write"), world.token("bob", "write")];
  const node = await world.start("a", { n: 1, tokenFile: world.writeTokens() });
  const [adas, bobs] = [await world.knock(node, bearer(ada)), await world.knock(node, bearer(bob))];
  const ended = new Promise<readonly [number, string]>((resolve) => {
    adas.socket.on("close", (code, reason) => resolve([code, reason.toString()]));
  });
  world.revoke("ada");
  touch(world.path("tokens.json"));
  const began = performance.now();
  expect(await ended).toEqual([1008, expect.stringContaining("AUTH_FAILED")]);
  expect(performance.now() - began).toBeLessThan(5_000);
  expect(bobs.socket.readyState).toBe(bobs.socket.OPEN);
  expect(await world.knock(node, bearer(ada))).toMatchObject({ code: "AUTH_FAILED" });
  expect(await world.knock(node, bearer(bob))).toMatchObject({ status: 101 });
});

test("a role that is changed is changed for those who are connected", async () => {
  const token = world.token("ada", "write");
  const node = await world.start("a", { n: 1, tokenFile: world.writeTokens() });
  const client = await world.connect(node, { token });
  const { context } = await client.put("key", "1");
  world.revoke("ada");
  const sha256 = createHash("sha256").update(token).digest("hex");
  world.ruling({ name: "ada", sha256, role: "read" });
  node.reload();
  const put = client.put("key", "2", { context });
  await expect(put).rejects.toMatchObject({ code: "FORBIDDEN", applied: "no" });
  expect((await client.get("key")).values).toHaveLength(1);
});

test("a bad token file changes nothing, until it is good again", async () => {
  const token = world.token("ada", "write");
  const node = await world.start("a", { n: 1, tokenFile: world.writeTokens() });
  const bad = ["{", '{"tokens": [{"name": "x"}]}', '{"tokens": [], "tokens": []}'];
  for (const content of bad) {
    world.write("tokens.json", content);
    touch(world.path("tokens.json"));
    node.reload();
    expect(await world.knock(node, bearer(token))).toMatchObject({ status: 101 });
  }
  rmSync(world.path("tokens.json"));
  node.reload();
  expect(await world.knock(node, bearer(token))).toMatchObject({ status: 101 });
  world.revoke("ada");
  node.reload();
  expect(await world.knock(node, bearer(token))).toMatchObject({ code: "AUTH_FAILED" });
});

test("a new certificate is shown without a restart, and a bad one never", async () => {
  const node = await world.start("a", world.tls());
  const before = await shownBy(node);
  world.write("node.crt", "no certificate at all");
  touch(world.path("node.crt"));
  node.reload();
  expect(await shownBy(node)).toBe(before);
  const paths = world.tls();
  touch(paths.tlsCert, paths.tlsKey);
  node.reload();
  const after = await shownBy(node);
  expect(after).not.toBe(before);
  // The key of another certificate.
  const [cert] = [world.path("node.crt")];
  world.write("node.crt", world.clientTls("x", "read").cert);
  touch(cert);
  node.reload();
  expect(await shownBy(node)).toBe(after);
});

test("an authority that is replaced is believed no more, by open connections neither", async () => {
  const { tlsCa } = world;
  const node = await world.start("a", { n: 1, ...world.tls(), tlsCa });
  const tls = world.clientTls("ada", "write");
  const knocked = await world.knock(node, { tls });
  expect(knocked.status).toBe(101);
  const ended = new Promise((resolve) => knocked.socket.on("close", resolve));
  world.write("ca.crt", createAuthority(validFor(1)).certificate);
  touch(tlsCa);
  node.reload();
  expect(await ended).toBe(1008);
  expect(await world.knock(node, { tls })).toMatchObject({ code: "AUTH_FAILED" });
});

test("a secret is changed node by node, without a pause", async () => {
  const [old, next] = ["o".repeat(40), "n".repeat(40)];
  const secrets = { a: world.secret("sa", old), b: world.secret("sb", old) };
  const first = await world.start("a", { peerSecretFile: secrets.a });
  const join = [first.address];
  const second = await world.start("b", { join, peerSecretFile: secrets.b });
  const client = await world.connect(first);
  const live = async (): Promise<number> => {
    const status = (await client.admin("status")) as { nodes: { live: boolean }[] };
    return status.nodes.filter((node) => node.live).length;
  };
  await expect.poll(live, { timeout: 10_000 }).toBe(2);
  const steps = [
    [first, "sa", `${old}\n${next}`],
    [second, "sb", `${next}\n${old}`],
    [first, "sa", next],
    [second, "sb", next],
  ] as const;
  for (const [node, name, content] of steps) {
    world.secret(name, content);
    touch(world.path(name));
    node.reload();
    await expect.poll(live, { timeout: 10_000 }).toBe(2);
    expect((await client.put("key", content, { w: 2 })).acks).toBe(2);
  }
});

test("a secret that is taken away proves nothing any more, nor does what it proved before", () => {
  const [old, next] = ["o".repeat(40), "n".repeat(40)];
  const peerSecretFile = world.secret("s", old);
  const parts = { log: silentLog, now: Date.now };
  const gate = new Gate({ peerSecretFile }, parts);
  const other = new Gate({ peerSecretFile: world.secret("t", old) }, parts);
  world.later(() => gate.close());
  world.later(() => other.close());
  const claims = encodeHello(newcomersHello(Date.now()));
  const knock = () => ({ headers: other.prove(claims, 0).headers, remote: "x", shown: undefined });
  const verdict = gate.judgePeer(knock(), claims);
  if (verdict.kind === "refused") return expect.unreachable(verdict.message);
  const steps = [
    [old, true],
    [`${next}\n${old}`, true],
    [next, false],
  ] as const;
  for (const [content, isTaken] of steps) {
    world.secret("s", content);
    touch(peerSecretFile);
    gate.reload();
    expect(gate.holds(verdict.grounds)).toBe(isTaken);
    expect(gate.judgePeer(knock(), claims).kind).toBe(isTaken ? "proved" : "refused");
  }
});
