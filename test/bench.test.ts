/** The parts of the benchmark that could mislead: what it draws, counts, and calls a change. */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { UsageError } from "../bench/arguments.ts";
import { chartOf } from "../bench/chart.ts";
import { parseChoices } from "../bench/choices.ts";
import { changesBetween, compareReports } from "../bench/compare.ts";
import { diskBytesAtMost, Progress } from "../bench/forecast.ts";
import { judgeAll, leastNoticed, type Pair } from "../bench/judge.ts";
import { Chance, keyOf, missingKeyOf, Shuffle, Values, Zipf } from "../bench/keys.ts";
import { type Measurement, spreadOf } from "../bench/measurement.ts";
import { type Report, Results, readReport } from "../bench/report.ts";
import { suiteSeconds } from "../bench/rounds.ts";
import { bestPeer, ratesTable } from "../bench/table.ts";
import { kvctl, kvctlPath } from "./cli/run-kvctl.ts";

describe("keys", () => {
  test.each([1, 2, 1000, 4097])("a shuffle of %i numbers gives each once", (n) => {
    const shuffle = new Shuffle(n, 7);
    const seen = new Set(Array.from({ length: n }, (_, i) => shuffle.at(i)));
    expect(seen.size).toBe(n);
    expect(Math.max(...seen)).toBe(n - 1);
  });

  test("a missing key lies between two present ones", () => {
    expect(keyOf(41).compare(missingKeyOf(41))).toBe(-1);
    expect(missingKeyOf(41).compare(keyOf(42))).toBe(-1);
    expect(keyOf(199_999_999).toString()).toBe("0000001999999990");
  });

  test("zipfian ranks are in range, and the first takes its share", () => {
    const n = 1000;
    const zipf = new Zipf(n, new Chance(3));
    const draws = Array.from({ length: 20_000 }, () => zipf.rank());
    expect(Math.min(...draws)).toBe(0);
    expect(Math.max(...draws)).toBeLessThan(n);
    // 1 / the sum of 1 / i^0.99 for 1,000 ranks.
    const share = draws.filter((rank) => rank === 0).length / draws.length;
    expect(share).toBeGreaterThan(0.11);
    expect(share).toBeLessThan(0.15);
  });

  test("versions of a value differ, and each is what it was", () => {
    const values = new Values(100);
    expect(values.of(5, 1).equals(values.of(5))).toBe(false);
    expect(new Values(100).of(5, 1).equals(values.of(5, 1))).toBe(true);
  });
});

describe("judging a change", () => {
  const judge = (before: readonly number[], after: readonly number[]) =>
    judgeAll([{ row: "a", isPeer: false, lessIsBetter: false, before, after }])[0];

  test("ranges that overlap are noise", () => {
    expect(judge([90, 100, 110], [70, 80, 91])).toBe("same");
    expect(judge([99, 100, 101], [100.5, 140, 141])).toBe("same");
  });

  test("ranges that lie a little apart are noise, too, where rounds scatter much", () => {
    expect(judge([90, 100, 110], [75, 80, 89])).toBe("same");
    expect(judge([98, 100, 102], [75, 76, 77])).toBe("worse");
    expect(judge([98, 100, 102], [130, 131, 132])).toBe("better");
  });

  test("less is better for times and bytes", () => {
    const pair = { row: "a", isPeer: false, lessIsBetter: true };
    const values = { before: [98, 100, 102], after: [130, 131, 132] };
    expect(judgeAll([{ ...pair, ...values }])).toEqual(["worse"]);
  });

  test("fewer than three rounds prove nothing, and neither does a zero", () => {
    expect(judge([90, 90], [10, 10, 10])).toBe("unsure");
    expect(judge([90, 95, 96], [10, 20])).toBe("unsure");
    expect(judge([0, 0, 1], [10, 20, 30])).toBe("unsure");
  });

  test("a change that the peers of the row share is the machine's", () => {
    const ours = { row: "a", isPeer: false, lessIsBetter: false };
    const slower = { before: [99, 100, 101], after: [69, 70, 71] };
    const steady = { before: [99, 100, 101], after: [99, 100, 102] };
    const peer = { ...ours, isPeer: true };
    const first = (pairs: readonly Pair[]) => judgeAll(pairs)[0];
    const mine = { ...ours, ...slower };
    expect(first([mine, { ...peer, ...slower }, { ...peer, ...slower }])).toBe("same");
    expect(first([mine, { ...peer, ...steady }, { ...peer, ...steady }])).toBe("worse");
    // Peers of another row say nothing of this one.
    const elsewhere = { ...peer, ...slower, row: "b" };
    expect(first([mine, elsewhere, elsewhere])).toBe("worse");
  });

  test("code that did not change raises an alarm in few comparisons of forty rows", () => {
    const chance = new Chance(11);
    const alarms = Array.from({ length: 300 }, () => comparison(chance, { slower: 0 })).filter(
      (verdicts) => verdicts.some((verdict) => verdict !== "same"),
    );
    expect(alarms.length, "of 300, seed 11").toBeLessThan(30);
  });

  test("a fifth less is found where rounds scatter by a few percent", () => {
    const chance = new Chance(12);
    const shape = { slower: 0.2, scatterMost: 0.05 };
    const found = Array.from({ length: 100 }, () => comparison(chance, shape)).filter(
      ([changed]) => changed === "worse",
    );
    expect(found.length, "of 100, seed 12").toBeGreaterThan(80);
  });

  test("what the scatter of rounds can hide shrinks with more of them", () => {
    const pair = { row: "a", isPeer: false, lessIsBetter: false };
    const three = [90, 100, 110];
    const nine = [...three, ...three, ...three];
    const few = leastNoticed([{ ...pair, before: three, after: three }]) ?? 0;
    const many = leastNoticed([{ ...pair, before: nine, after: nine }]) ?? 0;
    expect(few).toBeGreaterThan(1.5 * many);
    expect(many).toBeGreaterThan(0.03);
    expect(leastNoticed([{ ...pair, before: [1], after: three }])).toBeUndefined();
  });

  test("rows are matched by workload, callers and size", () => {
    const before = report([["everwrite", [100, 101, 102]]]);
    const after = report([["everwrite", [80, 81, 82]]]);
    expect(changesBetween(before, after).map(({ verdict }) => verdict)).toEqual(["worse"]);
    const other = { ...after, rows: after.rows.map((row) => ({ ...row, callers: 128 })) };
    expect(changesBetween(before, other)).toEqual([]);
    expect(() => compareReports(before, other, () => {})).toThrow(/no row in common/);
  });

  test("facts of scenes are compared too, and what has no unit is left out", () => {
    const fact = { engine: "everwrite", name: "open", unit: "ms", value: 1 };
    const scene = { scene: "recovery", n: 1000, valueBytes: 100, failures: [] };
    const withFacts = (...values: number[]): Report => ({
      ...report([]),
      scenes: [
        {
          ...scene,
          facts: values.flatMap((value) => [
            { ...fact, value },
            { ...fact, name: "entries", unit: "", value },
          ]),
        },
      ],
    });
    const changes = changesBetween(withFacts(10, 10.1, 10.2), withFacts(15, 15.1, 15.2));
    expect(changes).toMatchObject([{ label: "recovery: open, ms", verdict: "worse" }]);
  });

  test("only a regression of ours fails, and a moving machine is said to move", () => {
    const base = report([["everwrite", [100, 101, 102]], ...peersAt(100)]);
    const faster = report([["everwrite", [130, 131, 132]], ...peersAt(100)]);
    const slower = report([["everwrite", [80, 81, 82]], ...peersAt(100)]);
    const moved = report([["everwrite", [80, 81, 82]], ...peersAt(80)]);
    expect(compared(base, slower)).toMatchObject({ code: 1 });
    expect(compared(base, slower).text).toContain("everwrite: 1 worse and 0 better, of 1");
    expect(compared(base, faster)).toMatchObject({ code: 0 });
    expect(compared(base, moved)).toMatchObject({ code: 0 });
    expect(compared(base, moved).text).toContain("the machine did, so measure again");
    expect(compared(base, slower).text).not.toContain("measure again");
  });
});

describe("a run says beforehand", () => {
  const shape = { n: 1_000_000, valueBytes: 100 };
  const choices = { chosen: [], callers: [1, 128], secondsMax: 30, sizes: [shape] };

  test("how long it takes: more engines, rounds and keys take longer, and rows are bounded", () => {
    const once = suiteSeconds({ ...choices, speeds: [1], rounds: 1 });
    expect(suiteSeconds({ ...choices, speeds: [1, 1, 1, 1, 1], rounds: 3 })).toBeCloseTo(15 * once);
    expect(once).toBeGreaterThan(60);
    const huge = { ...choices, chosen: ["fillrandom"], sizes: [{ ...shape, n: 1e8 }] };
    expect(suiteSeconds({ ...huge, speeds: [1], rounds: 1 })).toBeLessThan(2 * 31);
    expect(suiteSeconds({ ...choices, sizes: [], speeds: [1, 1, 1, 1, 1], rounds: 3 })).toBe(0);
  });

  test("how much disk: by its largest data set", () => {
    const large = { n: 1_000_000, valueBytes: 4096 };
    expect(diskBytesAtMost([shape, large])).toBe(diskBytesAtMost([large]));
    expect(diskBytesAtMost([large])).toBeGreaterThan(2 * 4096e6);
  });

  test("and on its way how much is left, by what its steps took", () => {
    const lines: string[] = [];
    let now = 0;
    const progress = new Progress(
      100,
      (line) => lines.push(line),
      () => now,
    );
    progress.begin("first");
    now = 100;
    progress.end(50);
    progress.begin("second");
    expect(lines).toEqual([
      "first (1 s gone, about 2 min left)",
      "second (2 min gone, about 2 min left)",
    ]);
  });
});

describe("a result on disk", () => {
  test("grows with each part, and what it lacks is empty when it is read", () => {
    const directory = mkdtempSync(join(tmpdir(), "everwrite-bench-test-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const path = join(directory, "new", "results.json");
    const { environment } = report([]);
    const results = new Results(path, { command: "c", environment, notes: [] });
    const { rows } = report([["everwrite", [1]]]);
    results.add({ rows });
    expect(readReport(path)).toMatchObject({ command: "c", scenes: [], micro: [] });
    results.add({ scenes: [{ scene: "loop", n: 1, valueBytes: 1, facts: [], failures: [] }] });
    const read = readReport(path);
    expect(read.scenes.length).toBe(1);
    expect(read.rows[0]?.engines[0]?.rounds.length).toBe(1);
    writeFileSync(path, "{");
    expect(() => readReport(path)).toThrow(/not a result/);
    writeFileSync(path, JSON.stringify({ kind: "everwrite-bench", version: 1, rows }));
    expect(readReport(path).scenes).toEqual([]);
  });

  test("is refused at once where it cannot be written", () => {
    const head = { command: "c", environment: report([]).environment, notes: [] };
    expect(() => new Results(join(tmpdir(), "."), head)).toThrow();
  });
});

describe("a report", () => {
  const shown = report([
    ["everwrite", [300, 200, 400]],
    ["lmdb", [100, 150, 200]],
    ["rocksdb", []],
    ["(driver)", [9000, 9000, 9000]],
  ]);

  test("has medians, and ratios to the best peer, which the driver is not", () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(bestPeer(shown.rows[0]!)?.engine).toBe("lmdb");
    const text = ratesTable(shown);
    expect(text).toContain("300 (200–400)");
    expect(text).toContain("2.00 (1.00–4.00) lmdb");
    expect(text).toMatch(/150 \(100–200\) +— /);
  });

  test("is drawn with a dash for what a peer lacks", () => {
    const svg = chartOf(shown);
    expect(svg).toMatch(/^<svg [^>]+>/);
    expect(svg).toContain(">300<");
    expect(svg).toContain(">—<");
    expect(svg).not.toContain("9,000");
    expect(chartOf(shown, [shown.rows[0]!.workload])).toBe(svg);
    expect(() => chartOf(shown, ["readseq"])).toThrow("no rows");
  });
});

describe("arguments", () => {
  test("sizes multiply", () => {
    const choices = parseChoices(["engine", "--n", "1e6,1e7", "--value", "100,1024"]);
    expect(choices?.sizes.length).toBe(4);
  });

  test.each([
    [["ycsb"]],
    [["engine", "--n", "many"]],
    [["engine", "--peers", "mongodb"]],
    [["engine", "--fast"]],
    [["engine", "micro"]],
    [["engine", "--rounds", "2,3"]],
    [["micro", "everything"]],
    [["compare", "one.json"]],
    [["compare", "1.json", "2.json", "3.json"]],
    [["chart"]],
  ])("%j is a mistake in usage", (argv) => {
    expect(() => parseChoices(argv)).toThrow(UsageError);
  });
});

describe("kvctl bench", () => {
  test("reads its own arguments, and explains them", async () => {
    const help = await kvctl(["bench", "-h"]);
    expect(help).toMatchObject({ code: 0, stderr: "" });
    expect(help.stdout).toContain("--peers-dir D");
    expect(await kvctl(["bench", "engine", "--fast"])).toMatchObject({ code: 2, stdout: "" });
    const missing = await kvctl(["bench", "compare", "no.json", "no.json", "--json", "x"]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("no.json") });
  });

  test("takes no database", async () => {
    const ran = await kvctl(["--db", "data", "bench"]);
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining("--dir") });
  });

  test("leaves no database behind when it is interrupted", async () => {
    const directory = mkdtempSync(join(tmpdir(), "everwrite-bench-test-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const args = ["engine", "--peers", "none", "--n", "1000000", "--dir", directory];
    const child = spawn(process.execPath, [kvctlPath, "bench", ...args]);
    const left = new Promise((resolve) => child.on("close", resolve));
    child.stderr.setEncoding("utf8");
    for await (const text of child.stderr) {
      if (!String(text).includes("stage 1")) continue;
      child.kill("SIGINT");
      break;
    }
    expect(await left).toBe(130);
    expect(readdirSync(directory)).toEqual([]);
  });
});

function report(engines: readonly (readonly [string, readonly number[]])[]): Report {
  const row = { workload: "readrandom", callers: 1, n: 1000, valueBytes: 100 };
  return {
    ...{ kind: "everwrite-bench", version: 1, command: "", notes: [], micro: [], scenes: [] },
    environment: {
      ...{ node: "v20", everwrite: "0", platform: "linux x64", processor: "x", processors: 2 },
      ...{ memoryBytes: 2 ** 30, load: 0, at: "" },
    },
    rows: [
      {
        ...row,
        durability: "read",
        what: "",
        engines: engines.map(([engine, rates]) => ({
          engine,
          absent: rates.length === 0 ? "has no such operation" : undefined,
          rounds: rates.map(measurement),
        })),
      },
    ],
  };
}

function peersAt(rate: number): [string, number[]][] {
  const rates = [0.99 * rate, rate, 1.01 * rate];
  return [
    ["lmdb", rates],
    ["sqlite", rates],
  ];
}

function compared(before: Report, after: Report): { code: number; text: string } {
  const lines: string[] = [];
  const code = compareReports(before, after, (line) => lines.push(line));
  return { code, text: lines.join("\n") };
}

/**
 * Our verdicts on forty rows of five engines, three rounds each, of which each engine and row
 * scatters by its own share; only the first row of ours has changed.
 */
function comparison(
  chance: Chance,
  { slower, scatterMost = 0.12 }: { slower: number; scatterMost?: number },
): (string | undefined)[] {
  const pairs: Pair[] = [];
  for (let row = 0; row < 40; row++) {
    for (let engine = 0; engine < 5; engine++) {
      const scatter = 0.02 + (scatterMost - 0.02) * chance.fraction();
      const rounds = (change: number): number[] =>
        [1, 2, 3].map(() => Math.exp(change + scatter * normal(chance)));
      const change = row === 0 && engine === 0 ? Math.log(1 - slower) : 0;
      const values = { before: rounds(0), after: rounds(change) };
      pairs.push({ row: String(row), isPeer: engine > 0, lessIsBetter: false, ...values });
    }
  }
  return judgeAll(pairs).filter((_, i) => i % 5 === 0);
}

/** By Box and Muller. */
function normal(chance: Chance): number {
  const radius = Math.sqrt(-2 * Math.log(1 - chance.fraction()));
  return radius * Math.cos(2 * Math.PI * chance.fraction());
}

function measurement(rate: number): Measurement {
  return {
    ...{ rate, operations: 1, seconds: 1, drainSeconds: 0, cutShort: false, cpuSeconds: 1 },
    latency: { p50Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1, samples: 1 },
    ...{ peakBytes: 1, diskBytes: 1, writtenBytes: 1 },
    ...{ writeAmplification: undefined, spaceAmplification: undefined, details: undefined },
  };
}
