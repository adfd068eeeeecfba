/** Partitions, preference lists and stand-ins: what the seeds say of the ring. */
import { describe, expect, test } from "vitest";
import { keyOf } from "../../src/core/key.ts";
import { foundRing } from "../../src/core/members/founding.ts";
import { plan } from "../../src/core/ring/planner.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { clusterId, memberOf, ringOf as ownedRingOf } from "../support/council.ts";

function stateOf(members: readonly Member[], more: Partial<RingState> = {}): RingState {
  return { ...ownedRingOf(members, 64, more.n), ...more };
}

function ringOf(count: number): Ring {
  return new Ring(stateOf(Array.from({ length: count }, (_, i) => memberOf(i + 1))), 1);
}

const partitionsOf = (ring: Ring): number[] => Array.from({ length: ring.partitions }, (_, p) => p);

describe("a partition", () => {
  test("is found by the first bits of the key's MD5", () => {
    const ring = ringOf(3);
    // MD5("a") is 0cc175b9c0f1b6a831c399e269772661: 0x0c are the top eight bits of it.
    expect(ring.partitionOf(keyOf("", new TextEncoder().encode("a")))).toBe(0x0c >> 2);
  });

  test("of a new cluster belongs to the founder", () => {
    const state = foundRing({ clusterId, member: memberOf(1), n: 3, partitions: 16 });
    const ring = new Ring(state, 1);
    expect(ring.partitions).toBe(16);
    for (const p of partitionsOf(ring)) expect(ring.preference(p)).toEqual([1]);
    expect(ring.held()).toEqual(partitionsOf(ring));
    expect(new Ring(state, 2).held()).toEqual([]);
  });

  test("that moves is held by present and future owners, and read from the present ones", () => {
    const members = [1, 2, 3, 4].map((id) => memberOf(id));
    const owners = Array.from({ length: 4 }, () => [1, 2, 3]);
    const moves = [{ partition: 2, to: [1, 2, 4] }];
    const ring = new Ring(stateOf(members, { owners, moves }), 4);
    expect(ring.owners(2)).toEqual([1, 2, 3]);
    expect(ring.future(2)).toEqual([1, 2, 4]);
    expect(ring.future(1)).toBeUndefined();
    expect(ring.holders(2)).toEqual([1, 2, 3, 4]);
    expect(ring.holders(1)).toEqual([1, 2, 3]);
    expect(ring.held()).toEqual([2]);
  });
});

describe("a preference list", () => {
  test("begins with the owners and goes on with every other node, each once", () => {
    for (const count of [1, 2, 3, 5, 12]) {
      const ring = ringOf(count);
      for (const p of partitionsOf(ring)) {
        const list = ring.preference(p);
        expect(list.slice(0, Math.min(3, count))).toEqual(ring.owners(p));
        expect([...list].sort((a, b) => a - b)).toEqual(ring.state.members.map(({ id }) => id));
      }
    }
  });

  test("walks clockwise over the first owners of the partitions that follow", () => {
    const members = [1, 2, 3, 4, 5].map((id) => memberOf(id));
    const owners = [[1], [3], [2], [3], [5], [4], [1], [2]];
    const ring = new Ring(stateOf(members, { n: 1, owners }), 1);
    expect(ring.preference(0)).toEqual([1, 3, 2, 5, 4]);
    expect(ring.preference(6)).toEqual([1, 2, 3, 5, 4]);
  });

  test("names stand-ins in other racks first", () => {
    const members = [
      ...[1, 2].map((id) => memberOf(id)),
      ...[3, 4].map((id) => memberOf(id, { rack: "r2" })),
    ];
    const owners = [[1], [2], [3], [4]];
    const ring = new Ring(stateOf(members, { n: 1, owners }), 1);
    expect(ring.preference(0)).toEqual([1, 3, 4, 2]);
    expect(ring.preference(2)).toEqual([3, 1, 2, 4]);
  });

  test("includes members that own nothing, leaving ones last, and those that left never", () => {
    const members = [
      memberOf(1),
      memberOf(2, { state: "left" }),
      memberOf(3, { state: "leaving" }),
      memberOf(4),
      memberOf(5),
    ];
    const owners = [[1], [3], [1], [4]];
    const ring = new Ring(stateOf(members, { n: 1, owners }), 1);
    expect(ring.preference(0)).toEqual([1, 4, 5, 3]);
    expect(ring.preference(1)).toEqual([3, 1, 4, 5]);
    expect([1, 2, 3, 5, 6].map((id) => ring.isMember(id))).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
  });
});

describe("partitions as virtual nodes", () => {
  test("spread what a dead node did over all others", () => {
    const ring = ringOf(10);
    const asOwner = new Map<number, number>();
    const asStandIn = new Map<number, number>();
    const add = (to: Map<number, number>, node: number) => to.set(node, (to.get(node) ?? 0) + 1);
    for (const p of partitionsOf(ring)) {
      if (!ring.owners(p).includes(4)) continue;
      for (const node of ring.owners(p)) if (node !== 4) add(asOwner, node);
      add(asStandIn, ring.preference(p)[3]!);
    }
    // Node 4 owned about 19 of 64 partitions: 38 shared ownerships and 19 hints, of nine others.
    expect(asOwner.size).toBe(9);
    expect(Math.max(...asOwner.values())).toBeLessThanOrEqual(9);
    expect(asStandIn.size).toBeGreaterThanOrEqual(6);
    expect(Math.max(...asStandIn.values())).toBeLessThanOrEqual(6);
  });

  test("give a new node a part of everybody's, and touch nothing else", () => {
    const before = ringOf(9);
    const members = [...before.state.members, memberOf(10)];
    const after = plan(members, 3, before.state.owners);
    const donors = new Set<number>();
    let given = 0;
    for (const p of partitionsOf(before)) {
      const lost = before.owners(p).filter((node) => !after[p]!.includes(node));
      const won = after[p]!.filter((node) => !before.owners(p).includes(node));
      expect(won.every((node) => node === 10)).toBe(true);
      expect(lost.length).toBe(won.length);
      for (const node of lost) donors.add(node);
      given += won.length;
    }
    expect(given).toBe(Math.floor((64 * 3) / 10));
    expect(donors.size).toBe(9);
  });

  test("of a node that leaves go to many, and nothing else moves", () => {
    const before = ringOf(10);
    const members = before.state.members.filter(({ id }) => id !== 4);
    const after = plan(members, 3, before.state.owners);
    const heirs = new Set<number>();
    for (const p of partitionsOf(before)) {
      const lost = before.owners(p).filter((node) => !after[p]!.includes(node));
      expect(lost).toEqual(before.owners(p).includes(4) ? [4] : []);
      for (const node of after[p]!) if (!before.owners(p).includes(node)) heirs.add(node);
    }
    expect(heirs.size).toBe(9);
  });
});
