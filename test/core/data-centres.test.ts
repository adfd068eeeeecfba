/**
 * Data centres in the ring: how partitions are placed in several of them, and what a node takes for
 * near and for far.
 */
import { describe, expect, test } from "vitest";
import {
  admit,
  departed,
  finishMoves,
  forced,
  leave,
  remove,
  setWeight,
} from "../../src/core/members/changes.ts";
import { foundRing } from "../../src/core/members/founding.ts";
import { checkRing, checkSuccessor } from "../../src/core/ring/check-ring.ts";
import { crowdedPartitions, type Owners, plan } from "../../src/core/ring/planner.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, Move, RingState } from "../../src/core/ring/ring-state.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

const fresh = (partitions: number): Owners => Array.from({ length: partitions }, () => []);

function memberOf(id: number, dc: string, more: Partial<Member> = {}): Member {
  return { id, address: `n${id}:7400`, dc, rack: "r1", weight: 1, state: "member", ...more };
}

/** So many members in each, numbered through. */
function membersIn(counts: Readonly<Record<string, number>>): Member[] {
  let id = 0;
  return Object.entries(counts).flatMap(([dc, count]) =>
    Array.from({ length: count }, () => memberOf(++id, dc)),
  );
}

function stateOf(
  members: readonly Member[],
  owners: Owners,
  more: { readonly n?: number; readonly moves?: readonly Move[] } = {},
): RingState {
  const { n = 3, moves = [] } = more;
  const clusterId = "5eed".repeat(8);
  return {
    ...{ clusterId, generation: 1, epoch: 1, n, members, owners, moves },
    ...{ buckets: [], staged: [] },
  };
}

/** The rows of one data centre alone. */
function inside(owners: Owners, members: readonly Member[], dc: string): Owners {
  const ids = new Set(members.filter((member) => member.dc === dc).map(({ id }) => id));
  return owners.map((row) => row.filter((node) => ids.has(node)));
}

function spreadOf(owners: Owners, members: readonly Member[]): number {
  const counts = new Map(members.map(({ id }) => [id, 0]));
  for (const row of owners) for (const node of row) counts.set(node, (counts.get(node) ?? 0) + 1);
  return Math.max(...counts.values()) - Math.min(...counts.values());
}

describe("a plan", () => {
  test("gives each data centre n copies of each partition, evenly over its members", () => {
    const members = membersIn({ east: 5, west: 4, south: 3 });
    const owners = plan(members, 3, fresh(64));
    expect(checkRing(stateOf(members, owners))).toEqual([]);
    for (const dc of ["east", "west", "south"]) {
      const rows = inside(owners, members, dc);
      expect(new Set(rows.map((row) => row.length))).toEqual(new Set([3]));
      expect(
        spreadOf(
          rows,
          members.filter((member) => member.dc === dc),
        ),
      ).toBeLessThanOrEqual(1);
      // Each data centre has leaders of its own, as even as if it were alone.
      const leads = rows.map((row) => row.slice(0, 1));
      expect(
        spreadOf(
          leads,
          members.filter((member) => member.dc === dc),
        ),
      ).toBeLessThanOrEqual(1);
    }
  });

  test("gives a data centre with fewer than n members one copy on each", () => {
    const members = membersIn({ east: 4, west: 2, south: 1 });
    const owners = plan(members, 3, fresh(32));
    expect(checkRing(stateOf(members, owners))).toEqual([]);
    for (const row of owners) expect(row.length).toBe(3 + 2 + 1);
    for (const row of inside(owners, members, "west")) expect([...row].sort()).toEqual([5, 6]);
  });

  test("names the data centres of a row in one order, whatever the order of the members", () => {
    const members = membersIn({ west: 3, east: 3 });
    const owners = plan(members, 3, fresh(16));
    expect(plan([...members].reverse(), 3, fresh(16))).toEqual(owners);
    for (const row of owners) expect(row.slice(0, 3).every((id) => id > 3)).toBe(true);
  });

  test("moves nothing in one data centre when another one changes", () => {
    const random = randomFrom(seed);
    const names = ["east", "west", "south"];
    let members = membersIn({ east: 4, west: 4, south: 4 });
    let owners = plan(members, 3, fresh(32));
    for (let step = 0, last = 12; step < 60; step++) {
      const dc = names[pick(random, 3)] ?? "east";
      const there = members.filter((member) => member.dc === dc);
      const grows = there.length < 3 || (there.length < 8 && pick(random, 2) === 0);
      const gone = there[pick(random, there.length)];
      last += Number(grows);
      members = grows
        ? [...members, memberOf(last, dc)]
        : members.filter((member) => member !== gone);
      const next = plan(members, 3, owners);
      const message = `seed ${seed}, step ${step}`;
      expect(checkRing(stateOf(members, next)), message).toEqual([]);
      for (const other of names) {
        const before = inside(owners, members, other);
        const after = inside(next, members, other);
        if (other !== dc) expect(after, message).toEqual(before);
      }
      owners = next;
    }
  });

  test("fills a new data centre, and forgets one whose last member leaves", () => {
    const members = membersIn({ east: 3 });
    const before = plan(members, 3, fresh(16));
    const more = [...members, memberOf(4, "west"), memberOf(5, "west")];
    const grown = plan(more, 3, before);
    expect(inside(grown, more, "east")).toEqual(before);
    for (const row of inside(grown, more, "west")) expect([...row].sort()).toEqual([4, 5]);
    const leaving = more.map((one) =>
      one.dc === "east" ? { ...one, state: "leaving" as const } : one,
    );
    for (const row of plan(leaving, 3, grown)) expect([...row].sort()).toEqual([4, 5]);
  });

  test("spreads racks within each data centre: names of racks mean nothing outside", () => {
    const racks = ["r1", "r2", "r3"];
    const members = ["east", "west"].flatMap((dc, d) =>
      Array.from({ length: 6 }, (_, i) => memberOf(d * 6 + i + 1, dc, { rack: racks[i % 3]! })),
    );
    const owners = plan(members, 3, fresh(64));
    expect(crowdedPartitions(members, owners)).toEqual([]);
    const swapped = owners.map((row, p) => (p === 7 ? [1, 4, 2, ...row.slice(3)] : row));
    expect(crowdedPartitions(members, swapped)).toEqual([7]);
  });
});

describe("a ring state", () => {
  const members = membersIn({ east: 4, west: 4 });
  const owners = plan(members, 3, fresh(4));

  test("may hold n copies in each data centre", () => {
    expect(checkRing(stateOf(members, owners))).toEqual([]);
  });

  test("may not hold more than n in one, however few the others have", () => {
    const crowded = [[1, 2, 3, 4, 5], ...owners.slice(1)];
    expect(checkRing(stateOf(members, crowded)).join()).toMatch(/more than n = 3/);
    const moves = [{ partition: 0, to: [1, 5, 6, 7, 8] }];
    expect(checkRing(stateOf(members, owners, { moves })).join()).toMatch(/more than n = 3/);
  });
});

describe("a node", () => {
  const members = membersIn({ east: 4, west: 4 });
  const row = [1, 2, 3, 5, 6, 7];
  const owners: Owners = [row, [2, 3, 4, 6, 7, 8], row, row];
  const ring = (self: number, moves: readonly Move[] = []): Ring =>
    new Ring(stateOf(members, owners, { moves }), self);

  test("takes the owners of its own data centre for near, and the others for far", () => {
    expect(ring(1).near(0)).toEqual([1, 2, 3]);
    expect(ring(1).far(0)).toEqual([[5, 6, 7]]);
    expect(ring(8).near(0)).toEqual([5, 6, 7]);
    expect(ring(8).far(0)).toEqual([[1, 2, 3]]);
    expect(ring(1).dcOf(8)).toBe("west");
    expect(ring(1).dcOf(9)).toBeUndefined();
  });

  test("finds stand-ins in its own data centre only", () => {
    expect(ring(1).preference(0)).toEqual([1, 2, 3, 4]);
    expect(ring(7).preference(1)).toEqual([6, 7, 8, 5]);
  });

  test("counts a move elsewhere as far, and sees its own as a second near set", () => {
    const west = [{ partition: 0, to: [1, 2, 3, 5, 6, 8] }];
    expect(ring(1, west).nearFuture(0)).toBeUndefined();
    expect(ring(1, west).far(0)).toEqual([[5, 6, 7, 8]]);
    expect(ring(5, west).near(0)).toEqual([5, 6, 7]);
    expect(ring(5, west).nearFuture(0)).toEqual([5, 6, 8]);
    expect(ring(5, west).far(0)).toEqual([[1, 2, 3]]);
  });

  test("takes everybody for near while its own data centre owns nothing yet", () => {
    const south = [...members, memberOf(9, "south")];
    const moves = [{ partition: 0, to: [...row, 9] }];
    const view = new Ring(stateOf(south, owners, { moves }), 9);
    expect(view.near(0)).toEqual(row);
    expect(view.nearFuture(0)).toEqual([...row, 9]);
    expect(view.far(0)).toEqual([]);
    expect(new Set(view.preference(0)).size).toBe(9);
    // To the others the newcomer is one more far data centre.
    const east = new Ring(stateOf(south, owners, { moves }), 1);
    expect(east.far(0)).toEqual([[5, 6, 7], [9]]);
  });

  test("whose data centre is about to own nothing counts there until then", () => {
    const view = ring(1, [{ partition: 0, to: [5, 6, 7] }]);
    expect(view.near(0)).toEqual([1, 2, 3]);
    expect(view.nearFuture(0)).toBeUndefined();
    expect(view.far(0)).toEqual([[5, 6, 7]]);
  });
});

describe("a random history of changes in several data centres", () => {
  const names = ["east", "west", "south"];

  /** One change, or a step of one under way. */
  function changed(state: RingState, random: () => number, step: number): RingState {
    const owning = state.members.filter((one) => one.state === "member");
    const one = owning[pick(random, owning.length)] ?? memberOf(1, "east");
    const die = pick(random, 12);
    const many = owning.length > 9;
    if (die < 3 && !many) {
      const { address, rack, weight } = memberOf(1_000 + step, "east");
      const dc = names[pick(random, 3)] ?? "east";
      const next = admit(state, { address, rack, weight, dc });
      return "kind" in next ? state : next;
    }
    if (die < 8) {
      const some = state.moves.filter(() => pick(random, 2) === 0);
      return finishMoves(state, some);
    }
    const ids = state.members.map(({ id }) => id);
    const next =
      die === 8
        ? leave(state, one.id)
        : die === 9
          ? remove(state, one.id)
          : die === 10
            ? setWeight(state, one.id, 1 + pick(random, 3))
            : departed(state, ids);
    return "kind" in next ? state : next;
  }

  test("is sound at each step, and ends with n copies in each data centre", () => {
    const random = randomFrom(seed + 5);
    for (let round = 0; round < 12; round++) {
      const member = memberOf(1, "east");
      let state = foundRing({ clusterId: "5eed".repeat(8), member, n: 3, partitions: 16 });
      for (let step = 0; step < 80; step++) {
        const next = changed(state, random, round * 1_000 + step);
        const why = `seed ${seed}, round ${round}, step ${step}`;
        expect(checkRing(next), why).toEqual([]);
        if (next !== state) expect(checkSuccessor(state, next), why).toEqual([]);
        state = next;
      }
      while (state.moves.length > 0) state = finishMoves(state, state.moves);
      for (const dc of names) {
        const here = state.members.filter((one) => one.dc === dc && one.state === "member");
        for (const owners of inside(state.owners, here, dc)) {
          expect(owners.length, `seed ${seed}, round ${round}`).toBe(Math.min(3, here.length));
        }
      }
    }
  });

  test("loses one for good: the ring is forced without it, and nothing else moves", () => {
    const members = membersIn({ east: 3, west: 3 });
    const before = stateOf(members, plan(members, 3, fresh(16)));
    const after = forced(before, [4, 5, 6]);
    if ("kind" in after) throw new Error(after.message);
    expect(checkRing(after)).toEqual([]);
    expect(after.moves).toEqual([]);
    expect(after.owners).toEqual(inside(before.owners, members, "east"));
  });
});
