/**
 * Picking compactions: whatever the tree looks like, a plan leaves it sound, loses no order of old
 * and new, and repeating it ends with every level in shape.
 */
import { describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { levelCount } from "../../native-free-engine/base/limits.ts";
import {
  type LevelLimits,
  type PickState,
  type Plan,
  pickCompaction,
  pickIdle,
  pickRange,
  pressure,
  scoreOf,
} from "../../native-free-engine/compaction/pick.ts";
import type { TableMeta } from "../../native-free-engine/table/meta.ts";
import { applyEdit, overlaps, type Version } from "../../native-free-engine/version.ts";
import { pick, randomFrom, seed } from "../support/random.ts";
import { key, numbersOf, paperTable, versionOf } from "./version-fixture.ts";

const limits: LevelLimits = {
  l0Trigger: 4,
  l0SlowAt: 8,
  l0StopAt: 20,
  baseBytes: 8000,
  growth: 4,
  tableBytes: 2000,
};

const everything = { low: undefined, high: undefined };
const fresh = (): PickState => ({ cursors: [] });

/** The plan's inputs, by level. */
function inputsOf(plan: Plan): { level: number; number: number }[] {
  if (plan.kind === "merge") return [...plan.removed];
  return [{ level: plan.from, number: plan.table.number }];
}

describe("a plan on any tree", () => {
  /** A sound tree with no meaning: full or empty levels, wide and narrow tables. */
  function randomTree(random: () => number): Version {
    let number = 0;
    const levels: TableMeta[][] = [];
    for (let level = levelCount - 1; level >= 0; level--) {
      const tables: TableMeta[] = [];
      const width = 1 + pick(random, 300);
      const count = pick(random, 3) === 0 ? 0 : pick(random, level === 0 ? 10 : 40);
      for (let i = 0, at = pick(random, 500); i < count && at < 9000; i++) {
        if (level === 0) at = pick(random, 8000);
        const end = at + pick(random, width);
        const tombstones = pick(random, 4) === 0 ? pick(random, 11) : 0;
        const firstExpiry = pick(random, 6) === 0 ? 1 + pick(random, 200) : 0;
        const bytes = 100 + pick(random, 3000);
        const fields = { bytes, tombstones, firstExpiry };
        tables.push(paperTable(++number, digits(at), digits(end), fields));
        at = end + 1 + pick(random, width);
      }
      levels.unshift(tables);
    }
    return versionOf(...levels);
  }

  /** Every way of choosing, on the same tree. */
  function plansFor(version: Version, random: () => number): Plan[] {
    const low = digits(pick(random, 9000));
    const bounds = pick(random, 3) === 0 ? everything : { low: key(low), high: key(`${low}~`) };
    const before = pick(random, 2) === 0 ? Number.MAX_SAFE_INTEGER : 1 + pick(random, 100);
    return [
      pickCompaction(version, limits, { cursors: [] }),
      pickIdle(version),
      pickRange(version, bounds, { now: 100, before }),
    ].filter((plan) => plan !== undefined);
  }

  /** Runs a claim over many trees; a failure names the tree. */
  function holds(claim: (version: Version, plan: Plan) => void): void {
    const random = randomFrom(seed);
    const kinds = new Set<string>();
    for (let round = 0; round < 300; round++) {
      const version = randomTree(random);
      for (const plan of plansFor(version, random)) {
        kinds.add(`${plan.kind} from ${plan.from === 0 ? "the top" : "below"}`);
        try {
          claim(version, plan);
        } catch (cause) {
          throw new Error(`seed ${seed}, round ${round}: ${plan.kind} from ${plan.from}`, {
            cause,
          });
        }
      }
    }
    expect(kinds.size, "every kind of plan came up").toBe(4);
  }

  test("takes tables that are there, each once, and goes down by one level or rewrites", () => {
    holds((version, plan) => {
      const inputs = inputsOf(plan);
      expect(new Set(inputs.map(({ number }) => number)).size).toBe(inputs.length);
      for (const { level, number } of inputs) {
        expect(numbersOf(version.levels[level]!)).toContain(number);
        expect([plan.from, plan.to]).toContain(level);
      }
      expect(plan.to - plan.from).toBe(plan.from === plan.to ? 0 : 1);
      if (plan.kind === "merge") {
        expect(numbersOf(plan.runs.flat()).sort()).toEqual(inputs.map((i) => i.number).sort());
      }
    });
  });

  test("leaves the output level disjoint, however its outputs are cut", () => {
    holds((version, plan) => {
      const { table } = widest(plan);
      const number = Number.MAX_SAFE_INTEGER;
      const removed = inputsOf(plan);
      applyEdit(version, { added: [{ level: plan.to, table: { ...table, number } }], removed });
    });
  });

  test("passes by no older table of the level it comes from", () => {
    holds((version, plan) => {
      if (plan.from !== 0) return;
      const inputs = inputsOf(plan).filter(({ level }) => level === 0);
      const taken = version.levels[0]!.filter((t) => inputs.some((i) => i.number === t.number));
      for (const table of taken) {
        const older = version.levels[0]!.filter((t) => t.number < table.number);
        const shared = older.filter((t) => overlaps(t, table));
        for (const other of shared) expect(numbersOf(taken)).toContain(other.number);
      }
    });
  });

  test("merges runs that are sorted, the newest first", () => {
    holds((version, plan) => {
      if (plan.kind === "move") return;
      for (const run of plan.runs) {
        expect(run.length).toBeGreaterThan(0);
        for (let i = 1; i < run.length; i++) {
          expect(compare(run[i - 1]!.largest, run[i]!.smallest)).toBeLessThan(0);
        }
      }
      const levelOf = (table: TableMeta) =>
        version.levels.findIndex((tables) => tables.includes(table));
      const ages = plan.runs.map((run) => ({ level: levelOf(run[0]!), number: run[0]!.number }));
      for (let i = 1; i < ages.length; i++) {
        const [newer, older] = [ages[i - 1]!, ages[i]!];
        const ordered =
          newer.level < older.level || (newer.level === 0 && newer.number > older.number);
        expect(ordered).toBe(true);
      }
    });
  });

  test("knows where a deeper level may hold an older version of its keys", () => {
    holds((version, plan) => {
      if (plan.kind === "move") return;
      const { smallest, largest } = widest(plan).table;
      for (let i = 1; i < plan.deeper.length; i++) {
        expect(compare(plan.deeper[i - 1]!.largest, plan.deeper[i]!.smallest)).toBeLessThan(0);
      }
      const reachable = version.levels
        .slice(plan.to + 1)
        .flat()
        .filter((table) => overlaps(table, { smallest, largest }));
      for (const table of reachable) {
        const inside = plan.deeper.some(
          (range) =>
            compare(range.smallest, table.smallest) <= 0 &&
            compare(range.largest, table.largest) >= 0,
        );
        expect(inside, `table ${table.number}`).toBe(true);
      }
    });
  });

  test("moves a table only to where it overlaps nothing", () => {
    holds((version, plan) => {
      if (plan.kind === "merge") return;
      const met = version.levels[plan.to]!.filter((table) => overlaps(table, plan.table));
      expect(numbersOf(met)).toEqual([]);
    });
  });
});

describe("level 0", () => {
  const wide = (number: number) => paperTable(number, "a", "z");

  test("stays while it is below its trigger, and goes down as one when it reaches it", () => {
    expect(pickCompaction(versionOf([wide(1), wide(2), wide(3)]), limits, fresh())).toBeUndefined();
    const plan = pickCompaction(versionOf([1, 2, 3, 4].map(wide)), limits, fresh());
    expect(plan).toMatchObject({ kind: "merge", from: 0, to: 1 });
    expect(plan?.kind === "merge" && plan.runs.map(numbersOf)).toEqual([[4], [3], [2], [1]]);
  });

  test("sends down together what is connected, and no more", () => {
    const tables = [
      paperTable(5, "a", "e"),
      paperTable(6, "x", "z"),
      paperTable(7, "h", "l"),
      paperTable(8, "d", "i"),
    ];
    const plan = pickCompaction(versionOf(tables), limits, fresh());
    expect(plan?.kind === "merge" && plan.runs.map(numbersOf)).toEqual([[8], [7], [5]]);
  });

  test("written in key order moves down without being read", () => {
    const tables = ["ab", "cd", "ef", "gh"].map((name, i) => paperTable(i + 1, name[0]!, name[1]!));
    const plan = pickCompaction(versionOf(tables), limits, fresh());
    expect(plan).toMatchObject({ kind: "move", from: 0, to: 1, table: { number: 1 } });
  });

  test("is emptied when nobody writes, even of one table", () => {
    const lower = paperTable(1, "c", "d");
    const plan = pickIdle(versionOf([wide(2)], [lower]));
    expect(plan).toMatchObject({ kind: "merge", runs: [[{ number: 2 }], [{ number: 1 }]] });
    expect(pickIdle(versionOf([], [lower]))).toBeUndefined();
  });
});

describe("deeper levels", () => {
  const big = { bytes: 9000 };

  test("shed the table that rewrites least for its size", () => {
    const upper = [
      paperTable(10, "a", "c", { bytes: 3000 }),
      paperTable(11, "d", "f", { bytes: 3000 }),
      paperTable(12, "g", "i", { bytes: 3000 }),
    ];
    const lower = [
      paperTable(1, "a", "b", { bytes: 4000 }),
      paperTable(2, "e", "e", { bytes: 100 }),
      paperTable(3, "f", "h", { bytes: 5000 }),
    ];
    const plan = pickCompaction(versionOf([], upper, lower), limits, fresh());
    expect(plan).toMatchObject({ from: 1, runs: [[{ number: 10 }], [{ number: 1 }]] });
  });

  test("go round among equals", () => {
    const upper = ["a", "b", "c"].map((name, i) => paperTable(10 + i, name, `${name}~`, big));
    const lower = [paperTable(1, "a", "z", { bytes: 90 })];
    const state = fresh();
    const picks = [0, 1, 2, 3].map(() => {
      const plan = pickCompaction(versionOf([], upper, lower), limits, state);
      return plan?.kind === "merge" ? plan.runs[0]![0]!.number : undefined;
    });
    expect(picks).toEqual([10, 11, 12, 10]);
  });

  test("are the fuller for deletions, and send those first", () => {
    const half = { bytes: 2500 };
    const plain = ["a", "b"].map((name, i) => paperTable(10 + i, name, `${name}~`, half));
    const dense = paperTable(12, "c", "c~", { ...half, tombstones: 4 });
    const lower = [paperTable(1, "a", "z")];
    const without = [...plain, { ...dense, tombstones: 3 }];
    expect(pickCompaction(versionOf([], without, lower), limits, fresh())).toBeUndefined();
    const plan = pickCompaction(versionOf([], [...plain, dense], lower), limits, fresh());
    expect(plan).toMatchObject({ kind: "merge", runs: [[{ number: 12 }], [{ number: 1 }]] });
  });

  test("do not carry deletions on to where nothing is left to delete", () => {
    const dense = paperTable(5, "a", "b", { bytes: 9000, tombstones: 10 });
    const plan = pickCompaction(versionOf([], [dense]), limits, fresh());
    expect(plan).toMatchObject({ kind: "merge", from: 1, to: 2, runs: [[{ number: 5 }]] });
    expect(plan?.kind === "merge" && plan.deeper).toEqual([]);
    const below = versionOf([], [dense], [], [paperTable(1, "a", "z")]);
    expect(pickCompaction(below, limits, fresh())).toMatchObject({ kind: "move", to: 2 });
  });

  test("bring deletions to what they delete when nobody writes", () => {
    const dense = paperTable(5, "c", "d", { tombstones: 5 });
    const idle = pickIdle(versionOf([], [dense], [paperTable(1, "a", "z")]));
    expect(idle).toMatchObject({
      kind: "merge",
      from: 1,
      runs: [[{ number: 5 }], [{ number: 1 }]],
    });
    expect(pickIdle(versionOf([], [dense], [paperTable(1, "x", "z")]))).toBeUndefined();
  });

  test("end at the last one, however full it is", () => {
    const last = paperTable(1, "a", "z", { bytes: 1e12, tombstones: 10 });
    expect(pickCompaction(versionOf([], [], [], [], [], [], [last]), limits, fresh())).toBe(
      undefined,
    );
  });

  test("are picked from fast, with thousands of tables", () => {
    const row = (from: number, count: number, bytes: number) =>
      Array.from({ length: count }, (_, i) => {
        const at = Math.floor((i * 100_000) / count);
        return paperTable(from + i, String(at + 1e6), String(at + 1e6 + 9), { bytes });
      });
    const version = versionOf([], row(1, 500, 100), row(1000, 2000, 100), row(9000, 8000, 100));
    const began = process.cpuUsage();
    for (let i = 0; i < 20; i++) expect(pickCompaction(version, limits, fresh())).toBeDefined();
    const { user, system } = process.cpuUsage(began);
    // 0.4 ms each where it was measured; something quadratic would take a hundred.
    expect((user + system) / 20 / 1000).toBeLessThan(25);
  });
});

describe("pressure", () => {
  const piled = (count: number) =>
    versionOf(Array.from({ length: count }, (_, i) => paperTable(i + 1, "a", "z")));

  test("is none while level 0 is short, and grows in proportion up to 1", () => {
    const at = (count: number, waiting = 0) => pressure(piled(count), limits, waiting);
    expect([0, 4, 7].map((count) => at(count, 2))).toEqual([0, 0, 0]);
    expect(at(11)).toBeCloseTo(0.25);
    expect(at(11, 3)).toBeCloseTo(0.5);
    expect([at(20), at(50)]).toEqual([1, 1]);
  });

  test("comes from deeper levels once they are far out of shape", () => {
    const debt = (bytes: number) =>
      pressure(versionOf([], [paperTable(1, "a", "z", { bytes })]), limits, 0);
    expect(debt(10 * limits.baseBytes)).toBe(0);
    expect(debt(41 * limits.baseBytes)).toBeCloseTo(0.5);
    expect(debt(1000 * limits.baseBytes)).toBe(1);
  });
});

test("scores say what is out of shape", () => {
  const version = versionOf([paperTable(2, "a", "z")], [paperTable(1, "a", "z", { bytes: 6000 })]);
  expect([0, 1, 2].map((level) => scoreOf(version, level, limits))).toEqual([0.25, 0.75, 0]);
});

/** One table over all that a plan reads: no output can reach further. */
function widest(plan: Plan): { readonly table: TableMeta } {
  const tables = plan.kind === "move" ? [plan.table] : plan.runs.flat();
  let table = tables[0]!;
  for (const { smallest, largest } of tables) {
    if (compare(smallest, table.smallest) < 0) table = { ...table, smallest };
    if (compare(largest, table.largest) > 0) table = { ...table, largest };
  }
  return { table };
}

function digits(value: number): string {
  return String(value).padStart(5, "0");
}
