/** The table of what is under way, held against a Map. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { NumberTable } from "../../src/core/number-table.ts";

const seed = 20251121;

/** Few numbers, many of them in one place of a small table, and some that are far apart. */
const anyNumber = fc.oneof(
  fc.nat({ max: 40 }),
  fc.nat({ max: 40 }).map((n) => n * 64),
  fc.nat({ max: 40 }).map((n) => n * 2 ** 32 + 7),
);
const anyStep = fc.record({ isAdded: fc.boolean(), number: anyNumber });

test("holds what was added and not taken, whatever the numbers are", () => {
  const property = fc.property(fc.array(anyStep, { maxLength: 400 }), (steps) => {
    const table = new NumberTable<string>();
    const model = new Map<number, string>();
    for (const [i, { isAdded, number }] of steps.entries()) {
      if (isAdded && !model.has(number)) {
        table.add(number, `${i}`);
        model.set(number, `${i}`);
      } else {
        expect(table.take(number)).toBe(model.get(number));
        model.delete(number);
      }
      expect(table.size).toBe(model.size);
      expect(table.get(number)).toBe(model.get(number));
    }
    expect(table.numbers()).toEqual([...model.keys()].sort((a, b) => a - b));
    for (const number of table.numbers()) expect(table.get(number)).toBe(model.get(number));
    table.clear();
    expect([table.size, table.numbers()]).toEqual([0, []]);
  });
  fc.assert(property, { seed, numRuns: 500 });
});

test("numbers in a row, thousands at a time, of which some stay for long", () => {
  const table = new NumberTable<number>();
  const stayed: number[] = [];
  for (let number = 0; number < 50_000; number++) {
    table.add(number, -number);
    if (number % 1_000 === 0) stayed.push(number);
    const old = number - 3_000;
    if (old >= 0 && old % 1_000 !== 0) expect(table.take(old)).toBe(-old);
  }
  expect(stayed.every((number) => table.get(number) === -number)).toBe(true);
  expect(table.size).toBe(stayed.length - 3 + 3_000);
});
