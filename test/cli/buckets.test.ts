/** kvctl -e bucket …, and what the verbs make of a bucket's properties, on a real process. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startCluster, type TestCluster } from "./serve-process.ts";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster(1);
});

afterAll(() => cluster.close());

test("buckets are created, changed and listed, for people and for programs", async () => {
  const { run } = cluster;
  expect((await run("bucket", "list")).stdout).toBe("no buckets were created\n");
  const made = await run("bucket", "create", "sessions", "--ttl", "7d", "--resolver", "lww");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(made.stdout).toMatch(/sessions +cluster's +cluster's +lww +7d/);
  const set = await run("bucket", "set", "sessions", "--w", "1", "--ttl", "90m", "--json");
  expect(JSON.parse(set.stdout)).toEqual({
    ...{ name: "sessions", r: 0, w: 1, resolver: "lww", ttlMs: 5_400_000 },
  });
  const listed = JSON.parse((await run("bucket", "list", "--json")).stdout);
  expect(listed.buckets.map(({ name }: { name: string }) => name)).toEqual(["sessions"]);
});

test("what cannot be is refused with its code, and advice", async () => {
  const { run } = cluster;
  await run("bucket", "create", "taken");
  const refused: readonly [string, number, string[]][] = [
    ["BUCKET_EXISTS", 4, ["create", "taken", "--w", "1"]],
    ["BUCKET_UNKNOWN", 3, ["set", "nowhere", "--w", "1"]],
    ["QUORUM_INVALID", 2, ["create", "bad", "--r", "9"]],
    ["QUORUM_INVALID", 2, ["create", "bad", "--r", "some"]],
    ["TTL_INVALID", 2, ["create", "bad", "--ttl", "0s"]],
    ["INVALID_ARGUMENT", 2, ["create", "x".repeat(65)]],
    ["USAGE", 2, ["create"]],
    ["USAGE", 2, ["set", "taken"]],
    ["USAGE", 2, ["create", "bad", "--resolver", "newest"]],
    ["USAGE", 2, ["drop", "taken"]],
  ];
  for (const [code, exit, args] of refused) {
    const ran = await run("bucket", ...args, "--json");
    expect(ran, args.join(" ")).toMatchObject({ code: exit, stdout: "" });
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { code } });
  }
});

test("get and export show what a resolver makes of siblings, --siblings all of them", async () => {
  const { run } = cluster;
  await run("bucket", "create", "tags", "--resolver", "union");
  const in_ = ["--bucket", "tags"];
  for (const value of ['["a"]', '["b"]']) await run("put", "k", value, "--blind", ...in_);
  expect(await run("get", "k", ...in_)).toMatchObject({ code: 0, stdout: '["a","b"]' });
  const json = JSON.parse((await run("get", "k", "--json", ...in_)).stdout);
  expect(json).toMatchObject({ value: '["a","b"]' });
  expect(json.siblings).toHaveLength(2);
  const all = await run("get", "k", "--siblings", ...in_);
  expect(all.stdout.trim().split("\n").sort()).toEqual(['["a"]', '["b"]']);
  const exported = JSON.parse((await run("export", ...in_)).stdout);
  expect(exported).toEqual({ key: "k", value: '["a","b"]' });
  await run("put", "k", "text", "--blind", ...in_);
  expect((await run("get", "k", ...in_)).code).toBe(4);
  expect((await run("get", "k", "--resolve", "union", ...in_)).code).toBe(4);
  expect(await run("get", "k", "--resolve", "lww", ...in_)).toMatchObject({ stdout: "text" });
});

test("--ttl never keeps a value in a bucket whose values expire", async () => {
  const { run } = cluster;
  await run("bucket", "create", "brief", "--ttl", "1ms");
  await run("put", "gone", "1", "--bucket", "brief");
  await run("put", "kept", "1", "--bucket", "brief", "--ttl", "never");
  expect((await run("get", "gone", "--bucket", "brief")).code).toBe(3);
  expect((await run("get", "kept", "--bucket", "brief")).stdout).toBe("1");
});
