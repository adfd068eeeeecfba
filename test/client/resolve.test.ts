/** Resolvers: one outcome for the same siblings in any order, and hands off what is not theirs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pnCounter } from "../../src/client/crdt/pn-counter.ts";
import { resolvers } from "../../src/client/resolve/resolver.ts";
import type { WrittenValue } from "../../src/client/resolve/sibling.ts";

const seed = 20251121;
const { lww, union, counter } = resolvers;

function written(text: string, time = 1, actor = "a"): WrittenValue {
  return { value: new TextEncoder().encode(text), time, actor };
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}

describe("last write wins", () => {
  test("the newest, then the greater actor, then the greater bytes", () => {
    expect(textOf(lww([written("a", 2), written("b", 1)]))).toBe("a");
    expect(textOf(lww([written("a", 2, "x"), written("b", 2, "y")]))).toBe("b");
    expect(textOf(lww([written("b", 2), written("a", 2)]))).toBe("b");
  });

  test("any bytes", () => {
    const value = Uint8Array.of(0xff, 0);
    expect(lww([{ value, time: 9, actor: "a" }, written("{}")])).toBe(value);
  });

  test("the same winner in any order and grouping", () => {
    const any = fc.record({
      value: fc.uint8Array({ maxLength: 2 }),
      time: fc.nat({ max: 3 }),
      actor: fc.constantFrom("a", "b"),
    });
    const property = fc.property(fc.array(any, { minLength: 1, maxLength: 5 }), (siblings) => {
      const winner = lww(siblings);
      expect(lww(siblings.toReversed())).toEqual(winner);
      expect(siblings.some(({ value }) => value === winner)).toBe(true);
    });
    fc.assert(property, { seed, numRuns: 500 });
  });
});

describe("union", () => {
  const unionOf = (...texts: readonly string[]): string | undefined =>
    textOf(union(texts.map((text) => written(text))));

  test("every element of any array, once", () => {
    expect(unionOf('["book"]', '["pen", "book"]')).toBe('["book","pen"]');
    expect(unionOf("[]", "[]")).toBe("[]");
  });

  test("elements are the same when they say the same", () => {
    expect(unionOf('[{"a":1,"b":[2]}, 1.0]', '[{"b":[2],"a":1}, 1]')).toBe('[1,{"a":1,"b":[2]}]');
  });

  test("order, grouping and repetition do not matter", () => {
    const array = fc
      .array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 4 })
      .map((v) => JSON.stringify(v));
    const property = fc.property(array, array, array, (a, b, c) => {
      const [ab, bc] = [unionOf(a, b), unionOf(b, c)];
      if (ab === undefined || bc === undefined) return;
      expect(unionOf(b, a)).toBe(ab);
      expect(unionOf(ab, c)).toBe(unionOf(a, bc));
      expect(unionOf(ab, ab)).toBe(ab);
    });
    fc.assert(property, { seed, numRuns: 500 });
  });

  test.each([
    ["text", "milk"],
    ["an object", '{"a":1}'],
    ["a number that JavaScript would change", "[12345678901234567890]"],
    ["a number beyond all others", "[1e999]"],
    ["what is nested too deep", `${"[".repeat(100)}${"]".repeat(100)}`],
  ])("leaves %s alone", (_, text) => {
    expect(unionOf("[]", text)).toBeUndefined();
  });
});

describe("counter", () => {
  const count = (by: number, writer: string): WrittenValue => ({
    value: pnCounter.encode(pnCounter.add(pnCounter.empty, { by, writer })),
    time: 1,
    actor: "a",
  });

  test("adds up what writers counted apart", () => {
    const value = counter([count(8, "A"), count(-2, "B"), count(8, "A")]);
    const merged = value && pnCounter.decode(value);
    expect(merged && pnCounter.value(merged)).toBe(6);
  });

  test("leaves anything else alone", () => {
    expect(counter([count(8, "A"), written("7")])).toBeUndefined();
    expect(counter([])).toBeUndefined();
  });
});
