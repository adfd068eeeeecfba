/** Vectors are sets of events, each with all before it: join is union, order is inclusion. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  compareVectors,
  counterOf,
  emptyVector,
  includes,
  join,
  type Order,
  truncate,
  type Vector,
  withEvent,
} from "../../src/core/clock/vector.ts";

const seed = 20251121;
const actors = ["a", "b", "c", "d"];

/** Few counters, so that equal and ordered ones come up. */
const anyVector: fc.Arbitrary<Vector> = fc
  .array(fc.nat({ max: 3 }), { minLength: 4, maxLength: 4 })
  .map((counters) =>
    counters.flatMap((counter, i) =>
      counter ? [{ actor: actors[i]!, counter, time: counter }] : [],
    ),
  );

function eventsOf(vector: Vector): Set<string> {
  return new Set(
    vector.flatMap(({ actor, counter }) =>
      Array.from({ length: counter }, (_, i) => `${actor}${i + 1}`),
    ),
  );
}

function orderOf(a: Set<string>, b: Set<string>): Order {
  const isIn = [...a].every((event) => b.has(event));
  const holds = [...b].every((event) => a.has(event));
  return isIn && holds ? "equal" : isIn ? "before" : holds ? "after" : "concurrent";
}

describe("against sets of events", () => {
  test("order is inclusion", () => {
    const property = fc.property(anyVector, anyVector, (a, b) => {
      const [one, other] = [eventsOf(a), eventsOf(b)];
      expect(compareVectors(a, b)).toBe(orderOf(one, other));
      expect(includes(a, b)).toBe([...other].every((event) => one.has(event)));
    });
    fc.assert(property, { seed, numRuns: 2000 });
  });

  test("join is union, sorted, and a join in the sense of algebra", () => {
    const property = fc.property(anyVector, anyVector, anyVector, (a, b, c) => {
      const both = join(a, b);
      expect(eventsOf(both)).toEqual(new Set([...eventsOf(a), ...eventsOf(b)]));
      expect(both.map(({ actor }) => actor)).toEqual(both.map(({ actor }) => actor).sort());
      expect(join(b, a)).toEqual(both);
      expect(join(join(a, b), c)).toEqual(join(a, join(b, c)));
      expect(join(both, a)).toEqual(both);
    });
    fc.assert(property, { seed, numRuns: 2000 });
  });

  test("an event brings those before it", () => {
    const event = fc.record({
      actor: fc.constantFrom(...actors, "0", "bb", "z"),
      counter: fc.integer({ min: 1, max: 5 }),
      time: fc.nat(),
    });
    const property = fc.property(anyVector, event, (vector, added) => {
      const after = withEvent(vector, added);
      expect(after).toEqual(join(vector, [added]));
      expect(counterOf(after, added.actor)).toBe(
        Math.max(added.counter, counterOf(vector, added.actor)),
      );
    });
    fc.assert(property, { seed, numRuns: 2000 });
  });
});

test("a vector without entries is before every other", () => {
  expect(compareVectors(emptyVector, emptyVector)).toBe("equal");
  expect(compareVectors(emptyVector, [{ actor: "a", counter: 1, time: 0 }])).toBe("before");
});

describe("truncation by age", () => {
  const vector = [
    { actor: "a", counter: 1, time: 30 },
    { actor: "b", counter: 7, time: 10 },
    { actor: "c", counter: 2, time: 20 },
  ];

  test("drops the oldest entries beyond the threshold, and keeps the order", () => {
    expect(truncate(vector, 2).map(({ actor }) => actor)).toEqual(["a", "c"]);
    expect(truncate(vector, 3)).toBe(vector);
  });

  test("may forget that one version is the ancestor of another", () => {
    const ancestor = [{ actor: "b", counter: 7, time: 10 }];
    expect(compareVectors(ancestor, vector)).toBe("before");
    expect(compareVectors(ancestor, truncate(vector, 2))).toBe("concurrent");
  });
});
