/** kvctl -e: the verbs of entries and of operators, on three real processes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kvctl, scratch } from "./run-kvctl.ts";
import { startCluster, type TestCluster } from "./serve-process.ts";

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await startCluster(3);
});

afterAll(() => cluster.close());

describe("put, get and del on a cluster", () => {
  test("a value comes back through another node as it was put, and nothing more", async () => {
    const { run, feed, nodes } = cluster;
    expect(await run("put", "a", "hello")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const other = nodes[1]?.address ?? "";
    const got = await kvctl(["-e", other, "get", "a"]);
    expect(got).toMatchObject({ code: 0, stdout: "hello", stderr: "" });
    const raw = Buffer.from([0, 255, 10, 13, 10]);
    expect((await feed(raw, "put", "raw", "-")).code).toBe(0);
    expect((await run("get", "raw")).bytes).toEqual(raw);
    expect((await run("put", "--hex", "00ff", "c0ffee")).code).toBe(0);
    expect((await run("get", "--hex", "00ff")).bytes.toString("hex")).toBe("c0ffee");
    expect((await run("put", "empty", "")).code).toBe(0);
    expect(await run("get", "empty")).toMatchObject({ code: 0, stdout: "" });
  });

  test("two puts in a row leave one value, and a deleted key is not found", async () => {
    // As processes, of which each begins with what the one before has left.
    const run = (...args: string[]) => kvctl(["-e", cluster.nodes[0]?.address ?? "", ...args]);
    for (const value of ["1", "2", "3"]) expect((await run("put", "row", value)).code).toBe(0);
    expect(await run("get", "row")).toMatchObject({ code: 0, stdout: "3" });
    expect(await run("del", "row")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const gone = await run("get", "row", "--json");
    expect(gone).toMatchObject({ code: 3, stdout: "" });
    expect(JSON.parse(gone.stderr)).toMatchObject({ error: { code: "NOT_FOUND" } });
    expect((await run("del", "never-there")).code).toBe(0);
  });

  test("blind puts make siblings; a put over them, or with their context, leaves one", async () => {
    const { run } = cluster;
    const before = JSON.parse((await run("put", "cart", "milk", "--json")).stdout);
    expect(before).toMatchObject({ put: true, valueBytes: 4 });
    expect(before.acks).toBeGreaterThanOrEqual(2);
    await run("put", "cart", "bread", "--blind");
    const conflict = await run("get", "cart");
    expect(conflict).toMatchObject({ code: 4, stdout: "" });
    expect(conflict.stderr).toContain("2 siblings for cart");
    expect(conflict.stderr).toContain("--resolve");
    const all = await run("get", "cart", "--siblings");
    expect(all.code).toBe(0);
    expect(all.stdout.trim().split("\n").sort()).toEqual(["bread", "milk"]);
    const json = await run("get", "cart", "--json");
    expect(json.code).toBe(4);
    const { siblings, context } = JSON.parse(json.stdout);
    expect(siblings.map(({ value }: { value: string }) => value).sort()).toEqual(["bread", "milk"]);
    expect(context).toMatch(/^[\w-]+$/);
    const merged = await run("put", "cart", "both", "--context", context);
    expect(merged).toMatchObject({ code: 0 });
    expect((await run("get", "cart")).stdout).toBe("both");
    await run("put", "cart", "again", "--blind");
    expect((await run("put", "cart", "over")).code).toBe(0);
    expect((await run("get", "cart")).stdout).toBe("over");
  });

  test("--resolve makes one of several values", async () => {
    const { run } = cluster;
    await run("put", "newest", "old", "--blind");
    await run("put", "newest", "new", "--blind");
    expect(await run("get", "newest", "--resolve", "lww")).toMatchObject({
      code: 0,
      stdout: "new",
    });
    await run("put", "set", '["a","b"]', "--blind");
    await run("put", "set", '["b","c"]', "--blind");
    const union = await run("get", "set", "--resolve", "union");
    expect(union.code).toBe(0);
    expect(JSON.parse(union.stdout)).toEqual(["a", "b", "c"]);
    // What is not of the resolver's form stays what it is.
    expect(await run("get", "newest", "--resolve", "union")).toMatchObject({ code: 4, stdout: "" });
  });

  test("--ttl lets a value disappear, and quorums are as asked", async () => {
    const { run } = cluster;
    expect((await run("put", "short", "v", "--ttl", "1ms")).code).toBe(0);
    expect((await run("get", "short")).code).toBe(3);
    expect((await run("put", "long", "v", "--ttl", "1h", "--w", "3", "--strict")).code).toBe(0);
    expect((await run("get", "long", "--r", "3", "--strict")).stdout).toBe("v");
    expect((await run("get", "long", "--r", "1", "--timeout", "2s")).stdout).toBe("v");
  });

  test("a bucket is a key space of its own", async () => {
    const { run } = cluster;
    expect((await run("put", "k", "inside", "--bucket", "b1")).code).toBe(0);
    expect((await run("get", "k")).code).toBe(3);
    expect((await run("get", "k", "--bucket", "b1")).stdout).toBe("inside");
    expect((await run("scan", "--count", "--bucket", "b1")).stdout).toBe("1\n");
  });
});

describe("import, scan and export on a cluster", () => {
  test("what is imported can be scanned by prefix, and exported to be imported again", async () => {
    const { run, feed } = cluster;
    const lines = Array.from({ length: 2000 }, (_, i) => `{"key":"im/${i}","value":"v${i}"}`);
    const ran = await feed(`${lines.join("\n")}\n`, "import", "-", "--json");
    expect(ran.code, ran.stderr).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ imported: 2000, skipped: 0 });
    expect((await run("scan", "--prefix", "im/", "--count")).stdout).toBe("2000\n");
    expect((await run("scan", "--prefix", "im/", "--limit", "7", "--keys-only")).stdout).toMatch(
      /^(im\/\d+\n){7}$/,
    );
    const exported = await run("export", "--prefix", "im/");
    expect(exported.stdout.trim().split("\n").sort()).toEqual([...lines].sort());
    // Again, over what is there: no siblings.
    expect((await feed(exported.stdout, "import", "-")).code).toBe(0);
    const again = await run("export", "--prefix", "im/");
    expect(again.stdout.trim().split("\n").sort()).toEqual([...lines].sort());
    expect((await run("export", "--prefix", "im/1999", "--format", "tsv")).stdout).toBe(
      "im/1999\tv1999\n",
    );
  });

  test("of two lines with one key the later one wins", async () => {
    const { run, feed } = cluster;
    const lines = Array.from({ length: 50 }, (_, i) => `{"key":"same","value":"${i}"}`);
    expect((await feed(lines.join("\n"), "import", "-")).code).toBe(0);
    expect(await run("get", "same")).toMatchObject({ code: 0, stdout: "49" });
  });

  test("a bad line stops it, or is skipped, as with a directory", async () => {
    const { feed } = cluster;
    const input = '{"key":"l1","value":"1"}\nnonsense\n{"key":"l2","value":"2"}\n';
    const stopped = await feed(input, "import", "-");
    expect(stopped).toMatchObject({ code: 2 });
    expect(stopped.stderr).toContain("line 2");
    const skipped = await feed(input, "import", "-", "--on-error", "skip");
    expect(skipped).toMatchObject({ code: 9 });
    const long = `{"key":"${"k".repeat(1025)}","value":"1"}\n`;
    expect((await feed(long, "import", "-")).stderr).toContain("1025 bytes, limit 1024");
  });

  test("siblings are exported as a list", async () => {
    const { run } = cluster;
    await run("put", "ex/s", "one", "--blind");
    await run("put", "ex/s", "two", "--blind");
    const { key, values } = JSON.parse((await run("export", "--prefix", "ex/")).stdout);
    expect([key, values.sort()]).toEqual(["ex/s", ["one", "two"]]);
    expect(await run("export", "--prefix", "ex/", "--format", "tsv")).toMatchObject({ code: 4 });
  });
});

describe("operators", () => {
  test("status is the JSON that other programs rely on, and exits 0 when all is well", async () => {
    const { run, nodes } = cluster;
    const ran = await run("status", "--json");
    expect(ran.code, ran.stdout).toBe(0);
    const status = JSON.parse(ran.stdout);
    expect(Object.keys(status).sort()).toEqual(
      [
        ...["clusterId", "epoch", "nodes", "n", "r", "w", "hintsPending", "transfers"],
        ...["underReplicated", "rebuilding", "rootsAgree"],
      ].sort(),
    );
    expect(status).toMatchObject({ n: 3, r: 2, w: 2, transfers: 0, underReplicated: 0 });
    expect(status.nodes.map(({ address }: { address: string }) => address).sort()).toEqual(
      nodes.map(({ address }) => address).sort(),
    );
    for (const node of status.nodes) {
      expect(node).toEqual({
        id: expect.any(Number),
        address: expect.any(String),
        dc: "dc1",
        rack: "rack1",
        weight: 1,
        state: "member",
        live: true,
      });
    }
    const text = (await run("status")).stdout;
    expect(text).toMatch(/^cluster [0-9a-f]{8} +epoch \d+ +n=3 r=2 w=2 +3 of 3 nodes live\n/);
    expect(text).toMatch(/ up +dc1 +rack1 +1 +33\.\d%/);
  });

  test("ring shows who owns what", async () => {
    const { run } = cluster;
    const state = JSON.parse((await run("ring", "--json")).stdout);
    expect(state.owners.length).toBe(256);
    for (const owners of state.owners) expect([...owners].sort()).toEqual([1, 2, 3]);
    const text = (await run("ring")).stdout;
    expect(text).toMatch(/^256 partitions, 3 copies, epoch \d+\n/);
    expect(text).toMatch(/^ *1 +1 +127\.0\.0\.1:\d+ +dc1 +1 +256 +8\d +[\d.]+ \w+\n/m);
    expect(text).toContain("dc1: each node has 100.0% to 100.0% of its share");
  });

  test("locate, versions and trace follow one key", async () => {
    const { run } = cluster;
    await run("put", "one", "v1");
    const located = JSON.parse((await run("locate", "one", "--json")).stdout);
    expect(located.owners.map(({ id }: { id: number }) => id).sort()).toEqual([1, 2, 3]);
    expect(located.token).toMatch(/^[0-9a-f]{16}$/);
    expect((await run("locate", "one")).stdout).toMatch(/^token .* partition \d+ of 256\n/);
    const versions = JSON.parse((await run("versions", "one", "--json")).stdout);
    const [first] = versions.replicas;
    expect(versions.replicas.length).toBe(3);
    for (const replica of versions.replicas) {
      expect(replica).toMatchObject({ isOwner: true, standing: "current" });
      expect(replica.versions).toEqual(first.versions);
      expect(replica.versions.siblings[0].head).toBe(Buffer.from("v1").toString("hex"));
    }
    expect((await run("versions", "one")).stdout).toMatch(/ 2 B {2}v1$/m);
    const steps = JSON.parse((await run("trace", "put", "one", "v2", "--json")).stdout).steps;
    expect(steps.length).toBeGreaterThan(2);
    expect((await run("trace", "get", "one")).stdout).toMatch(/^ +\d+\.\d\d ms {2}node \d/);
    expect((await run("get", "one")).stdout).toBe("v2");
  });

  test("hints and repair say what there is to say", async () => {
    const { run } = cluster;
    expect(await run("hints")).toMatchObject({ code: 0, stdout: "no hints\n" });
    expect(JSON.parse((await run("hints", "--json")).stdout)).toEqual({ hints: [] });
    const { nodes } = JSON.parse((await run("repair", "--json")).stdout);
    expect(nodes.map(({ node }: { node: number }) => node).sort()).toEqual([1, 2, 3]);
    expect((await run("repair")).stdout).toContain("partitions compared");
  });

  test("KVCTL_ENDPOINTS names the cluster, and a flag wins over the other variable", async () => {
    const { run, nodes } = cluster;
    await run("put", "env", "there");
    const env = { KVCTL_ENDPOINTS: nodes.map(({ address }) => address).join(",") };
    expect(await kvctl(["get", "env"], { env })).toMatchObject({ stdout: "there" });
    const both = { ...env, KVCTL_DB: "somewhere" };
    expect(await kvctl(["get", "env"], { env: both })).toMatchObject({ code: 2 });
    const flag = ["-e", nodes[0]?.address ?? "", "get", "env"];
    expect(await kvctl(flag, { env: { KVCTL_DB: "somewhere" } })).toMatchObject({
      stdout: "there",
    });
    const path = join(scratch(), "data");
    expect((await kvctl(["--db", path, "put", "env", "here"], { env })).code).toBe(0);
    expect(await kvctl(["--db", path, "get", "env"], { env })).toMatchObject({ stdout: "here" });
  });

  test("a value can come from a file", async () => {
    const file = join(scratch(), "value");
    writeFileSync(file, Buffer.from([1, 2, 0, 3]));
    expect((await cluster.run("put", "f", "--file", file)).code).toBe(0);
    expect((await cluster.run("get", "f")).bytes).toEqual(Buffer.from([1, 2, 0, 3]));
  });
});

describe("with nodes away", () => {
  test("one of three: everything goes on, status says so, and its writes wait for it", async () => {
    const { run, nodes } = cluster;
    await nodes[2]?.end("SIGKILL");
    expect((await run("put", "away", "1")).code).toBe(0);
    expect(await run("get", "away")).toMatchObject({ code: 0, stdout: "1" });
    await expect.poll(async () => (await run("status")).code, { timeout: 20_000 }).toBe(9);
    const text = (await run("status")).stdout;
    expect(text).toMatch(/ DOWN /);
    expect(text).toContain("! 256 partitions with fewer than 3 live owners");
    const { hints } = JSON.parse((await run("hints", "--json")).stdout);
    expect(hints).toMatchObject([{ target: 3, keys: expect.any(Number) }]);
    expect((await run("hints")).stdout).toMatch(/^held by +for node +keys\n +\d +3 +\d+\n/);
    const strict = await run("get", "away", "--r", "3", "--strict", "--json");
    expect(strict).toMatchObject({ code: 6, stdout: "" });
    expect(JSON.parse(strict.stderr).error).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
  });

  test("two of three: one replica is enough where one is asked for, and no more", async () => {
    const { run, nodes } = cluster;
    await nodes[1]?.end("SIGKILL");
    expect((await run("put", "alone", "1", "--blind", "--w", "1")).code).toBe(0);
    expect(await run("get", "alone", "--r", "1")).toMatchObject({ code: 0, stdout: "1" });
    const strict = await run("get", "alone", "--strict");
    expect([6, 7]).toContain(strict.code);
    expect(strict.stdout).toBe("");
    const wide = await run("put", "alone", "2", "--blind", "--w", "3", "--timeout", "1s");
    expect([6, 7]).toContain(wide.code);
  });
});
