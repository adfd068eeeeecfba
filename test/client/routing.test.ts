/** Which node to ask: the decisions alone. */
import { describe, expect, test } from "vitest";
import { downIn, inOrder, pickOf, pickUpFirst } from "../../src/client/routing.ts";

function order(more: {
  readonly preferred?: number;
  readonly down?: readonly number[];
  readonly costs?: Readonly<Record<number, number>>;
  readonly far?: readonly number[];
}) {
  return inOrder({
    owners: [3, 1, 2],
    preferred: more.preferred ?? 0,
    isDown: (node) => more.down?.includes(node) ?? false,
    isNear: (node) => !more.far?.includes(node),
    costOf: (node) => more.costs?.[node] ?? 1,
  });
}

describe("owners", () => {
  test("stay in the order of the preference list while they cost the same", () => {
    expect(order({})).toEqual({ live: [3, 1, 2], down: [] });
  });

  test("that answer faster come first", () => {
    expect(order({ costs: { 3: 5, 1: 7, 2: 0.5 } }).live).toEqual([2, 3, 1]);
  });

  test("come after the one that answered the read fastest, whatever it costs", () => {
    expect(order({ preferred: 1, costs: { 1: 99 } }).live).toEqual([1, 3, 2]);
  });

  test("that are down come last, also when one is preferred", () => {
    expect(order({ preferred: 3, down: [3, 2] })).toEqual({ live: [1], down: [3, 2] });
  });

  test("of another data centre come after the near ones, whatever these cost", () => {
    expect(order({ far: [3], costs: { 3: 1, 1: 900, 2: 800 } }).live).toEqual([2, 1, 3]);
    expect(order({ far: [3, 2], preferred: 2 }).live).toEqual([1, 2, 3]);
    expect(order({ far: [3, 2], down: [1] })).toEqual({ live: [3, 2], down: [1] });
  });

  test("are not joined by a preferred node that owns nothing", () => {
    expect(order({ preferred: 9 }).live).toEqual([3, 1, 2]);
  });
});

describe("between who is up and who is down", () => {
  const [quick, slow, down] = [{ avoidUntil: 0 }, { avoidUntil: 200 }, { avoidUntil: 0 }];
  const pick = (up: { avoidUntil: number }[], ...tried: { avoidUntil: number }[]) =>
    pickUpFirst(up, [down], { tried: new Set(tried), now: 100 });

  test("down ones are asked when all others were, also those that let a request wait", () => {
    expect(pick([slow, quick])).toBe(quick);
    expect(pick([slow, quick], quick)).toBe(slow);
    expect(pick([slow, quick], quick, slow)).toBe(down);
    expect(pick([])).toBe(down);
  });

  test("one that is up is tried again when there is no other", () => {
    expect(pick([slow, quick], quick, slow, down)).toBe(quick);
    expect(pick([slow], slow, down)).toBe(down);
  });
});

describe("among candidates", () => {
  const [a, b, c] = [{ avoidUntil: 0 }, { avoidUntil: 0 }, { avoidUntil: 200 }];
  const pick = (candidates: { avoidUntil: number }[], ...tried: { avoidUntil: number }[]) =>
    pickOf(candidates, { tried: new Set(tried), now: 100 });

  test("the first that was not tried is taken", () => {
    expect(pick([a, b, c])).toBe(a);
    expect(pick([a, b, c], a)).toBe(b);
  });

  test("one that let a request wait is taken only when the others were tried", () => {
    expect(pick([c, a])).toBe(a);
    expect(pick([c, a], a)).toBe(c);
  });

  test("one is tried again when there is no other, and rather one that is not avoided", () => {
    expect(pick([c, a], a, c)).toBe(a);
    expect(pick([a], a)).toBe(a);
    expect(pick([])).toBe(undefined);
  });
});

test("a node is down when more than half of those that tell say so", () => {
  expect([...downIn([[1], [1], []])]).toEqual([1]);
  expect([...downIn([[1], []])]).toEqual([]);
  expect([...downIn([[4]])]).toEqual([4]);
  // One that is cut off says it of all the others.
  expect([...downIn([[2, 3, 4, 5], [1], [1]])]).toEqual([1]);
  expect([...downIn([])]).toEqual([]);
});
