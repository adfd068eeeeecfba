/** Values that merge by themselves: the laws, a model for each, and nothing else decodes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Crdt, fromSiblings } from "../../src/client/crdt/crdt.ts";
import { type GSet, gSet } from "../../src/client/crdt/g-set.ts";
import { type OrSet, orSet } from "../../src/client/crdt/or-set.ts";
import { type PnCounter, pnCounter } from "../../src/client/crdt/pn-counter.ts";

const seed = 20251121;
const replicas = 3;

/** An edit at a replica, or news from another. */
type Step = readonly [what: number, replica: number, item: number];

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: replicas - 1 }), fc.nat({ max: 3 })),
  { maxLength: 20 },
);
const items = ["x", "y", "__proto__", "7"];

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Lets replicas edit apart from each other, and checks the laws on what they come to. */
function checkLaws<State>(
  crdt: Crdt<State>,
  edit: (state: State, step: Step, number: number) => State,
): void {
  const property = fc.property(steps, (taken) => {
    const states: State[] = Array.from({ length: replicas }, () => crdt.empty);
    for (const [number, step] of taken.entries()) {
      const [what, replica, item] = step;
      const other = states[item % replicas] ?? crdt.empty;
      const state = states[replica] ?? crdt.empty;
      states[replica] = what === 3 ? crdt.merge(state, other) : edit(state, step, number);
    }
    const [a, b, c] = states as [State, State, State];
    const same = (one: State, two: State): void => {
      expect(textOf(crdt.encode(one))).toBe(textOf(crdt.encode(two)));
    };
    same(crdt.merge(a, b), crdt.merge(b, a));
    same(crdt.merge(crdt.merge(a, b), c), crdt.merge(a, crdt.merge(b, c)));
    same(crdt.merge(a, a), a);
    same(crdt.merge(a, crdt.empty), a);
    const encoded = states.map((state) => crdt.encode(state));
    expect(encoded.map((bytes) => crdt.decode(bytes))).toEqual(states);
    const merged = fromSiblings(crdt, encoded);
    if (merged === undefined) throw new Error("a value of ours was not understood");
    same(merged, crdt.merge(c, crdt.merge(a, b)));
  });
  fc.assert(property, { seed, numRuns: 500 });
}

describe("the laws", () => {
  test("of a G-Set", () => {
    checkLaws<GSet>(gSet, (set, [, , item]) => gSet.add(set, items[item] ?? ""));
  });

  test("of a PN-Counter", () => {
    checkLaws<PnCounter>(pnCounter, (counter, [what, replica, item]) =>
      pnCounter.add(counter, { by: what === 0 ? -item : item, writer: items[replica] ?? "" }),
    );
  });

  test("of an OR-Set", () => {
    checkLaws<OrSet>(orSet, (set, [what, , item], number) =>
      what === 0
        ? orSet.remove(set, items[item] ?? "")
        : orSet.add(set, items[item] ?? "", `t${number}`),
    );
  });
});

describe("what they mean", () => {
  test("a G-Set is the union of what was added", () => {
    const a = gSet.add(gSet.add(gSet.empty, "x"), "y");
    const b = gSet.add(gSet.add(gSet.empty, "z"), "y");
    expect([...gSet.merge(a, b)].sort()).toEqual(["x", "y", "z"]);
  });

  test("a PN-Counter is the sum of what every writer counted, also when each counts apart", () => {
    const count = (counter: PnCounter, writer: string, ...changes: readonly number[]): PnCounter =>
      changes.reduce((sum, by) => pnCounter.add(sum, { by, writer }), counter);
    const a = count(pnCounter.empty, "A", 5, 3);
    const b = count(pnCounter.empty, "B", -2, 1);
    expect(pnCounter.value(pnCounter.merge(a, b))).toBe(7);
    const c = count(pnCounter.merge(a, b), "A", -10);
    expect(pnCounter.value(pnCounter.merge(c, pnCounter.merge(a, b)))).toBe(-3);
  });

  test("a PN-Counter refuses what is no whole number, rather than count wrong", () => {
    for (const by of [0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(() => pnCounter.add(pnCounter.empty, { by, writer: "a" })).toThrow(RangeError);
    }
  });

  test("an OR-Set holds an item exactly when some adding of it was not seen by a removal", () => {
    const property = fc.property(steps, (taken) => {
      const states: OrSet[] = Array.from({ length: replicas }, () => orSet.empty);
      // Beside each replica, all that happened before: addings with their tags, and removals.
      const seen = states.map(() => new Map<string, { item: string; isRemoved: boolean }>());
      for (const [number, [what, replica, choice]] of taken.entries()) {
        const item = items[choice] ?? "";
        const mine = seen[replica]!;
        if (what === 3) {
          const other = choice % replicas;
          states[replica] = orSet.merge(states[replica]!, states[other]!);
          for (const [tag, theirs] of seen[other]!) {
            const isRemoved = theirs.isRemoved || mine.get(tag)?.isRemoved === true;
            mine.set(tag, { item: theirs.item, isRemoved });
          }
        } else if (what === 0) {
          states[replica] = orSet.remove(states[replica]!, item);
          for (const [tag, one] of mine)
            if (one.item === item) mine.set(tag, { item, isRemoved: true });
        } else {
          states[replica] = orSet.add(states[replica]!, item, `t${number}`);
          mine.set(`t${number}`, { item, isRemoved: false });
        }
        const left = [...mine.values()].filter(({ isRemoved }) => !isRemoved);
        expect(orSet.items(states[replica]!)).toEqual(
          [...new Set(left.map((one) => one.item))].sort(),
        );
      }
    });
    fc.assert(property, { seed, numRuns: 500 });
  });

  test("tags that nobody chose are all different", () => {
    const once = orSet.add(orSet.empty, "x");
    const twice = orSet.add(once, "x");
    expect(twice.items.get("x")?.size).toBe(2);
  });
});

describe("what is not of the type", () => {
  test.each([
    ...["", "[]", "null", "7", "{}", "\u{feff}{}", '{"type":"g-set"}'],
    ...['{"type":"g-set","items":[1]}', '{"type":"g-set","items":["a","a"]}'],
    ...['{"type":"g-set","items":[],"more":1}', '{"type":"set","items":[]}'],
    ...['{"type":"pn-counter","up":{}}', '{"type":"pn-counter","up":{"a":-1},"down":{}}'],
    ...[
      '{"type":"pn-counter","up":{"a":1.5},"down":{}}',
      '{"type":"pn-counter","up":[],"down":{}}',
    ],
    ...['{"type":"or-set","items":{"a":[]},"removed":[]}', '{"type":"or-set","items":{"a":"t"}}'],
    ...['{"type":"or-set","items":[],"removed":[]}', '{"type":"or-set","items":{},"removed":{}}'],
  ])("%s", (text) => {
    for (const crdt of [gSet, pnCounter, orSet]) {
      expect(crdt.decode(bytesOf(text))).toBeUndefined();
    }
  });

  test("makes the whole merge refuse", () => {
    const good = gSet.encode(gSet.add(gSet.empty, "x"));
    expect(fromSiblings<GSet>(gSet, [good, Uint8Array.of(0xff)])).toBeUndefined();
    expect(fromSiblings<GSet>(gSet, [])).toBe(gSet.empty);
  });
});
