/**
 * Plans carried out on a tree of plain maps, beside an oracle: after every step each key reads as
 * it was last written, and picking comes to an end.
 */
import { expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { levelCount } from "../../native-free-engine/base/limits.ts";
import type { KeyRange } from "../../native-free-engine/compaction/job.ts";
import {
  type LevelLimits,
  type Plan,
  pickCompaction,
  pickIdle,
  pickRange,
  scoreOf,
} from "../../native-free-engine/compaction/pick.ts";
import type { TableMeta } from "../../native-free-engine/table/meta.ts";
import {
  applyEdit,
  type Edit,
  emptyVersion,
  type Version,
} from "../../native-free-engine/version.ts";
import { pick, randomFrom, seed } from "../support/random.ts";
import { key } from "./version-fixture.ts";

const limits: LevelLimits = {
  l0Trigger: 3,
  l0SlowAt: 8,
  l0StopAt: 20,
  baseBytes: 600,
  growth: 3,
  tableBytes: 200,
};
const entryBytes = 10;
const blank = { bytes: 1, tombstones: 0, minSequence: 0, maxSequence: 0, firstExpiry: 0 };
const everything = { low: undefined, high: undefined };

/** A value, or nothing for a deletion. */
type Content = ReadonlyMap<string, number | undefined>;

class PaperTree {
  version: Version = emptyVersion;
  nextFile = 1;
  readonly truth = new Map<string, number>();
  readonly #contents = new Map<number, Content>();

  /** Writes entries, as one table of level 0. */
  flush(entries: Content): void {
    for (const [name, value] of entries) {
      if (value === undefined) this.truth.delete(name);
      else this.truth.set(name, value);
    }
    const table = this.#table([...entries].sort(byName));
    this.#edit({ added: [{ level: 0, table }], removed: [] });
  }

  /** Does what the engine would: the newest version wins, useless deletions go. */
  carryOut(plan: Plan): void {
    if (plan.kind === "move") {
      const removed = [{ level: plan.from, number: plan.table.number }];
      this.#edit({ added: [{ level: plan.to, table: plan.table }], removed });
      return;
    }
    const merged = new Map<string, number | undefined>();
    for (const run of plan.runs) {
      for (const table of run) {
        for (const [name, value] of this.#contents.get(table.number)!) {
          if (!merged.has(name)) merged.set(name, value);
        }
      }
    }
    const kept = [...merged]
      .sort(byName)
      .filter(([name, value]) => value !== undefined || isWithin(name, plan.deeper));
    const added: { level: number; table: TableMeta }[] = [];
    for (let at = 0; at < kept.length; at += limits.tableBytes / entryBytes) {
      const table = this.#table(kept.slice(at, at + limits.tableBytes / entryBytes));
      added.push({ level: plan.to, table });
    }
    this.#edit({ added, removed: plan.removed });
  }

  /** What lookups find: the first level that says anything has the word. */
  read(): Map<string, number> {
    const found = new Map<string, number | undefined>();
    for (const table of this.version.levels.flat()) {
      for (const [name, value] of this.#contents.get(table.number)!) {
        if (!found.has(name)) found.set(name, value);
      }
    }
    const live = [...found].filter((entry): entry is [string, number] => entry[1] !== undefined);
    return new Map(live);
  }

  get tombstones(): number {
    return this.version.levels.flat().reduce((sum, table) => sum + table.tombstones, 0);
  }

  #table(entries: readonly (readonly [string, number | undefined])[]): TableMeta {
    const number = this.nextFile++;
    this.#contents.set(number, new Map(entries));
    return {
      number,
      bytes: entries.length * entryBytes,
      smallest: key(entries[0]![0]),
      largest: key(entries.at(-1)![0]),
      entries: entries.length,
      tombstones: entries.filter(([, value]) => value === undefined).length,
      minSequence: 0,
      maxSequence: 0,
      firstExpiry: 0,
    };
  }

  #edit(edit: Edit): void {
    this.version = applyEdit(this.version, edit);
  }
}

/** A memtable's worth: anywhere, in a corner, or all behind what was written before. */
function randomEntries(random: () => number, round: number): Content {
  const entries = new Map<string, number | undefined>();
  const style = pick(random, 3);
  const corner = pick(random, 1900);
  const count = 1 + pick(random, 30);
  for (let i = 0; i < count; i++) {
    const scattered = style === 0 ? pick(random, 2000) : corner + pick(random, 100);
    const name = style === 2 ? `${5000 + 40 * round + i}` : `${1000 + scattered}`;
    entries.set(name, pick(random, 4) === 0 ? undefined : round * 100 + i);
  }
  return entries;
}

/** Repeats a choice until it has nothing more to say; returns how often. */
function settle(tree: PaperTree, next: (version: Version) => Plan | undefined): number {
  for (let steps = 0; steps < 1000; steps++) {
    const plan = next(tree.version);
    if (plan === undefined) return steps;
    tree.carryOut(plan);
  }
  throw new Error(`seed ${seed}: picking does not end`);
}

test("reads stay right through compactions of every kind, and all of them end", () => {
  const random = randomFrom(seed);
  const kinds = { merge: 0, move: 0 };
  for (let world = 0; world < 4; world++) {
    const tree = new PaperTree();
    const state = { cursors: [] };
    for (let round = 0; round < 120; round++) {
      tree.flush(randomEntries(random, round));
      const choice = pick(random, 12);
      const before = tree.nextFile++;
      const low = key(String(1000 + pick(random, 6000)));
      const bounds = choice === 0 ? everything : { low, high: key(`${1000 + pick(random, 6000)}`) };
      settle(tree, (version) => {
        let plan = pickCompaction(version, limits, state);
        if (choice === 1) plan ??= pickIdle(version);
        if (choice === 0 || choice === 2) plan ??= pickRange(version, bounds, { now: 0, before });
        if (plan !== undefined) kinds[plan.kind] += 1;
        return plan;
      });
      const context = `seed ${seed}, world ${world}, round ${round}`;
      expect(tree.read(), context).toEqual(tree.truth);
      for (let level = 0; level < levelCount - 1; level++) {
        expect(scoreOf(tree.version, level, limits), context).toBeLessThan(1);
      }
    }
  }
  expect(kinds.merge).toBeGreaterThan(100);
  expect(kinds.move).toBeGreaterThan(100);
});

test("compacting everything leaves one level, and no deletion", () => {
  const random = randomFrom(seed + 1);
  for (let world = 0; world < 10; world++) {
    const tree = new PaperTree();
    const state = { cursors: [] };
    for (let round = 0; round < 60; round++) {
      tree.flush(randomEntries(random, round));
      if (pick(random, 2) === 0) settle(tree, (version) => pickCompaction(version, limits, state));
    }
    const before = tree.nextFile++;
    settle(tree, (version) => pickRange(version, everything, { now: 0, before }));
    expect(tree.version.levels.filter((tables) => tables.length > 0)).toHaveLength(1);
    expect(tree.tombstones, `seed ${seed}, world ${world}`).toBe(0);
    expect(tree.read()).toEqual(tree.truth);
  }
});

test("compacting a range ends while others write, and clears what was there before", () => {
  const random = randomFrom(seed + 2);
  const tree = new PaperTree();
  for (let round = 0; round < 40; round++) tree.flush(randomEntries(random, round));
  const before = tree.nextFile++;
  let round = 40;
  settle(tree, (version) => {
    tree.flush(randomEntries(random, round++));
    return pickRange(version, everything, { now: 0, before });
  });
  expect(tree.version.levels[0]!.every((table) => table.number > before)).toBe(true);
  expect(tree.version.levels.slice(1).filter((tables) => tables.length > 0)).toHaveLength(1);
  expect(tree.read()).toEqual(tree.truth);
});

test("compacting a range that holds nothing does nothing", () => {
  const tree = new PaperTree();
  tree.flush(new Map([["m", 1]]));
  const bounds = { low: key("a"), high: key("b") };
  expect(pickRange(tree.version, bounds, { now: 0, before: 99 })).toBeUndefined();
  expect(pickRange(emptyVersion, everything, { now: 0, before: 99 })).toBeUndefined();
});

test("an output that kept deletions is read again on its way to the bottom, not moved", () => {
  const table = { ...blank, number: 200, smallest: key("a"), largest: key("b"), entries: 9 };
  const lowest = { ...table, number: 1, smallest: key("x"), largest: key("z") };
  const plan = (fields: Partial<TableMeta>) => {
    const levels = [[], [{ ...table, ...fields }], [lowest], [], [], [], []];
    return pickRange({ levels }, everything, { now: 0, before: 99 })?.kind;
  };
  expect(plan({})).toBe("move");
  expect(plan({ tombstones: 1 })).toBe("merge");
  expect(plan({ firstExpiry: 1 })).toBe("merge");
});

test("an expired table at the bottom is rewritten once, and a live one never", () => {
  const tree = new PaperTree();
  tree.flush(new Map([["m", 1]]));
  settle(tree, (version) => pickRange(version, everything, { now: 0, before: 99 }));
  const [table] = tree.version.levels[1]!;
  const at = (firstExpiry: number, before: number) => {
    const expiring = { levels: tree.version.levels.map((tables) => [...tables]) };
    expiring.levels[1] = [{ ...table!, firstExpiry }];
    return pickRange(expiring, everything, { now: 50, before });
  };
  expect(at(50, 99)).toMatchObject({ kind: "merge", from: 1, to: 1 });
  expect(at(51, 99)).toBeUndefined();
  expect(at(50, table!.number)).toBeUndefined();
});

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return compare(key(a[0]), key(b[0]));
}

function isWithin(name: string, ranges: readonly KeyRange[]): boolean {
  const at = key(name);
  return ranges.some(({ smallest, largest }) => {
    return compare(smallest, at) <= 0 && compare(at, largest) <= 0;
  });
}
