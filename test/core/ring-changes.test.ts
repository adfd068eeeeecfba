/** Changes of the ring as values: what each does at once, what it leaves to moves and refuses. */
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
import { leavingIdle } from "../../src/core/members/reassign.ts";
import type { Failed } from "../../src/core/message.ts";
import { checkRing, checkSuccessor, isSameSet } from "../../src/core/ring/check-ring.ts";
import { plan } from "../../src/core/ring/planner.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";
import { clusterId, memberOf, ringOf } from "../support/council.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

const three = (): RingState => ringOf([1, 2, 3].map((id) => memberOf(id)));

function candidateOf(id: number) {
  return { address: `n${id}:7400`, dc: "dc1", rack: "r1", weight: 1 };
}

function must(outcome: RingState | Failed): RingState {
  if ("kind" in outcome) throw new Error(outcome.message);
  return outcome;
}

function finished(state: RingState): RingState {
  return finishMoves(state, state.moves);
}

function ownedBy(state: RingState, node: number): number {
  return state.owners.filter((row) => row.includes(node)).length;
}

function stateOf(state: RingState, node: number) {
  return state.members.find(({ id }) => id === node)?.state;
}

describe("a node that is let in", () => {
  test("gets the number after the highest that was ever used, and owns nothing yet", () => {
    const before = must(remove(must(admit(three(), candidateOf(9))), 4));
    const after = must(admit(before, candidateOf(9)));
    expect(after.members.map(({ id, state }) => [id, state])).toEqual([
      [1, "member"],
      [2, "member"],
      [3, "member"],
      [4, "left"],
      [5, "member"],
    ]);
    expect(after.epoch).toBe(before.epoch + 1);
    expect(after.owners.every((row, p) => isSameSet(row, before.owners[p]!))).toBe(true);
    expect(ownedBy(after, 5)).toBe(0);
  });

  test("is to own its share once it is filled, and nothing more than that moves", () => {
    const state = must(admit(three(), candidateOf(4)));
    expect(state.moves).toHaveLength((8 * 3) / 4);
    for (const { partition, to } of state.moves) {
      expect(to).toContain(4);
      expect(to.filter((node) => !state.owners[partition]!.includes(node))).toEqual([4]);
    }
    const after = finished(state);
    expect([1, 2, 3, 4].map((node) => ownedBy(after, node))).toEqual([6, 6, 6, 6]);
    expect(after.moves).toEqual([]);
  });

  test("is added to the owners where fewer than n own everything, when it is filled", () => {
    const founder = foundRing({ clusterId, member: memberOf(1), n: 3, partitions: 8 });
    const two = must(admit(founder, candidateOf(2)));
    expect(two.owners).toEqual(founder.owners);
    expect(two.moves.map(({ to }) => [...to].sort())).toEqual(
      Array.from({ length: 8 }, () => [1, 2]),
    );
    // A third comes before the second is filled: both are to own everything.
    const both = must(admit(two, candidateOf(3)));
    expect(both.owners).toEqual(founder.owners);
    const all = finished(both);
    for (const row of all.owners) expect([...row].sort()).toEqual([1, 2, 3]);
    // Each leads as many as the others, give or take one.
    const leads = [1, 2, 3].map((node) => all.owners.filter((row) => row[0] === node).length);
    expect(Math.max(...leads) - Math.min(...leads)).toBeLessThanOrEqual(1);
  });

  test("must not have the address of a member, but may have that of one that left", () => {
    expect(admit(three(), candidateOf(2))).toMatchObject({ code: "NODE_ID_IN_USE" });
    expect(must(admit(must(remove(three(), 2)), candidateOf(2))).members).toHaveLength(4);
  });

  test("must be of a kind that can be a member", () => {
    for (const bad of [{ weight: 0 }, { weight: 101 }, { weight: Number.NaN }, { address: "" }]) {
      const outcome = admit(three(), { ...candidateOf(4), ...bad });
      expect(outcome).toMatchObject({ code: "INVALID_ARGUMENT", applied: "no" });
    }
  });
});

describe("moves", () => {
  test("finish one by one, and only to the target that was meant", () => {
    const state = must(admit(three(), candidateOf(4)));
    const [first, second] = state.moves;
    const after = finishMoves(state, [first!, { partition: second!.partition, to: [1, 2] }]);
    expect(after.moves).toEqual(state.moves.slice(1));
    expect(after.owners[first!.partition]).toEqual(first!.to);
    expect(after.epoch).toBe(state.epoch + 1);
    expect(finishMoves(after, [first!])).toBe(after);
  });

  test("to a target that stays the same survive another change", () => {
    const one = must(admit(three(), candidateOf(4)));
    const two = must(admit(one, candidateOf(5)));
    const stillMoving = one.moves.filter(({ partition, to }) =>
      two.moves.some((move) => move.partition === partition && isSameSet(move.to, to)),
    );
    const keptBy4 = two.moves.filter(
      ({ partition, to }) =>
        to.includes(4) && one.moves.some((move) => move.partition === partition),
    );
    // Six were on their way to node 4, which is to have 24 / 5 of all copies now.
    expect(keptBy4.length).toBeGreaterThanOrEqual(4);
    expect(stillMoving.length).toBeGreaterThan(0);
    expect(ownedBy(finished(two), 4)).toBe(keptBy4.length);
  });
});

describe("a node that leaves", () => {
  test("owns and counts until others have what it held, and has left then", () => {
    const four = finished(must(admit(three(), candidateOf(4))));
    const leaving = must(leave(four, 2));
    expect(stateOf(leaving, 2)).toBe("leaving");
    expect(ownedBy(leaving, 2)).toBe(ownedBy(four, 2));
    expect(leave(leaving, 2)).toBe(leaving);
    const some = finishMoves(leaving, leaving.moves.slice(1));
    expect(stateOf(some, 2)).toBe("leaving");
    expect(departed(some, [2])).toBe(some);
    const idle = finished(some);
    expect(ownedBy(idle, 2)).toBe(0);
    expect(stateOf(idle, 2)).toBe("leaving");
    expect(leavingIdle(idle)).toEqual([2]);
    expect(departed(idle, [1, 3, 4])).toBe(idle);
    const gone = departed(idle, [1, 2]);
    expect(stateOf(gone, 1)).toBe("member");
    expect(stateOf(gone, 2)).toBe("left");
  });

  test("makes the lists shorter where fewer than n stay", () => {
    const gone = finished(must(leave(three(), 2)));
    for (const row of gone.owners) expect([...row].sort()).toEqual([1, 3]);
  });

  test("cannot be the last, nor a stranger", () => {
    const lone = foundRing({ clusterId, member: memberOf(1), n: 3, partitions: 8 });
    expect(leave(lone, 1)).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(remove(lone, 1)).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(leave(lone, 2)).toMatchObject({ code: "NODE_UNKNOWN" });
    const leaving = must(leave(ringOf([1, 2].map((id) => memberOf(id))), 1));
    expect(leave(leaving, 2)).toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});

describe("a node that is struck out", () => {
  test("owns nothing from that epoch on, and its places are taken at once", () => {
    const four = finished(must(admit(three(), candidateOf(4))));
    const state = must(remove(four, 2));
    expect(stateOf(state, 2)).toBe("left");
    expect(ownedBy(state, 2)).toBe(0);
    for (const [p, row] of state.owners.entries()) {
      const survivors = four.owners[p]!.filter((node) => node !== 2);
      expect(row).toHaveLength(3);
      expect(survivors.every((node) => row.includes(node))).toBe(true);
    }
  });

  test("takes its moves with it", () => {
    const state = must(remove(must(admit(three(), candidateOf(4))), 4));
    expect(state.moves).toEqual([]);
    expect(state.owners.every((row) => row.length === 3)).toBe(true);
  });

  test("is of a new generation when the majority is lost, and data may be with it", () => {
    const state = must(forced(three(), [2, 3]));
    expect(state.generation).toBe(2);
    expect(state.owners).toEqual(Array.from({ length: 8 }, () => [1]));
    expect(forced(three(), [1, 2, 3])).toMatchObject({ code: "INVALID_ARGUMENT" });
    const two = ringOf(
      [1, 2, 3, 4].map((id) => memberOf(id)),
      8,
      1,
    );
    const after = must(forced(two, [1, 2]));
    expect(checkRing(after)).toEqual([]);
    expect(ownedBy(after, 3)).toBe(4);
  });
});

test("a change of weight moves the difference", () => {
  const state = finished(must(admit(three(), candidateOf(4))));
  const heavy = finished(must(setWeight(state, 1, 2)));
  // Two fifths of 24 copies are more than one of each of 8 partitions: the others share the rest.
  expect(ownedBy(heavy, 1)).toBe(8);
  expect(setWeight(state, 1, 1)).toBe(state);
  expect(setWeight(state, 1, 1000)).toMatchObject({ code: "INVALID_ARGUMENT" });
});

describe("a random history of changes", () => {
  for (const n of [1, 2, 3, 5]) {
    test(`with n = ${n} is sound at each step, and ends balanced`, () => {
      const random = randomFrom(seed + n);
      let state = foundRing({ clusterId, member: memberOf(1), n, partitions: 32 });
      for (let step = 0, next = 2; step < 200; step++) {
        const ids = state.members.filter((one) => one.state !== "left").map(({ id }) => id);
        const node = ids[pick(random, ids.length)]!;
        const die = pick(random, 12);
        const change =
          die < 4 && ids.length < 12
            ? admit(state, candidateOf(next++))
            : die < 5
              ? leave(state, node)
              : die < 6
                ? remove(state, node)
                : die < 8
                  ? setWeight(state, node, 1 + pick(random, 3))
                  : die < 9
                    ? departed(state, ids)
                    : finishMoves(
                        state,
                        state.moves.filter(() => random() < 0.5),
                      );
        if ("kind" in change || change === state) continue;
        const message = `seed ${seed}, step ${step}`;
        expect(checkRing(change), message).toEqual([]);
        expect(checkSuccessor(state, change), message).toEqual([]);
        expect(decodeRing(encodeRing(change)), message).toEqual(change);
        state = change;
      }
      const end = departed(finished(state), leavingIdle(finished(state)));
      const staying = end.members.filter((one) => one.state === "member");
      expect(end.members.some((one) => one.state === "leaving")).toBe(false);
      const goal = plan(staying, n, end.owners);
      expect(end.owners.every((row, p) => isSameSet(row, goal[p]!))).toBe(true);
    });
  }
});

describe("a state is called unsound when", () => {
  const sound = must(admit(three(), candidateOf(4)));
  const members = sound.members;
  const cases: readonly [string, Partial<RingState>, RegExp][] = [
    ["the cluster id is none", { clusterId: "x" }, /cluster id/],
    ["the epoch is none", { epoch: 0 }, /epoch/],
    ["n is none", { n: 8 }, /n is 8/],
    ["partitions are no power of two", { owners: sound.owners.slice(1) }, /power of two/],
    ["a partition has no owner", { owners: [[], ...sound.owners.slice(1)] }, /nobody/],
    ["a partition has a stranger", { owners: [[9], ...sound.owners.slice(1)] }, /9, which cannot/],
    ["an owner counts twice", { owners: [[1, 1], ...sound.owners.slice(1)] }, /twice/],
    ["owners are more than n", { owners: [[1, 2, 3, 4], ...sound.owners.slice(1)] }, /more than/],
    ["a number is used twice", { members: [...members, members[0]!] }, /used twice/],
    ["an address is used twice", { members: [...members, memberOf(5, candidateOf(1))] }, /of two/],
    ["a move leads nowhere", { moves: [{ partition: 0, to: sound.owners[0]! }] }, /where it is/],
    ["a move is of no partition", { moves: [{ partition: 8, to: [1] }] }, /does not exist/],
    ["moves are out of order", { moves: [...sound.moves].reverse() }, /out of order/],
    ["nobody is left", { members: [], owners: sound.owners, moves: [] }, /nobody is a member/],
  ];
  for (const [name, change, fault] of cases) {
    test(name, () => expect(checkRing({ ...sound, ...change }).join("; ")).toMatch(fault));
  }

  test("it does not follow the one before", () => {
    const before = must(remove(sound, 4));
    const next = { ...before, epoch: before.epoch + 1 };
    expect(checkSuccessor(before, next)).toEqual([]);
    const revived = before.members.map((one) => ({ ...one, state: "member" as const }));
    for (const [change, fault] of [
      [{ epoch: before.epoch + 2 }, /does not follow/],
      [{ generation: 2 }, /generation/],
      [{ clusterId: "0".repeat(32) }, /cluster/],
      [{ n: 2 }, /n would/],
      [{ members: before.members.slice(1) }, /forgotten/],
      [{ members: revived }, /come back/],
      [{ owners: [...before.owners, ...before.owners] }, /partitions/],
    ] as const) {
      expect(checkSuccessor(before, { ...next, ...change }).join()).toMatch(fault);
    }
  });
});
