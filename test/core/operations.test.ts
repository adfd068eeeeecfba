/** Remembered operations: a bounded set whose content does not depend on who met whom first. */
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  holds,
  joinOperations,
  noOperations,
  type Operation,
} from "../../src/core/clock/operations.ts";
import { recentOperationsMax, retriedOperationsMax } from "../../src/core/limits.ts";

const seed = 20251121;

const anyOperation: fc.Arbitrary<Operation> = fc.record({
  at: fc.nat({ max: 12 }),
  nonce: fc.nat({ max: 1 }),
  retried: fc.boolean(),
});
const anyOperations = fc
  .array(anyOperation, { maxLength: 14 })
  .map((operations) => joinOperations(noOperations, operations));

const at = (from: number, count: number, retried: boolean): Operation[] =>
  Array.from({ length: count }, (_, i) => ({ at: from + i, nonce: 1, retried }));

test("a join: order, grouping and repetition do not matter", () => {
  const property = fc.property(anyOperations, anyOperations, anyOperations, (a, b, c) => {
    expect(joinOperations(a, b)).toEqual(joinOperations(b, a));
    expect(joinOperations(joinOperations(a, b), c)).toEqual(
      joinOperations(a, joinOperations(b, c)),
    );
    expect(joinOperations(a, a)).toEqual(a);
  });
  fc.assert(property, { seed, numRuns: 5000 });
});

test("the newest are remembered, each once, newest first", () => {
  const found = joinOperations(noOperations, [...at(1, 100, false), ...at(30, 60, false)]);
  expect(found).toEqual(at(101 - recentOperationsMax, recentOperationsMax, false).reverse());
  expect(found).toHaveLength(recentOperationsMax);
});

test("retried ones are remembered far longer", () => {
  const retried = at(1, 10, true);
  const found = joinOperations(retried.toReversed(), at(100, 50, false));
  expect(retried.every((operation) => holds(found, operation))).toBe(true);
  expect(joinOperations(noOperations, at(1, 100, true))).toHaveLength(retriedOperationsMax);
});

test("one mention as retried is enough", () => {
  const [once = at(1, 1, false)[0]!] = at(5, 1, false);
  const again = { ...once, retried: true };
  expect(joinOperations([once], [again])).toEqual([again]);
  expect(joinOperations([again], [once])).toEqual([again]);
});
