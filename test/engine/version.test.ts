/**
 * Versions: an edit either fits and leaves every invariant true, or is refused in words.
 */
import { describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { levelCount } from "../../native-free-engine/base/limits.ts";
import type { TableMeta } from "../../native-free-engine/table/meta.ts";
import {
  applyEdit,
  type Edit,
  emptyVersion,
  levelBytes,
  overlapping,
  overlaps,
  tablesInRange,
  tryEdit,
} from "../../native-free-engine/version.ts";
import { pick, randomFrom, seed } from "../support/random.ts";
import { key, numbersOf, paperTable, versionOf } from "./version-fixture.ts";

function refusal(version: typeof emptyVersion, edit: Partial<Edit>): string {
  const edited = tryEdit(version, { added: [], removed: [], ...edit });
  return edited.kind === "refused" ? edited.what : "accepted";
}

describe("an edit", () => {
  test("orders level 0 by age and deeper levels by key", () => {
    const version = versionOf(
      [paperTable(9, "a", "z"), paperTable(11, "a", "c"), paperTable(10, "b", "y")],
      [paperTable(3, "m", "p"), paperTable(5, "a", "c"), paperTable(4, "d", "d")],
    );
    expect(version.levels.map(numbersOf).slice(0, 2)).toEqual([
      [11, 10, 9],
      [5, 4, 3],
    ]);
    expect(version.levels).toHaveLength(levelCount);
  });

  test("leaves the version it was made from as it was", () => {
    const before = versionOf([], [paperTable(1, "a", "b")]);
    const added = [{ level: 1, table: paperTable(2, "c", "d") }];
    const after = applyEdit(before, { added, removed: [{ level: 1, number: 1 }] });
    expect(numbersOf(before.levels[1]!)).toEqual([1]);
    expect(numbersOf(after.levels[1]!)).toEqual([2]);
    expect(emptyVersion.levels.flat()).toEqual([]);
  });

  test("may move a table from one level to the next", () => {
    const table = paperTable(1, "a", "b");
    const edit = { added: [{ level: 2, table }], removed: [{ level: 1, number: 1 }] };
    const { levels } = applyEdit(versionOf([], [table]), edit);
    expect([levels[1], levels[2]]).toEqual([[], [table]]);
  });

  test("is refused when it removes what is not there", () => {
    const version = versionOf([paperTable(1, "a", "b")]);
    const what = "removes table 2, which is not at level 0";
    expect(refusal(version, { removed: [{ level: 0, number: 2 }] })).toBe(what);
    expect(refusal(version, { removed: [{ level: 1, number: 1 }] })).toMatch(/not at level 1/);
  });

  test("is refused when it adds a table twice, at whatever level", () => {
    const twice = paperTable(1, "x", "y");
    const version = versionOf([paperTable(1, "a", "b")]);
    expect(refusal(version, { added: [{ level: 3, table: twice }] })).toMatch(/adds table 1/);
    const added = [
      { level: 1, table: twice },
      { level: 2, table: twice },
    ];
    expect(refusal(emptyVersion, { added })).toMatch(/adds table 1/);
  });

  test("is refused when tables of a deeper level would share a key", () => {
    const version = versionOf([], [paperTable(1, "a", "c"), paperTable(2, "f", "h")]);
    for (const [smallest, largest] of [
      ["c", "d"],
      ["d", "f"],
      ["b", "b"],
      ["", "zz"],
    ] as const) {
      const added = [{ level: 1, table: paperTable(3, smallest, largest) }];
      expect(refusal(version, { added })).toMatch(/tables \d and \d overlap at level 1/);
      expect(refusal(version, { added: [{ level: 0, table: added[0]!.table }] })).toBe("accepted");
    }
    const added = [{ level: 1, table: paperTable(3, "d", "e") }];
    expect(refusal(version, { added })).toBe("accepted");
  });

  test("is refused when it names a level that does not exist", () => {
    for (const level of [-1, levelCount, 1.5]) {
      expect(refusal(emptyVersion, { removed: [{ level, number: 1 }] })).toMatch(/no level/);
    }
  });

  test("of our own making that does not fit is a bug, and stops the program", () => {
    const edit = { added: [], removed: [{ level: 0, number: 7 }] };
    expect(() => applyEdit(emptyVersion, edit)).toThrow("removes table 7");
  });
});

describe("ranges", () => {
  /** Disjoint tables over three-digit keys, some of them of one key. */
  function randomLevel(random: () => number): TableMeta[] {
    const tables: TableMeta[] = [];
    for (let at = pick(random, 30); at < 970; at += 1 + pick(random, 40)) {
      const end = at + pick(random, 25);
      tables.push(paperTable(tables.length + 1, digits(at), digits(end)));
      at = end;
    }
    return tables;
  }

  test("of sorted tables are found as if each table were asked", () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 300; round++) {
      const tables = randomLevel(random).slice(0, pick(random, 30));
      const from = pick(random, 1000);
      const smallest = pick(random, 8) === 0 ? undefined : key(digits(from));
      const largest = pick(random, 8) === 0 ? undefined : key(digits(from + pick(random, 200)));
      const bounds = { smallest, largest };
      const asked = tables.filter((table) => overlaps(table, bounds));
      const found = overlapping(tables, smallest, largest);
      expect(numbersOf(found), `seed ${seed}, round ${round}`).toEqual(numbersOf(asked));
    }
  });

  test("include the tables that only touch them", () => {
    const table = paperTable(1, "d", "f");
    expect(overlaps(table, { smallest: key("f"), largest: key("k") })).toBe(true);
    expect(overlaps(table, { smallest: key("a"), largest: key("d") })).toBe(true);
    expect(overlaps(table, { smallest: key("f\0") })).toBe(false);
    expect(overlaps(table, { largest: key("c\xff") })).toBe(false);
    expect(overlaps(table, {})).toBe(true);
  });

  test("turned round hold nothing of a sorted level", () => {
    const tables = [paperTable(1, "a", "b"), paperTable(2, "x", "y")];
    expect(overlapping(tables, key("m"), key("c"))).toEqual([]);
  });

  test("select tables of all levels", () => {
    const version = versionOf(
      [paperTable(5, "a", "c"), paperTable(4, "x", "z")],
      [paperTable(3, "a", "k"), paperTable(2, "m", "z")],
      [paperTable(1, "a", "z")],
    );
    const within = { smallest: key("b"), largest: key("l") };
    expect(tablesInRange(version, within).map(numbersOf)).toEqual([[5], [3], [1], [], [], [], []]);
  });
});

test("a version stays sound and complete through random edits", () => {
  const random = randomFrom(seed);
  const model = new Map<number, number>();
  let version = emptyVersion;
  for (let number = 1; number <= 2000; number++) {
    const from = pick(random, 9000);
    const table = paperTable(number, String(from + 1000), String(from + 1000 + pick(random, 40)));
    const level = pick(random, 4);
    const gone = [...model].filter(() => random() < 2 / (model.size + 1));
    const removed = gone.map(([old, at]) => ({ level: at, number: old }));
    const edited = tryEdit(version, { added: [{ level, table }], removed });
    const left = version.levels[level]!.filter((other) => !gone.some(([n]) => n === other.number));
    const clash = level > 0 && left.some((other) => overlaps(other, table));
    expect(edited.kind, `seed ${seed}, table ${number}`).toBe(clash ? "refused" : "version");
    if (edited.kind === "refused") continue;
    version = edited.version;
    for (const [old] of gone) model.delete(old);
    model.set(number, level);
  }
  const listed = version.levels.flatMap((tables, level) =>
    numbersOf(tables).map((number) => [number, level] as const),
  );
  expect(new Map(listed)).toEqual(new Map(model));
  for (const tables of version.levels.slice(1)) {
    for (let i = 1; i < tables.length; i++) {
      expect(compare(tables[i - 1]!.largest, tables[i]!.smallest)).toBeLessThan(0);
    }
  }
  expect(levelBytes(version, 1)).toBe(1000 * version.levels[1]!.length);
});

function digits(value: number): string {
  return String(value).padStart(4, "0");
}
