/** The parts of the benchmark that could mislead: what it draws, counts, and calls a change. */
import { describe, expect, test } from "vitest";
import { chartOf } from "../bench/chart.ts";
import { parseChoices, UsageError } from "../bench/choices.ts";
import { changesBetween, judge } from "../bench/compare.ts";
import { Chance, keyOf, missingKeyOf, Shuffle, Values, Zipf } from "../bench/keys.ts";
import { type Measurement, type Report, spreadOf } from "../bench/measurement.ts";
import { bestPeer, ratesTable } from "../bench/table.ts";

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
  const rounds = { before: 3, after: 3 };
  const spread = (min: number, max: number) => ({ min, max, median: (min + max) / 2 });

  test("ranges that overlap are noise", () => {
    expect(judge(spread(90, 110), spread(70, 91), rounds)).toBe("same");
    expect(judge(spread(90, 110), spread(109, 140), rounds)).toBe("same");
  });

  test("ranges that do not are a change", () => {
    expect(judge(spread(90, 110), spread(70, 89), rounds)).toBe("worse");
    expect(judge(spread(90, 110), spread(111, 120), rounds)).toBe("better");
  });

  test("fewer than three rounds prove nothing", () => {
    expect(judge(spread(90, 90), spread(10, 10), { before: 1, after: 3 })).toBe("unsure");
    expect(judge(spread(90, 95), spread(10, 20), { before: 3, after: 2 })).toBe("unsure");
  });

  test("rows are matched by workload, callers and size", () => {
    const before = report([["everwrite", [100, 110, 120]]]);
    const after = report([["everwrite", [80, 85, 90]]]);
    expect(changesBetween(before, after).map(({ verdict }) => verdict)).toEqual(["worse"]);
    const other = { ...after, rows: after.rows.map((row) => ({ ...row, callers: 128 })) };
    expect(changesBetween(before, other)).toEqual([]);
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
  ])("%j is a mistake in usage", (argv) => {
    expect(() => parseChoices(argv)).toThrow(UsageError);
  });
});

function report(engines: readonly (readonly [string, readonly number[]])[]): Report {
  const row = { workload: "readrandom", callers: 1, n: 1000, valueBytes: 100 };
  return {
    ...{ kind: "everwrite-bench", version: 1, command: "", notes: [] },
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

function measurement(rate: number): Measurement {
  return {
    ...{ rate, operations: 1, seconds: 1, drainSeconds: 0, cutShort: false, cpuSeconds: 1 },
    latency: { p50Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1, samples: 1 },
    ...{ peakBytes: 1, diskBytes: 1, writtenBytes: 1 },
    ...{ writeAmplification: undefined, spaceAmplification: undefined, details: undefined },
  };
}
