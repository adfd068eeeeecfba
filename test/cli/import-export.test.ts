import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { randomBytes, randomFrom, seed } from "../support/random.ts";
import { kvctlPath, newDatabase, scratch } from "./run-kvctl.ts";

describe("import", () => {
  test("reads NDJSON with a byte order mark, CRLF, blank lines and an open end", async () => {
    const { run, feed } = newDatabase();
    const [first, second, third] = [
      '{"key":"a","value":"1"}',
      '{"key":"b","value":{"x":[1, 2]}}',
      '{"key":"c","value":7}',
    ];
    const lines = `\ufeff${first}\r\n\r\n${second}\n\n${third}`;
    const ran = await feed(lines, "import", "-");
    expect(ran).toMatchObject({ code: 0, stdout: "" });
    expect(ran.stderr).toMatch(/^imported 3 entries in .*\/s\n$/);
    expect((await run("scan")).stdout).toBe('a\t1\nb\t{"x":[1, 2]}\nc\t7\n');
  });

  test("of two lines with one key the later one wins, across batches too", async () => {
    const { run, feed } = newDatabase();
    const lines = Array.from({ length: 5000 }, (_, i) => `{"key":"k${i % 7}","value":"${i}"}`);
    expect((await feed(lines.join("\n"), "import", "-")).code).toBe(0);
    expect((await run("scan", "--keys-only")).stdout.trim().split("\n")).toHaveLength(7);
    expect((await run("get", "k1")).stdout).toBe("4999");
  });

  test("stops at a bad line with its number, and keeps what came before", async () => {
    const { run, feed } = newDatabase();
    const lines = Array.from({ length: 3000 }, (_, i) => `{"key":"k${i}","value":"v"}`);
    lines[2500] = "not json";
    const ran = await feed(lines.join("\n"), "import", "-");
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("line 2501: not JSON");
    expect(ran.stderr).toContain("kept 2,500 entries");
    expect(await run("scan", "--count")).toMatchObject({ code: 0, stdout: "2500\n", stderr: "" });
  });

  test("skips bad lines when told to, exits 9 and keeps the rest", async () => {
    const { run, feed } = newDatabase();
    const good = (i: number): string => `{"key":"k${i}","value":"v"}`;
    const lines = [good(1), "{", good(2), '{"key":3,"value":"v"}', good(4), '{"key":"x"}'];
    const bytes = Buffer.concat([Buffer.from(`${lines.join("\n")}\n`), Buffer.from([0xff, 10])]);
    const ran = await feed(bytes, "import", "-", "--on-error", "skip");
    expect(ran.code).toBe(9);
    for (const number of [2, 4, 6, 7]) expect(ran.stderr).toContain(`line ${number} skipped`);
    expect(ran.stderr).toMatch(/imported 3 entries, skipped 4 lines/);
    expect((await run("scan", "--count")).stdout).toBe("3\n");
    const json = await feed(bytes, "import", "-", "--on-error", "skip", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ imported: 3, skipped: 4, lines: 7 });
  });

  test("an endless list of bad lines does not become an endless list of messages", async () => {
    const { feed } = newDatabase();
    const ran = await feed("bad\n".repeat(1000), "import", "-", "--on-error", "skip");
    expect(ran.code).toBe(9);
    expect(ran.stderr.split("\n").length).toBeLessThan(20);
    expect(ran.stderr).toContain("skipped 1,000 lines");
  });

  test("reads TSV: key, TAB, and all the rest of the line as the value", async () => {
    const { run, feed } = newDatabase();
    const ran = await feed('a\t1\r\nb\tx\ty\nc\t"quoted\\n"\n', "import", "-", "--format", "tsv");
    expect(ran.code).toBe(0);
    expect((await run("get", "b")).stdout).toBe("x\ty");
    expect((await run("get", "c")).stdout).toBe('"quoted\\n"');
  });

  test("a file that cannot be read is named", async () => {
    const { path, run } = newDatabase();
    expect(await run("import", "/no/such/file")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("/no/such/file"),
    });
    expect(await run("import", "/")).toMatchObject({ code: 2 });
    expect(existsSync(join(path, "CURRENT"))).toBe(false);
  });

  test("an interrupt keeps what came before, and exits 130", async () => {
    const { path, run } = newDatabase();
    const child = spawn(process.execPath, [kvctlPath, "--db", path, "import", "-"]);
    child.stdin.on("error", () => {});
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"key":"k${i}","value":"v"}\n`);
    child.stdin.write(lines.join(""));
    // The lines are taken once the pipe has drained; then the process waits for more.
    await new Promise((resolve) => child.stdin.once("drain", resolve));
    child.kill("SIGINT");
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, stderr]).toEqual([130, expect.stringMatching(/^interrupted: kept [\d,]+ entr/)]);
    const kept = Number(/kept ([\d,]+)/.exec(stderr)?.[1]?.replace(",", ""));
    expect((await run("scan", "--count")).stdout).toBe(`${kept}\n`);
    expect((await run("verify")).code).toBe(0);
  });
});

describe("export", () => {
  test("and import give the same database, for any bytes and in every form", async () => {
    const random = randomFrom(seed);
    const source = newDatabase();
    const lines = Array.from({ length: 2000 }, (_, i) => {
      const key = Buffer.from(randomBytes(random, 1 + (i % 20))).toString("base64");
      const value = Buffer.from(randomBytes(random, i % 50)).toString("base64");
      return JSON.stringify({ key, value });
    });
    expect((await source.feed(lines.join("\n"), "import", "-", "--base64")).code).toBe(0);
    const all = (await source.run("export", "--hex")).stdout;
    expect(all.length, `seed ${seed}`).toBeGreaterThan(2000);
    for (const form of [[], ["--hex"], ["--base64"], ["--format", "tsv", "--base64"]]) {
      const copy = newDatabase();
      const exported = await source.run("export", ...form);
      expect(exported).toMatchObject({ code: 0, stderr: "" });
      expect((await copy.feed(exported.bytes, "import", "-", ...form)).code).toBe(0);
      expect((await copy.run("export", "--hex")).stdout).toBe(all);
    }
  });

  test("refuses TSV where the bytes would not come back", async () => {
    const { run } = newDatabase();
    await run("put", "a", "two\nlines");
    const ran = await run("export", "--format", "tsv");
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("does not fit in a line of TSV");
  });

  test("writes large values whole", async () => {
    const { run } = newDatabase();
    const file = join(scratch(), "large");
    writeFileSync(file, Buffer.alloc(3 << 20, "é"));
    await run("put", "large", "--file", file);
    const { stdout } = await run("export");
    expect(JSON.parse(stdout)).toEqual({ key: "large", value: "é".repeat((3 << 20) / 2) });
  });
});
