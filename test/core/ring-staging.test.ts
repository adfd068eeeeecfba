/** Changes that wait, that are made together, taken back, or put one node in another's place. */
import { describe, expect, test } from "vitest";
import { planIdOf, planOf } from "../../src/core/admin/plan.ts";
import { admit, applied, departed, finishMoves, remove } from "../../src/core/members/changes.ts";
import { abort, commitStaged, stage, stageJoin } from "../../src/core/members/staging.ts";
import type { Candidate, Failed } from "../../src/core/message.ts";
import { checkRing, checkSuccessor } from "../../src/core/ring/check-ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { memberOf, ringOf } from "../support/council.ts";

const four = (): RingState => ringOf([1, 2, 3, 4].map((id) => memberOf(id)));

function candidateOf(id: number, more: Partial<Candidate> = {}): Candidate {
  return { address: `n${id}:7400`, dc: "dc1", rack: "r1", weight: 1, ...more };
}

function must(outcome: RingState | Failed): RingState {
  if ("kind" in outcome) throw new Error(outcome.message);
  expect(checkRing(outcome)).toEqual([]);
  return outcome;
}

function stateOf(state: RingState, node: number) {
  return state.members.find(({ id }) => id === node)?.state;
}

describe("a node that takes another's place", () => {
  test("owns exactly what that one owned, and nothing else moves", () => {
    const before = four();
    const after = must(admit(before, candidateOf(3), 3));
    expect(after.owners).toEqual(before.owners.map((row) => row.map((id) => (id === 3 ? 5 : id))));
    expect(after.moves).toEqual([]);
    expect([stateOf(after, 3), stateOf(after, 5)]).toEqual(["left", "member"]);
    expect(after.epoch).toBe(before.epoch + 1);
    expect(checkSuccessor(before, after)).toEqual([]);
  });

  test("takes over what was on the way to it, too", () => {
    const growing = must(admit(four(), candidateOf(5)));
    const after = must(admit(growing, candidateOf(5), 5));
    const swapped = growing.moves.map(({ partition, to }) => ({
      partition,
      to: to.map((node) => (node === 5 ? 6 : node)),
    }));
    expect(after.moves).toEqual(swapped);
  });

  test("weighs what that one weighed, and stands in the same data centre", () => {
    const heavy = ringOf([1, 2, 3].map((id) => memberOf(id, { weight: id })));
    const after = must(admit(heavy, candidateOf(3), 3));
    expect(after.members.at(-1)).toMatchObject({ id: 4, weight: 3 });
    const foreign = admit(heavy, candidateOf(3, { dc: "dc2" }), 3);
    expect(foreign).toMatchObject({ code: "INVALID_ARGUMENT", applied: "no" });
  });

  test("of a node that was leaving stays, so what was moving away comes back", () => {
    const leaving = must(applied(four(), [{ kind: "leave", node: 3 }]));
    expect(leaving.moves.length).toBeGreaterThan(0);
    const after = must(admit(leaving, candidateOf(3), 3));
    expect(stateOf(after, 5)).toBe("member");
    expect(after.moves).toEqual([]);
  });
});

describe("a change that is staged", () => {
  test("changes nothing but the list, until all of the list is committed in one epoch", () => {
    const before = four();
    const one = must(stage(before, { kind: "leave", node: 2 }));
    const two = must(stage(one, { kind: "weight", node: 3, weight: 2 }));
    const three = must(stageJoin(two, candidateOf(9)));
    expect(three.staged.map(({ kind }) => kind)).toEqual(["leave", "weight", "join"]);
    expect([three.owners, three.moves]).toEqual([before.owners, before.moves]);
    expect([stateOf(three, 2), stateOf(three, 5)]).toEqual(["member", "joining"]);
    const after = must(commitStaged(three));
    expect(after.epoch).toBe(three.epoch + 1);
    expect(after.staged).toEqual([]);
    expect([stateOf(after, 2), stateOf(after, 5)]).toEqual(["leaving", "member"]);
    expect(after.members.find(({ id }) => id === 3)?.weight).toBe(2);
    expect(after.moves.length).toBeGreaterThan(0);
  });

  test("together with others moves less than one after the other", () => {
    const changes = [{ kind: "leave", node: 2 } as const];
    const joined = must(stageJoin(four(), candidateOf(9)));
    const together = must(commitStaged(must(stage(joined, changes[0]!))));
    const moved = (state: RingState, from: RingState): number =>
      state.moves.reduce((sum, { partition, to }) => {
        return sum + to.filter((node) => !from.owners[partition]!.includes(node)).length;
      }, 0);
    const first = must(admit(four(), candidateOf(9)));
    const settled = must(finishMoves(first, first.moves));
    const second = must(applied(settled, changes));
    const oneByOne = moved(first, four()) + moved(second, settled);
    expect(moved(together, four())).toBeLessThan(oneByOne);
    // What node 2 held goes to the newcomer, and nobody else gets anything.
    expect(moved(together, four())).toBe(6);
  });

  test("of a node takes the place of the one before of that node", () => {
    const one = must(stage(four(), { kind: "weight", node: 3, weight: 2 }));
    const two = must(stage(one, { kind: "leave", node: 3 }));
    expect(two.staged).toEqual([{ kind: "leave", node: 3 }]);
  });

  test("is refused at once when it could not be committed", () => {
    const lone = ringOf([1, 2].map((id) => memberOf(id)));
    const one = must(stage(lone, { kind: "leave", node: 1 }));
    expect(stage(one, { kind: "leave", node: 2 })).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(stage(lone, { kind: "leave", node: 7 })).toMatchObject({ code: "NODE_UNKNOWN" });
    const heavy = stage(lone, { kind: "weight", node: 1, weight: 0 });
    expect(heavy).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("to replace a node blocks other changes of that node, until it is taken back", () => {
    const waiting = must(stageJoin(four(), candidateOf(3), 3));
    expect(stateOf(waiting, 5)).toBe("joining");
    expect(stage(waiting, { kind: "leave", node: 3 })).toMatchObject({ code: "INVALID_ARGUMENT" });
    const gone = must(stage(waiting, { kind: "leave", node: 5 }));
    expect([stateOf(gone, 5), gone.staged]).toEqual(["left", []]);
    expect(must(stage(gone, { kind: "leave", node: 3 })).staged).toHaveLength(1);
  });

  test("is void once its node is gone; who was to replace that node just joins", () => {
    const one = must(stage(four(), { kind: "weight", node: 2, weight: 2 }));
    const two = must(stageJoin(one, candidateOf(3), 3));
    const struck = must(remove(must(remove(two, 2)), 3));
    expect(struck.staged).toEqual([{ kind: "join", node: 5, replaces: undefined }]);
    expect(stateOf(must(commitStaged(struck)), 5)).toBe("member");
  });
});

describe("abort", () => {
  test("takes back what is staged, and lets waiting nodes go", () => {
    const one = must(stageJoin(four(), candidateOf(9)));
    const two = must(stage(one, { kind: "leave", node: 2 }));
    const after = must(abort(two));
    expect([after.staged, stateOf(after, 5), stateOf(after, 2)]).toEqual([[], "left", "member"]);
    expect(after.owners).toEqual(four().owners);
    expect(abort(after)).toBe(after);
  });

  test("leaves partitions that have not switched with their owners", () => {
    const leaving = must(applied(four(), [{ kind: "leave", node: 2 }]));
    const half = must(finishMoves(leaving, leaving.moves.slice(0, 2)));
    const after = must(abort(half));
    expect(after.owners).toEqual(half.owners);
    expect([after.moves, stateOf(after, 2)]).toEqual([[], "member"]);
  });

  test("sends a newcomer away that owns nothing yet, and keeps one that does", () => {
    const joining = must(admit(four(), candidateOf(9)));
    const sent = must(abort(joining));
    // It may keep hints by now: it leaves once it has handed them over.
    expect(stateOf(sent, 5)).toBe("leaving");
    expect(stateOf(must(departed(sent, [5])), 5)).toBe("left");
    expect(abort(sent)).toBe(sent);
    const begun = must(finishMoves(joining, joining.moves.slice(0, 1)));
    expect(stateOf(must(abort(begun)), 5)).toBe("member");
  });
});

describe("a plan", () => {
  const input = { bytesOf: () => 1_000, isLive: () => true, filling: 0 };

  test("tells moves, copies, bytes and balance of what it would do", () => {
    const state = must(stageJoin(ringOf([1, 2, 3].map((id) => memberOf(id))), candidateOf(9)));
    const plan = planOf({ ...input, state, changes: state.staged });
    if ("kind" in plan) throw new Error(plan.message);
    expect(plan).toMatchObject({ copies: 6, copiesMin: 6, bytes: 6_000, epoch: state.epoch });
    expect(plan.moves).toHaveLength(6);
    for (const { from, to } of plan.moves) {
      expect(to.filter((node) => !from.includes(node))).toEqual([4]);
    }
    expect(plan.balance.map(({ node, before, after }) => [node, before, after])).toEqual([
      [1, 8, 6],
      [2, 8, 6],
      [3, 8, 6],
      [4, 0, 6],
    ]);
    expect(plan.warnings).toEqual([]);
    const unknown = planOf({ ...input, state, changes: state.staged, bytesOf: () => undefined });
    expect(unknown).toMatchObject({ bytes: null });
  });

  test("has the id of the ring that would be, however far moves are by then", () => {
    const joining = must(admit(four(), candidateOf(9)));
    const idOf = (state: RingState): string =>
      planIdOf(must(applied(state, [{ kind: "weight", node: 1, weight: 2 }])));
    const before = idOf(joining);
    expect(before).toMatch(/^[0-9a-f]{8}$/);
    const further = must(finishMoves(joining, joining.moves.slice(0, 1)));
    expect(idOf(further)).toBe(before);
    const other = must(stage(joining, { kind: "leave", node: 1 }));
    expect(planIdOf(must(commitStaged(other)))).not.toBe(before);
  });

  test("warns of copies that are lost, of live nodes struck out, and of too few nodes", () => {
    const state = ringOf(
      [1, 2].map((id) => memberOf(id)),
      8,
      1,
    );
    const plan = planOf({ ...input, filling: 3, state, changes: [{ kind: "remove", node: 1 }] });
    if ("kind" in plan) throw new Error(plan.message);
    const said = plan.warnings.join("; ");
    expect(said).toMatch(/4 partitions lose every copy/);
    expect(said).toMatch(/node 1 is live/);
    expect(said).toMatch(/3 copies are not complete/);
  });
});
