/** What a floor takes away of a key, and what it leaves: all of the past, or none of it. */
import { describe, expect, test } from "vitest";
import {
  type Floor,
  noFloor,
  raised,
  stripped,
  withoutStale,
  withoutUnproven,
} from "../../src/core/clock/floor.ts";
import { counterOf } from "../../src/core/clock/vector.ts";
import {
  type Change,
  contextOf,
  knows,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";

const a = "a".repeat(16);
const b = "b".repeat(16);
let operations = 0;

function put(held: Versions, actor: string, counter: number, more: Partial<Change> = {}): Versions {
  operations += 1;
  const operation = { at: operations, nonce: operations, retried: false };
  const change = { operation, time: 1, expiresAt: 0, value: Uint8Array.of(counter), ...more };
  return write(held, contextOf(held), { actor, counter }, change).versions;
}

function deleted(held: Versions, actor: string, counter: number): Versions {
  return put(held, actor, counter, { value: undefined });
}

function floorAt(events: Readonly<Record<string, number>>, expiredBefore = 1_000): Floor {
  return { round: 1, events: new Map(Object.entries(events)), expiredBefore };
}

const first = put(noVersions, a, 1);

describe("below the floor", () => {
  test("a tombstone leaves nothing, and a value its dot", () => {
    expect(stripped(deleted(first, a, 2), floorAt({ [a]: 2 }))).toEqual(noVersions);
    const left = stripped(put(first, b, 1), floorAt({ [a]: 1, [b]: 1 }));
    expect(left).toMatchObject({ vector: [], dots: [], operations: [] });
    expect(left.siblings).toMatchObject([{ dot: { actor: b, counter: 1 }, operation: undefined }]);
  });

  test("what has expired by the round goes, what expires later stays", () => {
    const soon = put(noVersions, a, 1, { expiresAt: 900 });
    expect(stripped(soon, floorAt({ [a]: 1 }, 899)).siblings).toHaveLength(1);
    expect(stripped(soon, floorAt({ [a]: 1 }, 900))).toEqual(noVersions);
  });
});

describe("above the floor", () => {
  test("one event keeps all of the past: what is below explains what is above", () => {
    const replaced = put(first, b, 5);
    for (const floor of [floorAt({ [a]: 1 }), floorAt({ [a]: 1, [b]: 4 }), floorAt({ [b]: 5 })]) {
      expect(stripped(replaced, floor)).toBe(replaced);
    }
  });

  test("a tombstone stays, however old it is", () => {
    const gone = deleted(first, b, 1);
    expect(stripped(gone, floorAt({ [a]: 1 }, Number.MAX_SAFE_INTEGER))).toBe(gone);
  });

  test("an earlier value that comes late stays superseded by the one that is there", () => {
    const replaced = stripped(put(first, b, 5), floorAt({ [a]: 1 }));
    expect(merge(replaced, first).siblings).toEqual(replaced.siblings);
  });
});

describe("from an older round", () => {
  const floor = floorAt({ [a]: 2 });

  test("what is below the floor and not here was superseded, and does not come in", () => {
    expect(withoutStale(first, noVersions, floor).siblings).toEqual([]);
    expect(withoutStale(first, first, floor)).toBe(first);
    const later = put(noVersions, a, 3);
    expect(withoutStale(later, noVersions, floor)).toBe(later);
  });

  test("what is kept out is not called known: a store that lost it must not make others", () => {
    const left = withoutStale(first, noVersions, floor);
    expect(knows(left, { actor: a, counter: 1 })).toBe(false);
    expect(merge(first, left).siblings).toHaveLength(1);
  });

  test("a store that was not there keeps what is above, and knows nothing of the rest", () => {
    const both = merge(first, put(noVersions, b, 9));
    const left = withoutUnproven(both, floor);
    expect(left.siblings).toMatchObject([{ dot: { actor: b } }]);
    expect(counterOf(left.vector, a)).toBe(0);
  });
});

test("a floor never falls: neither an event nor the time before which things have expired", () => {
  const one = raised(noFloor, { round: 1, events: [{ actor: a, counter: 5 }], expiredBefore: 70 });
  const events = [
    { actor: a, counter: 3 },
    { actor: b, counter: 1 },
  ];
  const two = raised(one, { round: 2, events, expiredBefore: 60 });
  expect([...two.events]).toEqual([
    [a, 5],
    [b, 1],
  ]);
  expect(two).toMatchObject({ round: 2, expiredBefore: 70 });
});
