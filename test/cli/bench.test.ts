/** kvctl bench on clusters: one that runs, and those that it starts and ends itself. */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kvctl, kvctlPath, scratch } from "./run-kvctl.ts";
import { startCluster, type TestCluster } from "./serve-process.ts";

describe("kvctl -e … bench", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await startCluster(3);
  });

  afterAll(() => cluster.close());

  const run = (...args: string[]) => kvctl(["-e", cluster.nodes[0]?.address ?? "", ...args]);
  const small = ["--n", "200", "--callers", "8", "--seconds", "1"];

  test("loads, runs the mixes, tells what they cost, and leaves nothing behind", async () => {
    const json = join(scratch(), "ycsb.json");
    const ran = await run("bench", "a", "d", "f", ...small, "--json", json);
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("loaded 200 records") });
    expect(ran.stdout).toMatch(/^A +[\d,]+ .* 0$/m);
    expect(ran.stdout).toMatch(/^ {2}read +[\d,]+ .*\n {2}update +[\d,]+ /m);
    expect(ran.stdout).toMatch(/^F .* 0\n {2}read .*\n {2}read-modify-write +[\d,]+ /m);
    expect(ran.stdout).toMatch(/nodes, for each operation: A: [\d.,]+ µs, \d\.\d\d messages/);
    const { rows } = JSON.parse(readFileSync(json, "utf8")) as { rows: { workload: string }[] };
    expect(rows.map(({ workload }) => workload)).toEqual(["ycsb-a", "ycsb-d", "ycsb-f"]);
    expect((await kvctl(["bench", "compare", json, json])).code).toBe(0);
    expect((await run("scan", "--limit", "5")).stdout).toBe("");
  });

  test("goes on with the records of an earlier run, at a rate, in a bucket", async () => {
    const place = ["--bucket", "load", "--prefix", "y/", "--keep"];
    expect((await run("bench", "c", ...small, ...place)).code).toBe(0);
    const again = await run("bench", "b", ...small, ...place, "--no-load", "--rate", "50");
    expect(again).toMatchObject({ code: 0, stderr: expect.not.stringContaining("loaded") });
    expect(again.stdout).toMatch(/^B +(4\d|5\d) .* 0$/m);
    const kept = await run("scan", "--bucket", "load", "--prefix", "y/");
    expect(kept.stdout.trim().split("\n").length).toBe(200);
  });

  test("a cluster that is not there is unreachable, and a wrong word a mistake", async () => {
    expect((await run("bench", "z")).code).toBe(2);
    const nowhere = await kvctl(["bench", "-e", "127.0.0.1:1", "a"]);
    expect(nowhere).toMatchObject({ code: 5, stdout: "" });
  });
});

describe("kvctl bench cluster", () => {
  test("ends its servers and removes their data when it is interrupted", async () => {
    const directory = join(scratch(), "data");
    mkdirSync(directory);
    const args = ["cluster", "faults", "--faults", "killed", "--dir", directory];
    const child = spawn(process.execPath, [kvctlPath, "bench", ...args], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.on("close", resolve));
    await expect.poll(() => processesOf(directory), { timeout: 30_000 }).toBeGreaterThan(0);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    await expect.poll(() => processesOf(directory), { timeout: 10_000 }).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("starts a cluster, measures it, and leaves neither a file nor a process", async () => {
    const directory = join(scratch(), "data");
    mkdirSync(directory);
    const json = join(scratch(), "cluster.json");
    const size = ["--n", "1000", "--seconds", "1", "--rounds", "1", "--callers", "8"];
    const where = ["--dir", directory, "--json", json, "--stores", "everwrite"];
    const ran = await kvctl(["bench", "cluster", "speed", ...size, ...where]);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stdout).toMatch(/^write ×8 +[\d.,]+$/m);
    expect(readdirSync(directory)).toEqual([]);
    const { rows } = JSON.parse(readFileSync(json, "utf8")) as {
      rows: { workload: string; engines: { rounds: { details: Record<string, number> }[] }[] }[];
    };
    expect(rows.map(({ workload }) => workload)).toEqual(["write", "read", "read-one"]);
    const messages = rows.map(({ engines }) => engines[0]?.rounds[0]?.details["messages"]);
    expect(messages[0]).toBeGreaterThan(5.5);
    expect(messages[1]).toBeGreaterThan(3.5);
    expect(messages[2]).toBeGreaterThan(1.9);
    expect(messages[2]).toBeLessThan(2.5);
  });
});

/** Nodes that keep their data below a directory. */
function processesOf(directory: string): number {
  const commands = readdirSync("/proc").flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0") : [];
    } catch {
      return [];
    }
  });
  const data = commands.filter((_, i) => commands[i - 1] === "--data");
  return data.filter((path) => path.startsWith(directory)).length;
}
