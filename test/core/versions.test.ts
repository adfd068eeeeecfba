/** The laws of versions, against a model of causal history, over random lives of one key. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  contextOf,
  emptyContext,
  includesContext,
  isEqual,
  isTombstone,
  lacks,
  merge,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import { Reader } from "../../src/core/wire/reader.ts";
import { readVersions, writeVersions } from "../../src/core/wire/versions.ts";
import { Writer } from "../../src/core/wire/writer.ts";
import { hex } from "../support/format-page.ts";
import { actorOf, CausalWorld, type Copy, siblingsOf } from "./causal-model.ts";

const seed = 20251121;
const replicas = 3;
const clients = 3;

type Step = readonly [what: number, client: number, replica: number, more: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.nat({ max: 11 }),
  fc.nat({ max: clients - 1 }),
  fc.nat({ max: replicas - 1 }),
  fc.nat({ max: 30 }),
);

/** Runs the steps, and looks at every replica after each. */
function live(
  steps: readonly Step[],
  options: { readonly retries: boolean; readonly look?: (world: CausalWorld) => void },
): CausalWorld {
  const world = new CausalWorld({ replicas, clients });
  for (const [what, client, replica, more] of steps) {
    const answered = { isAnswered: true, skip: more % 3 };
    if (what < 4) world.put(client, replica, { hasValue: true, ...answered });
    else if (what === 4) world.put(client, replica, { hasValue: false, ...answered });
    else if (what === 5) world.forget(client);
    else if (what === 6) world.read(client, [replica]);
    else if (what === 7) world.read(client, [replica, (replica + 1) % replicas]);
    else if (what === 8) world.sync(replica, (replica + 1) % replicas);
    else if (what === 9 && options.retries) {
      world.put(client, replica, { hasValue: more % 4 !== 0, isAnswered: false });
      world.retry(client, (replica + more) % replicas, true);
    } else world.deliver(more, replica);
    options.look?.(world);
  }
  return world;
}

function check(world: CausalWorld): void {
  for (const copy of world.replicas) {
    const { least, most } = world.expected(copy);
    const found = siblingsOf(copy.versions);
    expect(least.filter((id) => !found.includes(id))).toEqual([]);
    expect(found.filter((id) => !most.includes(id))).toEqual([]);
    bytesOf(copy.versions);
  }
}

/** In the one form that the wire allows. */
function bytesOf(versions: Versions): string {
  const writer = new Writer();
  writeVersions(writer, versions);
  const bytes = writer.bytes.slice(0, writer.at);
  const reader = new Reader(bytes);
  expect(readVersions(reader)).toEqual(versions);
  reader.finish();
  return hex(bytes);
}

describe("siblings are exact", () => {
  const exact = (retries: boolean, maxLength: number): void => {
    fc.assert(
      fc.property(fc.array(step, { maxLength }), (steps) => {
        const world = live(steps, { retries, look: check });
        const all = world.syncAll();
        const { least, most } = world.expected(all);
        expect(least).toEqual(most);
        expect(siblingsOf(all.versions)).toEqual(least);
      }),
      { seed, numRuns: 1500 },
    );
  };

  test("whatever clients have seen and wherever they write", () => exact(false, 40));

  // No more writes than operations are remembered: a retry comes soon, or is taken for news.
  test("also when operations are retried through other coordinators", () => exact(true, 30));
});

describe("merge", () => {
  const copies = (steps: readonly Step[], retries: boolean): readonly Copy[] => {
    const world = live(steps, { retries });
    return [...world.replicas, ...world.messages];
  };
  const three = fc.tuple(fc.array(step, { maxLength: 12 }), fc.nat(), fc.nat(), fc.nat());
  const pickThree = ([steps, ...picks]: [Step[], number, number, number], retries: boolean) => {
    const all = copies(steps, retries);
    const [a, b, c] = picks.map((at) => all[at % all.length]?.versions ?? noVersions);
    return [a, b, c] as [Versions, Versions, Versions];
  };

  test("takes no heed of order, grouping or repetition", () => {
    const property = fc.property(three, fc.boolean(), (drawn, retries) => {
      const [a, b, c] = pickThree(drawn, retries && drawn[0].length < 8);
      expect(bytesOf(merge(a, b))).toBe(bytesOf(merge(b, a)));
      expect(bytesOf(merge(merge(a, b), c))).toBe(bytesOf(merge(a, merge(b, c))));
      expect(bytesOf(merge(merge(a, b), b))).toBe(bytesOf(merge(a, b)));
      expect(bytesOf(merge(a, a))).toBe(bytesOf(a));
    });
    fc.assert(property, { seed, numRuns: 3000 });
  });

  test("is lacked exactly where it would change something", () => {
    const property = fc.property(three, (drawn) => {
      const [a, b] = pickThree(drawn, false);
      expect(lacks(a, b)).toBe(!isEqual(merge(a, b), a));
      expect(lacks(merge(a, b), a)).toBe(false);
      expect(includesContext(contextOf(merge(a, b)), contextOf(a))).toBe(true);
    });
    fc.assert(property, { seed, numRuns: 500 });
  });
});

describe("a context includes another", () => {
  const events = (counter: number, dots: readonly number[]) => ({
    ...emptyContext,
    vector: counter === 0 ? [] : [{ actor: actorOf(0), counter, time: 0 }],
    dots: dots.map((dot) => ({ actor: actorOf(0), counter: dot })),
  });

  test("when each of its events is known", () => {
    expect(includesContext(events(5, []), events(3, [5]))).toBe(true);
    expect(includesContext(events(5, []), events(6, []))).toBe(false);
    expect(includesContext(events(3, [5]), events(2, [5]))).toBe(true);
  });

  test("and one event does not stand for all those before it", () => {
    expect(includesContext(events(0, [5]), events(5, []))).toBe(false);
  });
});

describe("writers that do not read", () => {
  test("two of them, 101 writes in turn, each over its own last: two siblings at most", () => {
    const world = new CausalWorld({ replicas: 1, clients: 2 });
    for (let i = 0; i < 101; i++) {
      world.put(i % 2, 0, { hasValue: true, isAnswered: true });
      expect(world.replicas[0]?.versions.siblings.length).toBeLessThanOrEqual(2);
    }
    expect(siblingsOf(world.replicas[0]!.versions)).toEqual([100, 101]);
  });

  test("the same through two coordinators whose copies cross", () => {
    const world = new CausalWorld({ replicas: 2, clients: 2 });
    for (let i = 0; i < 101; i++) {
      world.put(i % 2, i % 2, { hasValue: true, isAnswered: true });
      if (i % 3 === 0) world.sync(0, 1);
    }
    expect(siblingsOf(world.syncAll().versions)).toEqual([100, 101]);
  });

  test("a thousand writes over each other's answers do not make the context grow", () => {
    let versions = noVersions;
    let context = emptyContext;
    for (let i = 1; i <= 1000; i++) {
      const operation = { at: i, nonce: 1, retried: false };
      const change = { operation, time: i, expiresAt: 0, value: Uint8Array.of(1) };
      const dot = { actor: actorOf(i % 3), counter: i };
      ({ versions, context } = write(versions, context, dot, change));
      expect(context.vector.length + context.dots.length).toBeLessThanOrEqual(4);
    }
    expect(versions.siblings).toHaveLength(1);
  });
});

test("a client that loses three answers in ten, and retries elsewhere, leaves one value", () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat({ max: 9 })), (chance) => {
      const next = (): number => chance.next().value ?? 0;
      const world = new CausalWorld({ replicas, clients: 1 });
      for (let write = 0; write < 40; write++) {
        let isAnswered = next() >= 3;
        world.put(0, next() % replicas, { hasValue: true, isAnswered });
        while (!isAnswered) {
          isAnswered = next() >= 3;
          world.retry(0, next() % replicas, isAnswered);
        }
        // Some copies arrive, late and out of order; the rest is lost until the end.
        for (let i = 0; i < 2; i++) {
          const latest = world.messages.length - 1 - (next() % 4);
          world.deliver(Math.max(0, latest), next() % replicas);
        }
      }
      expect(siblingsOf(world.syncAll().versions)).toEqual([40]);
    }),
    { seed, numRuns: 300 },
  );
});

describe("the answer to a put", () => {
  test("does not cover a sibling that its writer has not seen", () => {
    const world = new CausalWorld({ replicas: 1, clients: 2 });
    const write = { hasValue: true, isAnswered: true };
    world.put(0, 0, write);
    world.put(1, 0, write);
    world.put(1, 0, write);
    world.put(1, 0, { ...write, hasValue: false });
    expect(siblingsOf(world.replicas[0]!.versions)).toEqual([1]);
  });

  test("to a retry covers the first attempt", () => {
    const world = new CausalWorld({ replicas: 2, clients: 1 });
    world.put(0, 0, { hasValue: true, isAnswered: false });
    world.retry(0, 0, true);
    world.put(0, 0, { hasValue: true, isAnswered: true });
    expect(siblingsOf(world.syncAll().versions)).toEqual([2]);
  });
});

describe("a delete", () => {
  const write = { hasValue: true, isAnswered: true };
  const remove = { hasValue: false, isAnswered: true };

  test("leaves a tombstone, which a late copy of the value does not undo", () => {
    const world = new CausalWorld({ replicas: 2, clients: 1 });
    world.put(0, 0, write);
    world.put(0, 0, remove);
    world.deliver(0, 1);
    world.sync(0, 1);
    expect(isTombstone(world.replicas[1]!.versions)).toBe(true);
  });

  test("removes what its client saw, and not what was written meanwhile", () => {
    const world = new CausalWorld({ replicas: 2, clients: 2 });
    world.put(0, 0, write);
    world.sync(0, 1);
    world.read(1, [1]);
    world.put(1, 1, write);
    world.put(0, 0, remove);
    expect(siblingsOf(world.syncAll().versions)).toEqual([2]);
  });

  test("without a context removes nothing", () => {
    const world = new CausalWorld({ replicas: 1, clients: 2 });
    world.put(0, 0, write);
    world.put(1, 0, remove);
    expect(siblingsOf(world.replicas[0]!.versions)).toEqual([1]);
  });

  test("that is retried elsewhere happens once", () => {
    const world = new CausalWorld({ replicas: 2, clients: 2 });
    world.put(0, 0, write);
    world.sync(0, 1);
    world.put(0, 0, { ...remove, isAnswered: false });
    world.read(1, [0]);
    world.put(1, 0, write);
    world.retry(0, 1, true);
    expect(siblingsOf(world.syncAll().versions)).toEqual([3]);
  });
});

describe("stripped of operations on one side", () => {
  const operation = { at: 1, nonce: 1, retried: true };
  const change = { operation, time: 1, expiresAt: 0, value: Uint8Array.of(1) };
  const { versions } = write(noVersions, emptyContext, { actor: actorOf(0), counter: 1 }, change);
  const stripped: Versions = {
    ...noVersions,
    siblings: versions.siblings.map((sibling) => ({ ...sibling, operation: undefined })),
  };

  test("a sibling is stripped on both, in either order", () => {
    const [one, other] = [merge(versions, stripped), merge(stripped, versions)];
    expect(bytesOf(one)).toBe(bytesOf(other));
    expect(one.siblings).toEqual(stripped.siblings);
  });

  test("it is superseded like any other", () => {
    const next = { ...change, operation: { ...operation, at: 2 }, value: Uint8Array.of(2) };
    const dot = { actor: actorOf(1), counter: 9 };
    const after = write(stripped, contextOf(stripped), dot, next).versions;
    expect(siblingsOf(merge(after, versions))).toEqual([2]);
    expect(siblingsOf(merge(stripped, after))).toEqual([2]);
  });
});
