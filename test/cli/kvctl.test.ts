import { spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { commands } from "../../bin/commands.ts";
import { openEngine } from "../../native-free-engine/index.ts";
import { kvctl, kvctlPath, newDatabase, scratch } from "./run-kvctl.ts";

describe("put, get and del", () => {
  test("a value comes back as it was put, and nothing more when piped", async () => {
    const { run, feed } = newDatabase();
    expect(await run("put", "a", "hello")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await run("get", "a")).toMatchObject({ code: 0, stdout: "hello", stderr: "" });
    const raw = Buffer.from([0, 255, 10, 13, 10]);
    expect((await feed(raw, "put", "raw", "-")).code).toBe(0);
    expect((await run("get", "raw")).bytes).toEqual(raw);
    expect((await feed("from stdin", "put", "piped")).code).toBe(0);
    expect((await run("get", "piped")).stdout).toBe("from stdin");
    expect((await run("put", "empty", "")).code).toBe(0);
    expect(await run("get", "empty")).toMatchObject({ code: 0, stdout: "" });
    expect((await run("put", "dashed", "--", "--not-an-option")).code).toBe(0);
    expect((await run("get", "dashed")).stdout).toBe("--not-an-option");
  });

  test("a value can come from a file", async () => {
    const { run } = newDatabase();
    const file = join(scratch(), "value");
    writeFileSync(file, Buffer.from([1, 2, 0, 3]));
    expect((await run("put", "f", "--file", file, "--sync")).code).toBe(0);
    expect((await run("get", "f")).bytes).toEqual(Buffer.from([1, 2, 0, 3]));
    expect(await run("put", "f", "x", "--file", file)).toMatchObject({ code: 2 });
    expect(await run("put", "f", "--file", `${file}.no`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no such file"),
    });
  });

  test("a missing key exits 3 with nothing on stdout, with --json too", async () => {
    const { run } = newDatabase();
    await run("put", "a", "b");
    const plain = await run("get", "nope");
    expect(plain).toMatchObject({ code: 3, stdout: "" });
    expect(plain.stderr).toContain("not found: nope");
    const json = await run("get", "nope", "--json");
    expect(json).toMatchObject({ code: 3, stdout: "" });
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: "NOT_FOUND" } });
  });

  test("a deleted key is gone, and deleting it again is fine", async () => {
    const { run } = newDatabase();
    await run("put", "a", "b");
    expect(await run("del", "a")).toMatchObject({ code: 0, stdout: "" });
    expect((await run("get", "a")).code).toBe(3);
    expect((await run("del", "a")).code).toBe(0);
  });

  test("--hex and --base64 say what the arguments are", async () => {
    const { run } = newDatabase();
    expect((await run("put", "--hex", "00ff", "c0ffee")).code).toBe(0);
    expect((await run("get", "--base64", "AP8=")).bytes.toString("hex")).toBe("c0ffee");
    const json = await run("get", "--hex", "00ff", "--json");
    expect(JSON.parse(json.stdout)).toEqual({ key: "00ff", value: "c0ffee" });
    expect(await run("get", "--hex", "0x")).toMatchObject({ code: 2 });
    expect(await run("get", "--hex", "--base64", "00")).toMatchObject({ code: 2 });
  });

  test("--ttl lets an entry disappear, and takes only durations", async () => {
    const { run } = newDatabase();
    expect((await run("put", "long", "v", "--ttl", "1h")).code).toBe(0);
    expect((await run("get", "long")).stdout).toBe("v");
    expect((await run("put", "short", "v", "--ttl", "1ms")).code).toBe(0);
    expect((await run("get", "short")).code).toBe(3);
    for (const ttl of ["1", "0s", "soon", "11000w"]) {
      const ran = await run("put", "k", "v", "--ttl", ttl, "--json");
      expect(ran.code, ttl).toBe(2);
      expect(JSON.parse(ran.stderr)).toMatchObject({ error: { code: "TTL_INVALID" } });
    }
  });

  test("an argument that is not UTF-8 is refused, not stored as something else", async () => {
    const { path } = newDatabase();
    // Only a shell can pass such bytes; the argument of `sh` itself is plain text.
    const script = `"$0" "$1" --db "$2" put "$(printf 'a\\377')" v`;
    const child = spawn("sh", ["-c", script, process.execPath, kvctlPath, path]);
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect(code).toBe(2);
    expect(stderr).toContain("KEY_ENCODING");
    expect(stderr).toContain("--hex");
  });
});

describe("scan", () => {
  async function filled(): Promise<ReturnType<typeof newDatabase>> {
    const database = newDatabase();
    const keys = ["b", "a", "é", "user:1", "user:2", "user;", "z"];
    const lines = keys.map((key) => JSON.stringify({ key, value: key.toUpperCase() }));
    expect((await database.feed(lines.join("\n"), "import", "-")).code).toBe(0);
    return database;
  }

  test("lists in the order of bytes, within bounds, either way", async () => {
    const { run } = await filled();
    const keys = async (...args: string[]): Promise<string> =>
      (await run("scan", "--keys-only", ...args)).stdout.trim().split("\n").join(" ");
    expect(await keys()).toBe("a b user:1 user:2 user; z é");
    expect(await keys("--reverse", "--limit", "2")).toBe("é z");
    expect(await keys("--prefix", "user:")).toBe("user:1 user:2");
    expect(await keys("--gte", "b", "--lt", "user:2")).toBe("b user:1");
    expect(await keys("--limit", "0")).toBe("");
    expect((await run("scan", "--count")).stdout).toBe("7\n");
    expect((await run("scan", "--count", "--prefix", "user:", "--json")).stdout).toBe(
      '{"count":2}\n',
    );
    expect((await run("scan", "--limit", "1")).stdout).toBe("a\tA\n");
    expect((await run("scan", "--limit", "1", "--hex")).stdout).toBe("61\t41\n");
  });

  test("a prefix of 0xff bytes has no upper bound", async () => {
    const { run } = newDatabase();
    for (const key of ["fe", "ff", "ffff00", "ff01"]) await run("put", "--hex", key, "00");
    const found = await run("scan", "--hex", "--prefix", "ff", "--keys-only");
    expect(found.stdout).toBe("ff\nff01\nffff00\n");
  });

  test("shows what is not text with escapes, and gives it whole as JSON", async () => {
    const { run } = newDatabase();
    await run("put", "--hex", "1b5b33316d0a", "ff");
    expect((await run("scan")).stdout).toBe("\\x1b[31m\\n\t\\xff\n");
    expect(JSON.parse((await run("scan", "--json")).stdout)).toEqual({
      key: "\u001b[31m\n",
      valueBase64: "/w==",
    });
  });

  test("ends quietly with 0 when its reader goes away", async () => {
    const { path, feed } = newDatabase();
    const lines = Array.from(
      { length: 50_000 },
      (_, i) => `{"key":"k${i}","value":"${"v".repeat(50)}"}`,
    );
    await feed(lines.join("\n"), "import", "-");
    for (const verb of ["scan", "export"]) {
      const script = `{ "$0" "$1" --db "$2" ${verb}; echo "exit $?" >&2; } | head -n 1`;
      const child = spawn("sh", ["-c", script, process.execPath, kvctlPath, path]);
      let stderr = "";
      child.stderr.on("data", (chunk) => {
        stderr += chunk;
      });
      await new Promise((resolve) => child.on("close", resolve));
      expect(stderr).toBe("exit 0\n");
    }
  });
});

describe("what is wrong with a command", () => {
  test.each([
    [["--db", "data", "gett", "a"], /unknown command 'gett'; did you mean get\?/],
    [["--db", "data", "scan", "--lmit", "1"], /unknown option '--lmit'; did you mean --limit\?/],
    [["--db", "data", "get"], /missing required argument 'key'/],
    [["--db", "data", "get", "a", "b"], /too many arguments/],
    [["--db", "data", "scan", "--limit", "x"], /--limit is a whole number, got x/],
    [["--db", "data", "scan", "--prefix", "a", "--lt", "b"], /--prefix excludes/],
    [["--db", "data", "export", "--format", "csv"], /ndjson or tsv, got csv/],
    [["--db", "data", "import", "-", "--on-error", "panic"], /stop or skip, got panic/],
    [["get", "a"], /which database\?/],
    [["--db", "", "get", "a"], /which database\?/],
    [["dump", "nowhere"], /no such file: nowhere/],
  ])("%j exits 2 and says so", async (args, message) => {
    const ran = await kvctl(args);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr).not.toMatch(/\n\s+at /);
  });

  test("a usage error is JSON when JSON was asked for", async () => {
    const ran = await kvctl(["--json", "scan", "--lmit", "1"]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(JSON.parse(ran.stderr)).toMatchObject({ error: { code: "USAGE" } });
  });

  test("no command prints the help on stderr and exits 2", async () => {
    const ran = await kvctl([]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("Commands:");
  });

  test("only reading does not make a database", async () => {
    const { path, run } = newDatabase();
    for (const args of [["get", "a"], ["scan"], ["export"], ["stats"], ["del", "a"], ["verify"]]) {
      const ran = await run(...args);
      expect(ran, args.join()).toMatchObject({ code: 2, stdout: "" });
      expect(ran.stderr).toContain("DATABASE_MISSING");
    }
    expect(existsSync(path)).toBe(false);
  });

  test("an interrupt ends it with 130", async () => {
    const { path } = newDatabase();
    const child = spawn(process.execPath, [kvctlPath, "--db", path, "put", "a", "-"]);
    // It asks for the value once it runs: then it is waiting.
    child.stdin.write("begin");
    await new Promise((resolve) => child.stdin.once("drain", resolve).write("x".repeat(1 << 20)));
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130);
    expect(existsSync(path)).toBe(false);
  });

  test("a stack is shown only when asked for", async () => {
    const ran = await kvctl(["--db", "/nowhere", "get", "a"], { env: { KVCTL_DEBUG: "1" } });
    expect(ran.stderr).toMatch(/\n\s+at /);
  });
});

describe("help", () => {
  test("every command has examples, and shows them with -h", async () => {
    for (const { name, examples } of commands) {
      expect(examples.length).toBeGreaterThan(0);
      for (const line of examples) expect(line).toMatch(new RegExp(`kvctl .*\\b${name}\\b`));
    }
    for (const name of ["put", "import"]) {
      const ran = await kvctl([name, "-h"]);
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(ran.stdout).toContain(`Usage: kvctl ${name}`);
      expect(ran.stdout).toMatch(/Examples:\n {2}\S/);
    }
  });

  test("the program lists its commands and exit codes", async () => {
    const ran = await kvctl(["--help"]);
    expect(ran.code).toBe(0);
    for (const { name } of commands) expect(ran.stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
    expect(ran.stdout).toContain("Exit codes: 0 ok");
  });
});

describe("beside a live writer", () => {
  test("reading works, writing is refused and names the holder", async () => {
    const { path, run } = newDatabase();
    const engine = await openEngine(path);
    try {
      await engine.put("a", "live");
      expect(await run("get", "a")).toMatchObject({ code: 0, stdout: "live" });
      expect(await run("scan", "--count")).toMatchObject({ code: 0, stdout: "1\n" });
      expect((await run("stats")).code).toBe(0);
      const refused = await run("put", "a", "mine");
      expect(refused).toMatchObject({ code: 2, stdout: "" });
      expect(refused.stderr).toContain("LOCKED");
      expect(refused.stderr).toContain(`${process.pid}`);
      expect(await run("get", "a")).toMatchObject({ stdout: "live" });
    } finally {
      await engine.close();
    }
    expect(readdirSync(path)).not.toContain("LOCK.tmp");
  });

  test("KVCTL_DB names the database when --db does not", async () => {
    const { path, run } = newDatabase();
    await run("put", "a", "b");
    expect(await kvctl(["get", "a"], { env: { KVCTL_DB: path } })).toMatchObject({ stdout: "b" });
  });
});
