/**
 * Attackers in a process of their own keep a thousand connections busy with nothing, or come back
 * as fast as they can. How fast others are served meanwhile is measured by `npm run adversary`;
 * here it is enough that all of them are, and that nothing is left of the attack afterwards.
 */
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Client } from "../../src/client/api.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { ClosedTown } from "../support/closed-town.ts";
import { knock, newAddress } from "../support/knock.ts";
import { root } from "../support/sources.ts";

const town = new ClosedTown();
let node: RunningNode;
let client: Client;

beforeAll(async () => {
  node = await town.start("n1", { n: 1 });
  client = await town.connect(node, "writer");
});

afterAll(() => town.close());

function attack(name: string): Promise<ChildProcess> {
  const child = fork(join(root, "test", "support", "attacker.mjs"));
  child.send({ attack: name, address: node.address, token: town.token("writer") });
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve(child));
    child.once("exit", (code) => reject(new Error(`the attacker ended with ${code}`)));
  });
}

/** Sockets, and whatever else this process holds open. */
function handles(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith("TCPSocket")).length;
}

test.each([
  ...["slow-loris", "half-open", "tls-dribble", "guesses", "oversized", "compressed", "fragments"],
])("%s: whoever may is served meanwhile, and nothing is left of it", async (name) => {
  const before = handles();
  const attacker = await attack(name);
  try {
    for (let i = 0; i < 25; i++) {
      await client.put(`key-${i}`, name, { timeoutMs: 20_000 });
      const { value } = await client.get(`key-${i}`, { timeoutMs: 20_000 });
      expect(Buffer.from(value ?? []).toString()).toBe(name);
      await client.delete(`key-${i}`, { timeoutMs: 20_000 });
    }
    // Somebody new comes through, too, from another address.
    const headers = { authorization: `Bearer ${town.token("reader")}` };
    const tls = { ca: town.authority.certificate };
    const { status, socket } = await knock(node.address, { headers, tls, from: newAddress() });
    expect(status).toBe(101);
    socket.destroy();
    if (name === "slow-loris") expect(handles() - before).toBeLessThan(300);
  } finally {
    attacker.kill("SIGKILL");
  }
  await expect.poll(handles, { timeout: 30_000 }).toBeLessThanOrEqual(before + 1);
});
