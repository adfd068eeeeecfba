/**
 * What is wrong with what is asked of a cluster: each row of input has its code and its exit code,
 * and after each the node still serves.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Client } from "../../src/client/api.ts";
import { connect } from "../../src/index.ts";
import { kvctl, type Ran, scratch } from "./run-kvctl.ts";
import { startCluster, type TestCluster } from "./serve-process.ts";

let cluster: TestCluster;
let other: TestCluster;
let client: Client;

beforeAll(async () => {
  [cluster, other] = await Promise.all([startCluster(1, "--n", "1"), startCluster(1, "--n", "1")]);
  client = await connect(cluster.nodes[0]?.address ?? "");
  await client.put("alive", "yes");
});

afterAll(async () => {
  await client.close();
  await Promise.all([cluster.close(), other.close()]);
});

/** A healthy client is answered, whatever the others did. */
afterEach(async () => {
  expect(Buffer.from((await client.get("alive")).value ?? []).toString()).toBe("yes");
});

function failureOf(ran: Ran): { code: string; message: string; applied?: string } {
  expect(ran.stdout).toBe("");
  const lines = ran.stderr.trim().split("\n");
  return JSON.parse(lines.at(-1) ?? "").error;
}

describe("what is wrong with a request", () => {
  test.each([
    ["a key of no bytes", ["get", ""], "KEY_EMPTY", 2],
    ["a key that is too long", ["get", "k".repeat(1025)], "KEY_TOO_LARGE", 2],
    ["a key that is too long to write", ["put", "k".repeat(1025), "v"], "KEY_TOO_LARGE", 2],
    ["get k --r 0", ["get", "k", "--r", "0"], "QUORUM_INVALID", 2],
    ["get k --r -1", ["get", "k", "--r", "-1"], "QUORUM_INVALID", 2],
    ["get k --r 2.5", ["get", "k", "--r", "2.5"], "QUORUM_INVALID", 2],
    ["get k --r NaN", ["get", "k", "--r", "NaN"], "QUORUM_INVALID", 2],
    ["get k --r 4", ["get", "k", "--r", "4"], "QUORUM_INVALID", 2],
    ["put k v --w 4", ["put", "k", "v", "--w", "4"], "QUORUM_INVALID", 2],
    ["put k v --w 0", ["put", "k", "v", "--w", "0"], "QUORUM_INVALID", 2],
    ["get k --timeout 0s", ["get", "k", "--timeout", "0s"], "DEADLINE_INVALID", 2],
    ["get k --timeout 5", ["get", "k", "--timeout", "5"], "DEADLINE_INVALID", 2],
    ["get k --timeout 61s", ["get", "k", "--timeout", "61s"], "DEADLINE_INVALID", 2],
    ["get k --timeout 1ms", ["get", "k", "--timeout", "1ms"], "DEADLINE_INVALID", 2],
    ["put k v --ttl -5s", ["put", "k", "v", "--ttl", "-5s"], "TTL_INVALID", 2],
    ["put k v --ttl 5", ["put", "k", "v", "--ttl", "5"], "TTL_INVALID", 2],
    ["put k v --ttl 600w", ["put", "k", "v", "--ttl", "600w"], "TTL_INVALID", 2],
    [
      "put k v --context not base64!",
      ["put", "k", "v", "--context", "not base64!"],
      "CONTEXT_INVALID",
      2,
    ],
    ["put k v --context AAAA", ["put", "k", "v", "--context", "AAAA"], "CONTEXT_INVALID", 2],
    [
      "a context that is made up",
      ["put", "k", "v", "--context", randomBytes(60).toString("base64url")],
      "CONTEXT_INVALID",
      2,
    ],
    [
      "a context that is too long",
      ["put", "k", "v", "--context", "A".repeat(12_000)],
      "CONTEXT_TOO_LARGE",
      2,
    ],
    ["put k v --context AA --blind", ["put", "k", "v", "--context", "AA", "--blind"], "USAGE", 2],
    ["get k --resolve magic", ["get", "k", "--resolve", "magic"], "USAGE", 2],
    ["get k --bucket ", ["get", "k", "--bucket", ""], "INVALID_ARGUMENT", 2],
    [
      "a bucket with a name that is too long",
      ["get", "k", "--bucket", "b".repeat(65)],
      "INVALID_ARGUMENT",
      2,
    ],
    ["get k --hex", ["get", "k", "--hex"], "USAGE", 2],
    ["put k v --sync", ["put", "k", "v", "--sync"], "USAGE", 2],
    ["scan --gte a", ["scan", "--gte", "a"], "USAGE", 2],
    ["scan --reverse", ["scan", "--reverse"], "USAGE", 2],
    ["scan --limit -1", ["scan", "--limit", "-1"], "USAGE", 2],
    ["export --format csv", ["export", "--format", "csv"], "USAGE", 2],
    ["trace del k", ["trace", "del", "k"], "USAGE", 2],
    ["stats", ["stats"], "USAGE", 2],
    ["verify", ["verify"], "USAGE", 2],
    ["get absent", ["get", "absent"], "NOT_FOUND", 3],
  ] as const)("%s", async (_name, args, code, exit) => {
    const ran = await cluster.run(...args, "--json");
    expect(ran.code, ran.stderr).toBe(exit);
    expect(failureOf(ran)).toMatchObject({ code });
  });

  test("any bytes are a key", async () => {
    for (const key of ["../../etc/passwd", "line\nbreak", " ", "_sys/x", "ключ", "-"]) {
      expect((await cluster.run("put", "--", key, "v")).code).toBe(0);
      expect(await cluster.run("get", "--", key)).toMatchObject({ code: 0, stdout: "v" });
    }
    expect((await cluster.run("put", "--hex", "00ff00", "76")).code).toBe(0);
    expect((await cluster.run("get", "--hex", "00ff00")).stdout).toBe("v");
  });

  test("a value of one byte too many is refused, from an argument's file or a pipe", async () => {
    const file = join(scratch(), "value");
    writeFileSync(file, new Uint8Array((1 << 20) + 1));
    const ran = await cluster.run("put", "big", "--file", file, "--json");
    expect([ran.code, failureOf(ran).code]).toEqual([2, "VALUE_TOO_LARGE"]);
    writeFileSync(file, new Uint8Array(1 << 20));
    expect((await cluster.run("put", "big", "--file", file)).code).toBe(0);
    expect((await cluster.run("get", "big")).bytes.length).toBe(1 << 20);
  });

  test("a context of another key, of another cluster or changed is told apart", async () => {
    const contextOf = async (where: TestCluster, key: string): Promise<string> =>
      JSON.parse((await where.run("put", key, "v", "--json")).stdout).context;
    const right = await contextOf(cluster, "mine");
    const put = async (context: string): Promise<[number | null, string]> => {
      const ran = await cluster.run("put", "mine", "w", "--context", context, "--json");
      return [ran.code, failureOf(ran).code];
    };
    expect(await put(await contextOf(cluster, "other"))).toEqual([2, "CONTEXT_WRONG_KEY"]);
    expect(await put(await contextOf(other, "mine"))).toEqual([2, "CONTEXT_WRONG_CLUSTER"]);
    const bytes = Buffer.from(right, "base64url");
    bytes[bytes.length - 1]! ^= 1;
    expect(await put(bytes.toString("base64url"))).toEqual([2, "CONTEXT_INVALID"]);
    expect(await put(right.slice(0, -4))).toEqual([2, "CONTEXT_INVALID"]);
    expect((await cluster.run("put", "mine", "w", "--context", right)).code).toBe(0);
  });

  test("the sibling too many is refused until somebody resolves them", async () => {
    for (let i = 0; i < 64; i++) await client.put("many", `${i}`);
    const ran = await cluster.run("put", "many", "one more", "--blind", "--json");
    expect([ran.code, failureOf(ran).code]).toEqual([4, "TOO_MANY_SIBLINGS"]);
    expect((await cluster.run("put", "many", "one")).code).toBe(0);
    expect((await cluster.run("get", "many")).stdout).toBe("one");
  });
});

describe("what is wrong with where it is sent", () => {
  test.each([
    ["127.0.0.1:1", "NO_ENDPOINT", 5],
    ["nowhere.invalid:7400", "NO_ENDPOINT", 5],
    ["127.0.0.1:70000", "INVALID_ARGUMENT", 2],
    ["http://127.0.0.1:7400", "INVALID_ARGUMENT", 2],
    [",", "INVALID_ARGUMENT", 2],
  ])("-e %s fails with %s, exit %i", async (endpoints, code, exit) => {
    const ran = await kvctl(["-e", endpoints, "get", "k", "--timeout", "2s", "--json"]);
    expect([ran.code, failureOf(ran).code], ran.stderr).toEqual([exit, code]);
  });

  test.each([
    [["--db", "x", "-e", "localhost:1", "get", "k"], /--db and -e exclude each other/],
    [["get", "k"], /which database\?/],
    [["status"], /which cluster\?/],
    [["--db", "x", "status"], /works on a cluster/],
    [["--db", "x", "get", "k", "--r", "2"], /--r is for a cluster/],
    [["--db", "x", "put", "k", "v", "--blind"], /--blind is for a cluster/],
  ])("%j exits 2 and says so", async (args, message) => {
    const ran = await kvctl(args);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toMatch(message);
  });

  test("one node of several that answers is enough", async () => {
    const address = cluster.nodes[0]?.address ?? "";
    const ran = await kvctl(["-e", `127.0.0.1:1,${address}`, "get", "alive"]);
    expect(ran).toMatchObject({ code: 0, stdout: "yes" });
  });
});

describe("explain", () => {
  test("says of each code what it means and what to do", async () => {
    const ran = await kvctl(["explain", "write_timeout"]);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toMatch(/^WRITE_TIMEOUT: .*\n +exit code +7\n +applied +maybe: /);
    const all = JSON.parse((await kvctl(["explain", "--json"])).stdout) as { code: string }[];
    for (const code of ["USAGE", "LOCKED", "NO_ENDPOINT", "CONFLICT"]) {
      expect(all.map((entry) => entry.code)).toContain(code);
    }
    expect(await kvctl(["explain", "NONSENSE"])).toMatchObject({ code: 2, stdout: "" });
  });
});
