/** The small parts of the coordinator: placement, wheel, hedges, pages, traces, what is visible. */
import { describe, expect, test } from "vitest";
import { merge, noVersions, type Versions, write } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Key, keyOf } from "../../src/core/key.ts";
import { Hedges } from "../../src/core/quorum/hedges.ts";
import { compareKeys } from "../../src/core/quorum/key-order.ts";
import { pageOf } from "../../src/core/quorum/page.ts";
import {
  inFuture,
  inPresent,
  placeCopies,
  readersOf,
  tallyOf,
} from "../../src/core/quorum/placement.ts";
import { Trace } from "../../src/core/quorum/trace.ts";
import { foundOf, withoutExpired } from "../../src/core/quorum/visible.ts";
import { Wheel } from "../../src/core/quorum/wheel.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { LivenessView } from "../../src/core/views.ts";
import { keyNamed, QuorumWorld } from "../support/quorum-world.ts";

const seed = Number(process.env["SEED"] ?? 1);

function livenessOf(dead: ReadonlySet<NodeId>, latency: (node: NodeId) => number): LivenessView {
  return {
    isLive: (node) => !dead.has(node),
    latencyMs: latency,
    late: () => false,
    answered: () => {},
    missed: () => {},
  };
}

function surroundings(wish: {
  self: NodeId;
  nodes: number;
  owners: readonly NodeId[];
  future?: readonly NodeId[];
  dead: readonly NodeId[];
  strict?: boolean;
}) {
  const { self, nodes, owners, future, strict = false } = wish;
  const options = { nodes, n: 3, r: 2, w: 2, owners };
  const world = new QuorumWorld(future === undefined ? options : { ...options, future });
  const liveness = livenessOf(new Set(wish.dead), () => 1);
  return { ring: world.ringOf(self), partition: 0, liveness, strict };
}

describe("placement", () => {
  test("over random rings: every holder has its copy or a hint, nobody is asked twice", () => {
    const random = seededRandom(seed);
    for (let round = 0; round < 1_500; round++) {
      const nodes = 1 + random.below(8);
      const order = shuffled(nodes, random.below);
      const owners = order.slice(0, Math.min(3, nodes));
      const future = random.below(3) === 0 ? shuffled(nodes, random.below).slice(0, 3) : undefined;
      const self = 1 + random.below(nodes);
      const dead = order.filter((node) => node !== self && random.below(3) === 0);
      const strict = random.below(4) === 0;
      const around = { self, nodes, owners, dead, strict };
      const given = surroundings(future === undefined ? around : { ...around, future });
      const what = `seed ${seed}, round ${round}: ${JSON.stringify({ ...around, future })}`;
      const { copies, kept } = placeCopies(given);
      const [own, ...others] = copies;
      const asked = copies.map(({ node }) => node);
      expect(own?.node, what).toBe(self);
      expect(new Set(asked).size, what).toBe(asked.length);
      expect(
        others.filter(({ node }) => dead.includes(node)),
        what,
      ).toEqual([]);
      const hinted = [...kept, ...copies.flatMap(({ hintFor }) => hintFor)];
      const holders = new Set([...owners, ...(future ?? [])]);
      for (const holder of holders) {
        const isThere = copies.some(({ node, isHolder }) => node === holder && isHolder);
        expect(isThere || hinted.includes(holder), what).toBe(true);
      }
      if (strict)
        expect(
          others.every(({ isHolder }) => isHolder),
          what,
        ).toBe(true);
    }
  });

  test("w=1 is in reach wherever one node lives, also in a move", () => {
    for (const future of [undefined, [4, 5, 6], [1, 2, 4]]) {
      for (let self = 1; self <= 7; self++) {
        const dead = [1, 2, 3, 4, 5, 6, 7].filter((node) => node !== self);
        const around = { self, nodes: 7, owners: [1, 2, 3], dead };
        const placement = placeCopies(
          surroundings(future === undefined ? around : { ...around, future }),
        );
        for (const set of [inPresent, inFuture]) {
          const tally = tallyOf(placement, set, 1);
          expect(tally === undefined || tally.asked >= tally.need).toBe(true);
        }
      }
    }
  });

  test("a stand-in with nobody to stand in for counts for no quorum", () => {
    const around = { self: 4, nodes: 4, owners: [1, 2, 3], dead: [] };
    const { copies } = placeCopies(surroundings(around));
    expect(copies[0]).toMatchObject({ node: 4, sets: 0, hintFor: [1, 2, 3] });
    expect(copies.slice(1).map(({ sets }) => sets)).toEqual([inPresent, inPresent, inPresent]);
  });

  test("readers: this node first, then owners by latency, then stand-ins clockwise", () => {
    const { ring } = surroundings({ self: 3, nodes: 6, owners: [1, 2, 3], dead: [] });
    const liveness = livenessOf(new Set([4]), (node) => [0, 9, 5, 7, 1, 1, 1][node] ?? 1);
    const readers = readersOf({ ring, partition: 0, liveness, strict: false });
    expect(readers).toEqual({ nodes: [3, 2, 1, 5, 6], owners: 3, farOwners: 0, reachable: 3 });
    const strictly = readersOf({ ring, partition: 0, liveness, strict: true });
    expect(strictly).toEqual({ nodes: [3, 2, 1], owners: 3, farOwners: 0, reachable: 3 });
  });

  test("readers: owners that are alike take turns, this node first and a slower one last", () => {
    const { ring } = surroundings({ self: 3, nodes: 5, owners: [1, 2, 3, 4], dead: [] });
    const firstsWith = (latencies: readonly number[]): readonly (readonly NodeId[])[] => {
      const liveness = livenessOf(new Set(), (node) => latencies[node] ?? 1);
      const of = { ring, partition: 0, liveness, strict: true };
      return [6, 7, 8].map((turn) => readersOf({ ...of, turn }).nodes);
    };
    const alike = [0, 3, 2, 0, 3, 1];
    expect(firstsWith(alike)).toEqual([
      [3, 2, 1, 4],
      [3, 1, 4, 2],
      [3, 4, 2, 1],
    ]);
    const slower = [0, 2, 2, 0, 3.5, 1];
    expect(firstsWith(slower)).toEqual([
      [3, 1, 2, 4],
      [3, 2, 1, 4],
      [3, 1, 2, 4],
    ]);
  });
});

describe("the wheel", () => {
  test("wakes each item once, not before its time, and at most a slot and a tick late", () => {
    const random = seededRandom(seed);
    const wheel = new Wheel<{ at: number; woken: number[] }>();
    const items: { at: number; woken: number[] }[] = [];
    let now = 5_000_000;
    wheel.advance(now, () => {});
    for (let step = 0; step < 2_000; step++) {
      const item = { at: now + random.below(1_500), woken: [] };
      items.push(item);
      wheel.add(item, item.at);
      now += random.below(20);
      wheel.advance(now, ({ woken }) => woken.push(now));
    }
    wheel.advance(now + 3_000, ({ woken }) => woken.push(now + 3_000));
    for (const { at, woken } of items) {
      expect(woken, `seed ${seed}`).toHaveLength(1);
      expect(woken[0] ?? 0).toBeGreaterThanOrEqual(at);
    }
    const late = items.filter(
      ({ at, woken }) => (woken[0] ?? 0) <= now && (woken[0] ?? 0) - at > 22,
    );
    expect(late).toEqual([]);
  });

  test("wakes early what lies further ahead than it reaches, and all after a long pause", () => {
    const wheel = new Wheel<string>();
    const woken: string[] = [];
    wheel.advance(1_000_000, () => {});
    wheel.add("far", 1_060_000);
    wheel.add("near", 1_000_100);
    wheel.advance(1_000_200, (item) => woken.push(item));
    expect(woken).toEqual(["near"]);
    wheel.advance(9_000_000, (item) => woken.push(item));
    expect(woken).toEqual(["near", "far"]);
  });
});

test("hedges: one in twenty reads in the long run, and a few at once after a quiet time", () => {
  const hedges = new Hedges(20);
  let taken = 0;
  for (let read = 0; read < 20_000; read++) {
    hedges.earn();
    if (hedges.take()) taken += 1;
  }
  expect(taken).toBeLessThanOrEqual(1_001);
  expect(taken).toBeGreaterThanOrEqual(999);
  for (let read = 0; read < 10_000; read++) hedges.earn();
  let atOnce = 0;
  while (hedges.take()) atOnce += 1;
  expect(atOnce).toBe(16);
});

describe("pages", () => {
  const keys = Array.from({ length: 40 }, (_, i) => keyNamed(`key${i}`)).sort(compareKeys);
  const wish = { bucket: "", prefix: new Uint8Array(0), limit: 100, now: 1_000 };
  const name = ({ key }: { key: Key }) => new TextDecoder().decode(key.bytes);
  const listed = (list: readonly Key[], isEnd: boolean, versions = valued("v", 1)) => ({
    entries: list.map((key) => ({ key, versions })),
    isEnd,
  });

  test("end where the shortest list ends, however long the others are", () => {
    const page = pageOf([listed(keys.slice(0, 10), false), listed(keys, true)], wish);
    expect(page.entries.map(({ key }) => key)).toEqual(keys.slice(0, 10));
    expect(page.next).toBe(keys[9]);
    expect(pageOf([listed(keys, true), listed(keys, true)], wish).next).toBeUndefined();
  });

  test("stop at the limit and go on from there without a gap or a repeat", () => {
    const seen: string[] = [];
    let after: Key | undefined;
    do {
      const left = keys.filter((key) => after === undefined || compareKeys(key, after) > 0);
      const lists = [
        listed(left.filter((_, i) => i % 2 === 0).slice(0, 9), left.length <= 18),
        listed(left.slice(0, 9), left.length <= 9),
      ];
      const page = pageOf(lists, { ...wish, limit: 4 });
      seen.push(...page.entries.map(name));
      after = page.next;
    } while (after !== undefined);
    expect(seen).toEqual(keys.map((key) => name({ key })));
  });

  test("hide the deleted, the expired, other buckets and other prefixes; merge the rest", () => {
    const [one, two, three] = [keyNamed("a1"), keyNamed("a2"), keyNamed("b1")];
    const other = keyOf("bucket", one.bytes);
    const first = valued("v", 1);
    const sibling = valued("x", 2);
    const dead = write(valued("v", 1), valued("v", 1), dotOf(1, 2), changeOf(undefined)).versions;
    const old = valued("v", 3, 999);
    const lists = [
      {
        entries: [one, other, three].map((key) => ({ key, versions: first })),
        isEnd: true,
      },
      {
        entries: [
          { key: one, versions: sibling },
          { key: two, versions: dead },
        ],
        isEnd: true,
      },
      { entries: [{ key: keyNamed("a3"), versions: old }], isEnd: true },
    ];
    for (const { entries } of lists) entries.sort((a, b) => compareKeys(a.key, b.key));
    const page = pageOf(lists, { ...wish, prefix: new TextEncoder().encode("a") });
    expect(page.entries.map(name)).toEqual(["a1"]);
    expect(page.entries[0]?.versions).toEqual(merge(first, sibling));
  });
});

describe("what is visible", () => {
  test("an expired value is hidden, and its context still covers it", () => {
    const versions = merge(valued("old", 1, 500), valued("new", 2, 1_500));
    const more = { fastest: 1, degraded: false, trace: undefined };
    const found = foundOf(versions, { now: 500, ...more });
    expect(found.values.map((value) => new TextDecoder().decode(value))).toEqual(["new"]);
    expect(found.written).toHaveLength(1);
    const next = write(versions, found.context, dotOf(3, 1), changeOf("next")).versions;
    expect(next.siblings).toHaveLength(1);
    expect(foundOf(versions, { now: 499, ...more }).values).toHaveLength(2);
    expect(foundOf(versions, { now: 2_000, ...more }).values).toEqual([]);
  });

  test("without its expired siblings a version still replaces them", () => {
    const versions = merge(valued("old", 1, 500), valued("new", 2, 1_500));
    const shown = withoutExpired(versions, 600);
    expect(shown.siblings).toHaveLength(1);
    expect(merge(versions, shown).siblings).toEqual(shown.siblings);
    expect(withoutExpired(versions, 1)).toBe(versions);
  });
});

test("a trace takes in another node's lines, and no nonsense", () => {
  const trace = new Trace(100);
  trace.add(105.123, 1, "b");
  trace.append('[{"atMs":1,"node":2,"what":"a"},{"atMs":"x"},7]', 101);
  trace.append("no json", 101);
  trace.append(undefined, 101);
  expect(JSON.parse(trace.text())).toEqual([
    { atMs: 2, node: 2, what: "a" },
    { atMs: 5.12, node: 1, what: "b" },
  ]);
});

function shuffled(count: number, below: (bound: number) => number): NodeId[] {
  const left = Array.from({ length: count }, (_, i) => i + 1);
  return Array.from({ length: count }, () => left.splice(below(left.length), 1)[0] ?? 0);
}

function dotOf(node: number, counter: number) {
  return { actor: node.toString(16).padStart(16, "0"), counter };
}

let nonce = 0;
function changeOf(value: string | undefined, expiresAt = 0) {
  nonce += 1;
  const operation = { at: 1, nonce, retried: false };
  const bytes = value === undefined ? undefined : new TextEncoder().encode(value);
  return { operation, time: 1, expiresAt, value: bytes };
}

function valued(value: string, node: number, expiresAt = 0): Versions {
  return write(noVersions, noVersions, dotOf(node, 1), changeOf(value, expiresAt)).versions;
}
