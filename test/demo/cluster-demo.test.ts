/** The cluster's demo: that it passes, that it can fail, and that it cleans up. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { agreementOf, type Replica } from "../../bin/demo/cluster/replicas.ts";
import { pictureOf, type Scene } from "../../bin/demo/cluster/screen.ts";
import type { RingState, Status } from "../../src/index.ts";
import { kvctl, kvctlPath, scratch } from "../cli/run-kvctl.ts";

describe("kvctl demo", () => {
  test("loses a node under load, gets it back, and shows that replicas agree", async () => {
    const temporary = scratch();
    const ran = await kvctl(["demo", "--records", "2000", "--json"], {
      env: { TMPDIR: temporary },
    });
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const { ok, steps } = JSON.parse(ran.stdout);
    expect(ok).toBe(true);
    expect(steps.map(({ name }: { name: string }) => name)).toEqual([
      ...["started", "imported", "read", "kill -9", "back", "stopped", "compared"],
    ]);
    expect(readdirSync(temporary)).toEqual([]);
  }, 120_000);

  test("an interrupt leaves neither nodes nor their directories", async () => {
    const temporary = scratch();
    const child = spawn(process.execPath, [kvctlPath, "demo", "--records", "100000"], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "inherit"],
    });
    // The nodes run once the first step is told.
    await new Promise<void>((resolve) => {
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("started")) resolve();
      });
    });
    const [directory = ""] = readdirSync(temporary);
    expect(readdirSync(join(temporary, directory)).sort()).toEqual(["n1", "n2", "n3"]);
    child.kill("SIGINT");
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(130);
    expect(existsSync(join(temporary, directory))).toBe(false);
  }, 120_000);

  test("--keep leaves the directories, with what was written", async () => {
    const temporary = scratch();
    const args = ["demo", "--records", "100", "--nodes", "4", "--keep"];
    const ran = await kvctl(args, { env: { TMPDIR: temporary } });
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout).toContain("each on exactly 3 nodes");
    const [directory = ""] = readdirSync(temporary);
    const counts = ["n1", "n2", "n3", "n4"].map(async (name) => {
      const db = join(temporary, directory, name);
      return Number((await kvctl(["--db", db, "scan", "--count"])).stdout);
    });
    const copies = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
    // 100 cities and 50 new records.
    expect(copies).toBe(3 * 150);
  }, 120_000);

  test("refuses a cluster that is too small, or no number at all", async () => {
    const ran = await kvctl(["demo", "--nodes", "2"]);
    expect(ran).toMatchObject({ code: 2, stdout: "" });
    expect(ran.stderr).toContain("--nodes is from 3 to 9, got 2");
    expect(await kvctl(["demo", "--records", "x"])).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("what the demo compares", () => {
  const lines = ["a", "b", "c"].map((key) => `{"key":"${key}","value":"${key}1","versions":"v"}`);
  const expected = new Map([...["a", "b", "c"].map((key) => [key, `${key}1`] as const)]);
  const replica = (...of: readonly string[]): Replica => ({ digest: of.join(), lines: of });
  const agree = (...replicas: readonly Replica[]) => agreementOf(replicas, { copies: 3, expected });

  test("equal replicas that hold what was written agree", () => {
    const whole = replica(...lines);
    expect(agree(whole, whole, whole)).toEqual({ unequal: 0, wrong: 0, keys: 3 });
  });

  test("a key that one lacks, or has in another version, is noticed", () => {
    const whole = replica(...lines);
    expect(agree(whole, whole, replica(...lines.slice(1))).unequal).toBe(1);
    const [first = "", ...rest] = lines;
    const changed = replica(first.replace('"v"', '"w"'), ...rest);
    expect(agree(whole, whole, changed).unequal).toBe(2);
  });

  test("what all have lost, changed, split or made up is noticed", () => {
    const [first = "", ...rest] = lines;
    const all = (...of: readonly string[]): number => {
      const same = replica(...of);
      return agree(same, same, same).wrong;
    };
    expect(all(...rest)).toBe(1);
    expect(all(first.replace("a1", "a2"), ...rest)).toBe(1);
    expect(all('{"key":"a","values":["a1","a2"],"versions":"v"}', ...rest)).toBe(1);
    expect(all(...lines, '{"key":"d","value":"d1","versions":"v"}')).toBe(1);
  });
});

describe("the demo's picture", () => {
  const member = (id: number) => ({ id, address: `h:${id}`, state: "member" }) as const;
  const ring = {
    members: [member(1), member(2), member(5)],
    owners: Array.from({ length: 12 }, (_, i) => (i < 6 ? [1, 2, 5] : [5, 1, 2])),
  } as unknown as RingState;
  const status = {
    nodes: [1, 2, 5].map((id) => ({ ...member(id), live: id !== 5, hints: id === 5 ? 1234 : 0 })),
    hintsPending: 1234,
    rootsAgree: false,
  } as unknown as Status;

  test("marks each place with its first live owner, and tells who is away", () => {
    const tally = { writes: 10, reads: 0, errors: 0, wrong: 0, said: [] };
    const scene: Scene = {
      act: "now",
      share: () => 0.5,
      tally,
      earlier: { writes: 90, reads: 7 },
      ring,
      status: undefined,
    };
    const whole = plain(pictureOf(scene));
    expect(whole[0]?.trim()).toMatch(/^3+1+ +now$/);
    expect(whole.join("\n")).not.toContain("2");
    const without = plain(pictureOf({ ...scene, status }));
    expect(without.map((line) => line.slice(0, 34)).join("")).not.toMatch(/[23]/);
    expect(without.join("\n")).toMatch(/3 {2}h:5 +DOWN {2}1,234 hints wait for it/);
    expect(without.join("\n")).toMatch(
      /writes +100 .*\n.*reads +7 .*\n.*hints +1,234 +replicas differ/,
    );
  });

  function plain(lines: readonly string[]): readonly string[] {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
    return lines.map((line) => line.replace(/\u001b\[\d+m/g, ""));
  }
});
