import { spawn } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { kvctl, newDatabase, scratch } from "./run-kvctl.ts";

type Database = ReturnType<typeof newDatabase>;

async function filled(): Promise<Database> {
  const database = newDatabase();
  const lines = Array.from(
    { length: 2000 },
    (_, i) => `{"key":"k${String(i).padStart(5, "0")}","value":"${"v".repeat(i % 40)}"}`,
  );
  expect((await database.feed(lines.join("\n"), "import", "-")).code).toBe(0);
  return database;
}

function fileOf({ path }: Database, pattern: RegExp): string {
  const name = readdirSync(path)
    .filter((file) => pattern.test(file))
    .sort()
    .at(-1);
  if (name === undefined) throw new Error(`no ${pattern} in ${readdirSync(path)}`);
  return join(path, name);
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 0x40;
  writeFileSync(path, bytes);
}

describe("stats", () => {
  test("counts what is there, for people and for programs", async () => {
    const database = await filled();
    await database.run("compact");
    const { stdout } = await database.run("stats", "--json");
    const stats = JSON.parse(stdout);
    const levels: { entries: number }[] = stats.levels;
    expect(levels.reduce((sum, level) => sum + level.entries, 0)).toBe(2000);
    const text = (await database.run("stats")).stdout;
    expect(text).toMatch(
      /^level +tables +bytes +entries +tombstones\n *\d +1 +[\d.]+ KiB +2,000 +0\n/,
    );
    for (const name of ["memtable", "write amplification", "cache hit rate"]) {
      expect(text).toContain(name);
    }
  });
});

describe("verify", () => {
  test("says ok, and what it has read", async () => {
    const database = await filled();
    await database.run("compact");
    expect(await database.run("verify")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ok: 1 table with 2,000 entries/),
    });
  });

  test("names file and offset of damage, and exits 1", async () => {
    const database = await filled();
    await database.run("compact");
    const table = fileOf(database, /\.sst$/);
    flipByte(table, 1000);
    const ran = await database.run("verify");
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/^damaged: .*\d+\.sst at byte \d+: /);
    const json = await database.run("verify", "--json");
    expect(json.code).toBe(1);
    const { ok, problems } = JSON.parse(json.stdout);
    expect(ok).toBe(false);
    expect(problems[0]).toMatchObject({
      file: expect.stringContaining(".sst"),
      offset: expect.any(Number),
    });
  });

  test("takes the torn tail of a killed process for what it is", async () => {
    const database = newDatabase();
    const door = new URL("../../dist/native-free-engine/index.js", import.meta.url);
    const script = `import { openEngine } from "${door}";
      const engine = await openEngine(process.argv[1]);
      for (let i = 0; i < 100; i++) await engine.put("k" + i, "v".repeat(100));
      process.kill(process.pid, "SIGKILL");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, database.path]);
    expect(await new Promise((resolve) => child.on("close", (_, signal) => resolve(signal)))).toBe(
      "SIGKILL",
    );
    // A write that the system had begun: some bytes of a record.
    const log = fileOf(database, /\.log$/);
    const bytes = readFileSync(log);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const torn = Buffer.concat([bytes.subarray(0, (end + 7) & ~7), Buffer.from("torn write!")]);
    writeFileSync(log, torn);
    const ran = await database.run("verify");
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("unfinished write") });
    expect(ran.stdout).toContain(".log");
    expect((await database.run("scan", "--count")).stdout).toBe("100\n");
  });
});

describe("salvage", () => {
  test("makes a damaged database readable again, and says what it did", async () => {
    const database = await filled();
    await database.run("compact");
    flipByte(fileOf(database, /^MANIFEST-/), 100);
    expect((await database.run("get", "k00001")).code).toBe(1);
    const ran = await database.run("salvage");
    expect(ran.code, ran.stderr).toBeOneOf([0, 9]);
    expect(ran.stdout).not.toBe("");
    expect((await database.run("verify")).code).toBe(0);
    expect((await database.run("scan", "--count")).stdout).toBe("2000\n");
  });
});

describe("compact and checkpoint", () => {
  test("compact frees what deleted entries held", async () => {
    const { run, feed } = newDatabase();
    const value = "v".repeat(1000);
    const lines = Array.from({ length: 500 }, (_, i) => `{"key":"k${i}","value":"${value}"}`);
    await feed(lines.join("\n"), "import", "-");
    await run("compact");
    for (const key of ["k1", "k2"]) await run("del", key);
    const ran = await run("compact", "--json");
    expect(ran.code).toBe(0);
    const { levels } = JSON.parse((await run("stats", "--json")).stdout);
    const sum = (name: string): number =>
      levels.reduce((total: number, level: Record<string, number>) => total + level[name]!, 0);
    expect([sum("entries"), sum("tombstones")]).toEqual([498, 0]);
  });

  test("a checkpoint is a database of its own", async () => {
    const database = await filled();
    const copy = join(scratch(), "copy");
    expect(await database.run("checkpoint", copy)).toMatchObject({ code: 0 });
    await database.run("put", "later", "x");
    expect((await kvctl(["--db", copy, "get", "later"])).code).toBe(3);
    expect((await kvctl(["--db", copy, "scan", "--count"])).stdout).toBe("2000\n");
    expect((await kvctl(["--db", copy, "verify"])).code).toBe(0);
  });
});

describe("dump", () => {
  test.each([/\.sst$/, /\.log$/, /^MANIFEST-/])("describes a file like %s", async (pattern) => {
    const database = await filled();
    await database.run("compact");
    await database.run("put", "again", "x");
    const path = fileOf(database, pattern);
    const text = await kvctl(["dump", path]);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toMatch(/^kind: /m);
    const name = path.slice(database.path.length + 1);
    const json = await database.run("dump", name, "--json");
    expect(json).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(json.stdout)).toHaveProperty("kind");
  });

  test("of a damaged file shows what can be read, names the damage and exits 1", async () => {
    const database = await filled();
    await database.run("compact");
    const table = fileOf(database, /\.sst$/);
    flipByte(table, 1000);
    const ran = await kvctl(["dump", table]);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/^damage: 1\n {2}offset=\d+ {2}what=/m);
    expect(ran.stdout).toMatch(/^entries: \d+\n {2}kind=put {2}key="k\d+"/m);
  });

  test("of something else is refused", async () => {
    const file = join(scratch(), "notes.txt");
    appendFileSync(file, "this is no table");
    const ran = await kvctl(["dump", file]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("notes.txt is no file of a database");
  });
});
