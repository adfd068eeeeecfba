/** kvctl plans, commits, takes back and forces: on real processes, as an operator would. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ServeProcess, serve, startCluster, type TestCluster } from "./serve-process.ts";

let cluster: TestCluster;
let base = "";
const more: ServeProcess[] = [];

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "everwrite-members-"));
  cluster = await startCluster(2);
});

afterAll(async () => {
  await Promise.all(more.map((node) => node.end("SIGKILL")));
  await cluster.close();
  rmSync(base, { recursive: true, force: true });
});

async function propose(name: string): Promise<ServeProcess> {
  const first = cluster.nodes[0]?.address ?? "";
  const place = ["--data", join(base, name), "--listen", "127.0.0.1:0", "--log-level", "error"];
  const node = await serve([...place, "--durability", "os", "--join", first, "--stage"]);
  more.push(node);
  return node;
}

async function status() {
  return JSON.parse((await cluster.run("status", "--json")).stdout);
}

test("a node that proposes itself is shown by plan, and committed by its id", async () => {
  const { run } = cluster;
  expect(await run("plan")).toMatchObject({ code: 0, stdout: "nothing is staged\n" });
  const node = await propose("n3");
  expect(node.id).toBe(3);
  await expect.poll(() => node.stderr()).toContain("waits to be let in");
  expect(node.stderr()).toContain("plan shows what that would do");
  const shown = await run("plan");
  expect(shown.code).toBe(0);
  expect(shown.stdout).toContain(`node 3 (${node.address}) joins`);
  expect(shown.stdout).toContain("256 copies of 256 partitions move");
  const { id, changes } = JSON.parse((await run("plan", "--json")).stdout);
  expect(changes).toEqual([{ kind: "join", node: 3 }]);
  const wrong = await run("commit", "--plan", "00000000");
  expect(wrong.code).toBe(4);
  expect(wrong.stderr).toContain("PLAN_CHANGED");
  const done = await run("commit", "--plan", id);
  expect(done).toMatchObject({ code: 0 });
  expect(done.stdout).toMatch(/^committed, in epoch \d+; 256 copies on the way/);
  await expect.poll(async () => (await status()).transfers, { timeout: 30_000 }).toBe(0);
  expect((await run("transfers")).stdout).toBe("nothing is on the way\n");
  const ring = await run("ring");
  expect(ring.stdout).toContain("dc1: each node has 100.0% to 100.0% of its share");
  expect((await run("commit")).code).toBe(4);
});

test("abort takes back what is staged, and the node that waited ends with 2", async () => {
  const { run } = cluster;
  const node = await propose("n4");
  const ended = new Promise((resolve) => node.child.once("close", resolve));
  const weight = await run("weight", "1", "2", "--stage", "--json");
  expect(JSON.parse(weight.stdout)).toMatchObject({ staged: 2 });
  expect((await run("status")).stdout).toContain("2 changes staged");
  expect((await run("abort")).code).toBe(0);
  expect(await ended).toBe(2);
  expect(node.stderr()).toContain("JOIN_ABORTED");
  expect((await status()).nodes.map(({ state }: { state: string }) => state)).toEqual([
    ...["member", "member", "member"],
  ]);
});

test("a node that is told to leave ends by itself once it may", async () => {
  const { run } = cluster;
  const node = more[0]!;
  const ended = new Promise((resolve) => node.child.once("close", resolve));
  const left = await run("leave", node.address);
  expect(left).toMatchObject({ code: 0 });
  expect(left.stderr).toContain(`node 3 (${node.address}) leaves`);
  expect(await ended).toBe(0);
  expect(node.stderr()).toContain("node 3 has left the cluster");
}, 60_000);

test("ring force shows what is lost, wants --yes, and never where a majority lives", async () => {
  const { run, nodes } = cluster;
  const live = await run("ring", "force", "--lost", "", "--yes");
  expect(live.code).toBe(4);
  expect(live.stderr).toContain("MAJORITY_LIVE");
  await nodes[1]!.end("SIGKILL");
  const asked = await run("ring", "force", "--lost", "2");
  expect(asked.code).toBe(2);
  expect(asked.stderr).toContain("is struck out");
  expect(asked.stderr).toContain("--yes");
  const forced = await run("ring", "force", "--lost", "2", "--yes");
  expect(forced).toMatchObject({ code: 0 });
  expect(forced.stdout).toMatch(/^generation 2 is in force/);
  expect((await status()).nodes).toHaveLength(1);
  expect((await run("put", "a", "b", "--w", "1")).code).toBe(0);
});

test("nodes that are none, and weights that are none, are refused", async () => {
  const { run } = cluster;
  expect((await run("remove", "77")).stderr).toContain("NODE_UNKNOWN");
  expect((await run("weight", "1", "heavy")).code).toBe(2);
  expect((await run("weight", "1", "0")).stderr).toContain("INVALID_ARGUMENT");
  expect((await run("ring", "farce")).code).toBe(2);
});
