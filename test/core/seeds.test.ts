/**
 * The worked examples of the system's source documents, on vectors with counters as they print
 * them: D1 to D5 at the servers Sx, Sy and Sz, ancestors, and conflicts.
 */
import { describe, expect, test } from "vitest";
import type { Operation } from "../../src/core/clock/operations.ts";
import { compareVectors, truncate, type Vector } from "../../src/core/clock/vector.ts";
import {
  type CausalContext,
  contextOf,
  emptyContext,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";

let writes = 0;

/** A write at a server, whose counter the document gives. */
function put(
  held: Versions,
  context: CausalContext,
  [actor, counter]: readonly [string, number],
  text: string,
): Versions {
  writes += 1;
  const operation: Operation = { at: writes, nonce: 0, retried: false };
  const value = new TextEncoder().encode(text);
  const change = { operation, time: writes, expiresAt: 0, value };
  return write(held, context, { actor, counter }, change).versions;
}

function printed({ vector }: Versions): string {
  return vector.map(({ actor, counter }) => `[${actor}, ${counter}]`).join(", ");
}

function textsIn({ siblings }: Versions): readonly string[] {
  return siblings.map(({ value }) => new TextDecoder().decode(value));
}

function vectorOf(counters: Readonly<Record<string, number>>): Vector {
  return Object.entries(counters).map(([actor, counter]) => ({ actor, counter, time: 0 }));
}

describe("D1 to D5", () => {
  const d1 = put(noVersions, emptyContext, ["Sx", 1], "D1");
  const d2 = put(d1, contextOf(d1), ["Sx", 2], "D2");
  // Sy and Sz hold D2, and each takes an update of it, unaware of the other.
  const d3 = put(d2, contextOf(d2), ["Sy", 1], "D3");
  const d4 = put(d2, contextOf(d2), ["Sz", 1], "D4");
  const both = merge(d3, d4);
  const d5 = put(both, contextOf(both), ["Sx", 3], "D5");

  test("have the vectors that the documents print", () => {
    expect([d1, d2, d3, d4, d5].map(printed)).toEqual([
      "[Sx, 1]",
      "[Sx, 2]",
      "[Sx, 2], [Sy, 1]",
      "[Sx, 2], [Sz, 1]",
      "[Sx, 3], [Sy, 1], [Sz, 1]",
    ]);
  });

  test("D2 descends from D1 and takes its place", () => {
    expect(compareVectors(d1.vector, d2.vector)).toBe("before");
    expect(textsIn(merge(d1, d2))).toEqual(["D2"]);
  });

  test("D3 and D4 are in conflict, and a reader gets both", () => {
    expect(compareVectors(d3.vector, d4.vector)).toBe("concurrent");
    expect(textsIn(both)).toEqual(["D3", "D4"]);
  });

  test("D5, written by who has read both, descends from all others", () => {
    for (const earlier of [d1, d2, d3, d4]) {
      expect(compareVectors(earlier.vector, d5.vector)).toBe("before");
      expect(textsIn(merge(earlier, d5))).toEqual(["D5"]);
    }
  });

  test("whatever order they arrive in", () => {
    const orders = [
      [d5, d3, d1, d4, d2],
      [d4, d5, d2, d3, d1],
      [d1, d4, d3, d2, d5],
    ];
    for (const order of orders) expect(textsIn(order.reduce(merge))).toEqual(["D5"]);
    expect(textsIn([d4, d1, d3, d2].reduce(merge))).toEqual(["D3", "D4"]);
  });
});

describe("a name changed at two servers", () => {
  const john = put(noVersions, emptyContext, ["s0", 1], "john");

  test("is a conflict, which the client resolves", () => {
    const west = put(john, contextOf(john), ["s1", 1], "johnSanFrancisco");
    const east = put(john, contextOf(john), ["s2", 1], "johnNewYork");
    const both = merge(west, east);
    expect(textsIn(both)).toEqual(["johnSanFrancisco", "johnNewYork"]);
    const resolved = put(both, contextOf(both), ["s1", 2], "johnNewYork");
    expect(textsIn([resolved, west, east, john].reduce(merge))).toEqual(["johnNewYork"]);
  });
});

describe("ancestors and siblings", () => {
  test("D([s0, 1], [s1, 1]) is an ancestor of D([s0, 1], [s1, 2])", () => {
    const [x, y] = [vectorOf({ s0: 1, s1: 1 }), vectorOf({ s0: 1, s1: 2 })];
    expect(compareVectors(x, y)).toBe("before");
    expect(compareVectors(y, x)).toBe("after");
  });

  test("D([s0, 1], [s1, 2]) and D([s0, 2], [s1, 1]) are in conflict", () => {
    const [x, y] = [vectorOf({ s0: 1, s1: 2 }), vectorOf({ s0: 2, s1: 1 })];
    expect(compareVectors(x, y)).toBe("concurrent");
  });
});

test("a vector beyond its threshold loses the oldest pair, and with it perhaps an ancestor", () => {
  const long = [
    { actor: "Sx", counter: 2, time: 1 },
    { actor: "Sy", counter: 1, time: 2 },
    { actor: "Sz", counter: 1, time: 3 },
  ];
  const short = truncate(long, 2);
  expect(short.map(({ actor }) => actor)).toEqual(["Sy", "Sz"]);
  expect(compareVectors(vectorOf({ Sx: 2 }), long)).toBe("before");
  expect(compareVectors(vectorOf({ Sx: 2 }), short)).toBe("concurrent");
});
