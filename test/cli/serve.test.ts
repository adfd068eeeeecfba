/** kvctl serve: how it starts, what it refuses to start with, and how it ends. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { kvctl, kvctlPath, newDatabase, scratch } from "./run-kvctl.ts";
import { type ServeProcess, serve } from "./serve-process.ts";

const running: ServeProcess[] = [];

afterEach(async () => {
  for (const node of running.splice(0)) await node.end("SIGKILL");
});

async function start(...args: string[]): Promise<ServeProcess> {
  const node = await serve(["--listen", "127.0.0.1:0", ...args]);
  running.push(node);
  return node;
}

describe("serve", () => {
  test("says where it is ready, logs JSON, and closes with 0 on SIGTERM", async () => {
    const data = join(scratch(), "n1");
    const node = await start("--data", data, "--n", "1");
    expect(node.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(node.id).toBe(1);
    expect((await kvctl(["-e", node.address, "put", "k", "kept"])).code).toBe(0);
    expect(await node.end("SIGTERM")).toBe(0);
    const events = node
      .stderr()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    for (const event of events) expect(event).toMatchObject({ time: expect.any(Number) });
    expect(events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["cluster.founded", "node.serving", "node.closed"]),
    );
    const again = await start("--data", data);
    expect(again.address).toBe(node.address);
    expect(await kvctl(["-e", again.address, "get", "k"])).toMatchObject({ stdout: "kept" });
    expect(await again.end("SIGINT")).toBe(130);
  });

  test("ends what is under way before it goes, and nothing is lost by kill -9 either", async () => {
    const data = join(scratch(), "n1");
    const first = await start("--data", data, "--n", "1");
    const lines = Array.from({ length: 3000 }, (_, i) => `{"key":"k${i}","value":"${i}"}`);
    const ran = await kvctl(["-e", first.address, "import", "-"], { input: lines.join("\n") });
    expect(ran.code).toBe(0);
    await first.end("SIGKILL");
    const second = await start("--data", data);
    const count = await kvctl(["-e", second.address, "scan", "--count"]);
    expect(count.stdout).toBe("3000\n");
  });

  test("flags win over the environment, and that over the file", async () => {
    const directory = scratch();
    const file = join(directory, "node.json");
    const settings = { data: join(directory, "from-file"), dc: "file", rack: "file", n: 1 };
    writeFileSync(file, JSON.stringify(settings));
    process.env["EVERWRITE_RACK"] = "environment";
    process.env["EVERWRITE_DC"] = "environment";
    const args = ["--config", file, "--dc", "flag", "--log-level", "silent"];
    const node = await start(...args).finally(() => {
      delete process.env["EVERWRITE_RACK"];
      delete process.env["EVERWRITE_DC"];
    });
    expect(node.stderr()).toBe("");
    const { nodes } = JSON.parse((await kvctl(["-e", node.address, "status", "--json"])).stdout);
    expect(nodes).toMatchObject([{ dc: "flag", rack: "environment" }]);
  });
});

describe("what serve refuses to start with", () => {
  async function refused(args: readonly string[], env: Record<string, string> = {}) {
    const ran = await kvctl(["serve", "--json", "--log-level", "silent", ...args], { env });
    expect(ran.stdout).toBe("");
    const { code, message } = JSON.parse(ran.stderr).error as { code: string; message: string };
    return { exit: ran.code, code, message };
  }

  test.each([
    [["--listen", "127.0.0.1:70000"], /listen must be HOST:PORT .* got "127\.0\.0\.1:70000"/],
    [["--n", "0"], /n must be a whole number from 1 to 7, got 0/],
    [["--n", "many"], /n must be .* got "many"/],
    [["--r", "4", "--n", "3"], /r must be from 1 to n, got 4 with n 3/],
    [["--weight", "-1"], /weight must be a number above 0/],
    [["--durability", "maybe"], /durability must be sync, interval or os, got "maybe"/],
    [["--dc", "a b"], /dc must be a name/],
    [["--log-level", "loud"], /logLevel must be/],
    [["--join", "nonsense:port"], /join must be a list of HOST:PORT/],
  ])("%j: CONFIG_INVALID", async (args, message) => {
    const data = join(scratch(), "n1");
    expect(await refused(["--data", data, ...args])).toMatchObject({
      exit: 2,
      code: "CONFIG_INVALID",
      message: expect.stringMatching(message),
    });
  });

  test("all that is wrong with a file is said at once", async () => {
    const directory = scratch();
    const file = join(directory, "node.json");
    writeFileSync(file, JSON.stringify({ n: 0, vnodes: 7, rack: 3, listen: "here" }));
    const { exit, code, message } = await refused(["--config", file]);
    expect([exit, code]).toEqual([2, "CONFIG_INVALID"]);
    for (const part of ["data is missing", "n must be", "vnodes is unknown", "rack must be"]) {
      expect(message).toContain(part);
    }
    writeFileSync(file, "{ not json");
    expect(await refused(["--config", file])).toMatchObject({ exit: 2, code: "CONFIG_INVALID" });
    writeFileSync(file, "[]");
    expect(await refused(["--config", file])).toMatchObject({ exit: 2, code: "CONFIG_INVALID" });
    const missing = join(directory, "missing.json");
    expect(await refused(["--config", missing])).toMatchObject({ exit: 2, code: "CONFIG_INVALID" });
  });

  test("an open address, unless the network is said to be one's own", async () => {
    const data = join(scratch(), "n1");
    const open = ["--data", data, "--listen", "0.0.0.0:0", "--advertise", "127.0.0.1:7400"];
    expect(await refused(open)).toMatchObject({ exit: 2, code: "INSECURE_BIND" });
  });

  test("a directory that cannot be a node's", async () => {
    const file = join(scratch(), "file");
    writeFileSync(file, "");
    const invalid = { exit: 2, code: "DATA_DIR_INVALID" };
    const listen = ["--listen", "127.0.0.1:0"];
    expect(await refused(["--data", file, ...listen])).toMatchObject(invalid);
    const { path, run } = newDatabase();
    await run("put", "a", "b");
    chmodSync(path, 0o700);
    expect(await refused(["--data", path, ...listen])).toMatchObject(invalid);
    const shared = join(scratch(), "shared");
    mkdirSync(shared);
    writeFileSync(join(shared, "something"), "");
    chmodSync(shared, 0o777);
    expect(await refused(["--data", shared, ...listen])).toMatchObject({
      exit: 2,
      code: "INSECURE_PERMISSIONS",
    });
  });

  test("a directory, or an address, that another node has", async () => {
    const data = join(scratch(), "n1");
    const node = await start("--data", data, "--n", "1");
    const listen = ["--listen", "127.0.0.1:0"];
    expect(await refused(["--data", data, ...listen])).toMatchObject({
      exit: 2,
      code: "DATA_DIR_LOCKED",
    });
    const elsewhere = ["--data", join(scratch(), "n2"), "--listen", node.address];
    expect(await refused(elsewhere)).toMatchObject({ exit: 2, code: "ADDRESS_UNAVAILABLE" });
    expect((await kvctl(["-e", node.address, "put", "still", "there"])).code).toBe(0);
  });

  test("seeds that nobody answers at", async () => {
    const args = ["--data", join(scratch(), "n1"), "--join", "127.0.0.1:1,127.0.0.1:2"];
    const listen = ["--listen", "127.0.0.1:0"];
    const said = await refused([...args, ...listen], { EVERWRITE_JOIN_MS_MAX: "50" });
    expect(said).toMatchObject({ exit: 5, code: "SEED_UNREACHABLE" });
    expect(said.message).toMatch(/127\.0\.0\.1:1.*127\.0\.0\.1:2/);
  });

  test("another n than the cluster was founded with, or another cluster's directory", async () => {
    const [one, two] = [join(scratch(), "n1"), join(scratch(), "n2")];
    const first = await start("--data", one, "--n", "1");
    const second = await start("--data", two, "--n", "1");
    await second.end("SIGTERM");
    const listen = ["--listen", "127.0.0.1:0"];
    expect(await refused(["--data", two, ...listen, "--n", "3"])).toMatchObject({ exit: 2 });
    const foreign = ["--data", two, ...listen, "--join", first.address];
    expect(await refused(foreign)).toMatchObject({ exit: 2, code: "IDENTITY_MISMATCH" });
    expect((await kvctl(["-e", first.address, "put", "still", "there"])).code).toBe(0);
  });

  test("too few files that it may open", async () => {
    const data = join(scratch(), "n1");
    const script = `ulimit -n 256; exec "$0" "$1" serve --json --data "$2" --listen 127.0.0.1:0`;
    const child = spawn("sh", ["-c", script, process.execPath, kvctlPath, data]);
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(2);
    expect(stderr).toContain("RESOURCE_EXHAUSTED");
  });
});
