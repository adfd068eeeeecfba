/** The operators' commands of membership: what they refuse, what they propose, what they answer. */
import { describe, expect, test } from "vitest";
import {
  type Given,
  type MembershipParts,
  membershipCommands,
} from "../../src/core/admin/membership.ts";
import { forced } from "../../src/core/members/changes.ts";
import type { Failed, Result } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { memberOf, ringOf } from "../support/council.ts";

/** One node, whose proposals are decided at once. */
class Desk {
  state: RingState;
  readonly down = new Set<number>();
  hasForgotten = false;
  readonly #parts: MembershipParts;

  constructor(state: RingState, self = 1) {
    this.state = state;
    this.#parts = {
      self,
      ring: () => new Ring(this.state, self),
      liveness: {
        isLive: (node) => node === self || !this.down.has(node),
        latencyMs: () => 1,
        late: () => false,
        answered: () => {},
        missed: () => {},
      },
      propose: (_now, change, done) => this.#decide(change(this.state), done),
      force: (lost, done) => this.#decide(forced(this.state, lost), done),
      hasForgottenVotes: () => this.hasForgotten,
      sizes: (_now, _timeout, _answer, done) => done({ bytesOf: () => 100, filling: 0 }),
    };
  }

  ask(name: string, given: Given = {}): Record<string, unknown> & Partial<Failed> {
    let said: Result | undefined;
    const run = membershipCommands(this.#parts)[name];
    if (run === undefined) throw new Error(`there is no ${name}`);
    run(0, { deadlineMs: 1_000 }, given, (result) => {
      said = result;
    });
    if (said?.kind === "answer") return JSON.parse(said.json);
    if (said?.kind === "failed") return { ...said };
    throw new Error(`${name} was not answered`);
  }

  roleOf(node: number): string | undefined {
    return this.state.members.find(({ id }) => id === node)?.state;
  }

  #decide(outcome: RingState | Failed, done: (outcome: RingState | Failed) => void): void {
    if (!("kind" in outcome)) this.state = outcome;
    done(outcome);
  }
}

const desk = (count: number): Desk =>
  new Desk(ringOf(Array.from({ length: count }, (_, i) => memberOf(i + 1))));
const comer = (id: number, more: Given = {}): Given => ({
  ...{ address: `n${id}:7400`, dc: "dc1", rack: "r1", weight: 1 },
  ...more,
});

describe("join", () => {
  test("takes the place of a member at that address only when that one is not live", () => {
    const one = desk(3);
    const live = one.ask("join", comer(3));
    expect(live).toMatchObject({ code: "NODE_ID_IN_USE", applied: "no" });
    expect(live.message).toContain("n3:7400 is the address of node 3, which is live");
    one.down.add(3);
    expect(one.ask("join", comer(3))).toMatchObject({ id: 4 });
    expect([one.roleOf(3), one.roleOf(4)]).toEqual(["left", "member"]);
    expect(one.state.moves).toEqual([]);
  });

  test("never takes the place of the node that is asked", () => {
    expect(desk(2).ask("join", comer(1))).toMatchObject({ code: "NODE_ID_IN_USE" });
  });

  test("that is asked again says the same number, as long as the newcomer was never heard", () => {
    const one = desk(3);
    expect(one.ask("join", comer(9))).toMatchObject({ id: 4 });
    one.down.add(4);
    expect(one.ask("join", comer(9))).toMatchObject({ id: 4 });
    expect(one.state.members).toHaveLength(4);
  });

  test("with stage waits, also in a member's place, and says which number it will have", () => {
    const one = desk(3);
    one.down.add(3);
    expect(one.ask("join", comer(3, { stage: true }))).toMatchObject({ id: 4 });
    expect([one.roleOf(3), one.roleOf(4)]).toEqual(["member", "joining"]);
    one.down.add(4);
    expect(one.ask("join", comer(3, { stage: true }))).toMatchObject({ id: 4 });
    one.down.delete(4);
    expect(one.ask("join", comer(3))).toMatchObject({ code: "NODE_ID_IN_USE" });
    expect(one.ask("commit")).toMatchObject({ moves: 0, staged: 0 });
    expect([one.roleOf(3), one.roleOf(4)]).toEqual(["left", "member"]);
  });

  test("takes the address of a dead node that was leaving and owned nothing any more", () => {
    const one = desk(4);
    one.ask("leave", { node: 4 });
    one.state = { ...one.state, owners: one.state.owners.map(() => [1, 2, 3]), moves: [] };
    one.down.add(4);
    expect(one.ask("join", comer(4))).toMatchObject({ id: 5 });
    expect(one.roleOf(4)).toBe("left");
  });

  test("is refused without what a member record holds", () => {
    for (const bad of [{ address: 7 }, { dc: null }, { weight: 0 }, { weight: "1" }]) {
      expect(desk(2).ask("join", comer(9, bad))).toMatchObject({ code: "INVALID_ARGUMENT" });
    }
  });
});

describe("leave, remove and weight", () => {
  test("take numbers and addresses, and know who is none", () => {
    const one = desk(4);
    expect(one.ask("leave", { node: "n4:7400" })).toMatchObject({ epoch: 2 });
    expect(one.roleOf(4)).toBe("leaving");
    expect(one.ask("weight", { node: "2", weight: 3 })).toMatchObject({ epoch: 3 });
    expect(one.ask("remove", { node: 3 })).toMatchObject({ epoch: 4 });
    for (const node of [7, "7", "n9:1", undefined, {}, ["1"], "__proto__"]) {
      expect(one.ask("remove", { node })).toMatchObject({ code: "NODE_UNKNOWN" });
    }
    expect(one.ask("weight", { node: 1, weight: "2" })).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(one.ask("weight", { node: 1, weight: -1 })).toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  test("with stage only wait, until commit or abort", () => {
    const one = desk(4);
    one.ask("leave", { node: 4, stage: true });
    expect(one.ask("weight", { node: 1, weight: 2, stage: true })).toMatchObject({ staged: 2 });
    expect(one.roleOf(4)).toBe("member");
    expect(one.ask("abort")).toMatchObject({ staged: 0, moves: 0 });
    for (const name of ["commit", "abort"]) {
      expect(one.ask(name)).toMatchObject({ code: "NOTHING_STAGED", applied: "no" });
    }
  });
});

describe("plan and commit", () => {
  test("speak of the same plan by its id, and commit refuses another one", () => {
    const one = desk(4);
    one.ask("leave", { node: 4, stage: true });
    const { id, copies, bytes } = one.ask("plan");
    expect([copies, bytes]).toEqual([6, 600]);
    one.ask("weight", { node: 1, weight: 2, stage: true });
    const stale = one.ask("commit", { plan: id });
    expect(stale).toMatchObject({ code: "PLAN_CHANGED", applied: "no" });
    expect(one.state.staged).toHaveLength(2);
    expect(one.ask("commit", { plan: one.ask("plan")["id"] })).toMatchObject({ staged: 0 });
  });

  test("look at changes that are named instead of what is staged, and change nothing", () => {
    const one = desk(4);
    const before = one.state;
    const plan = one.ask("plan", { changes: [{ kind: "remove", node: 2 }] });
    expect(plan["warnings"]).toEqual([expect.stringContaining("node 2 is live")]);
    expect(one.state).toBe(before);
    for (const bad of [{ kind: "join", node: 1 }, { kind: "leave", node: 9 }, {}]) {
      expect(one.ask("plan", { changes: [bad] }).code).toMatch(/INVALID_ARGUMENT|NODE_UNKNOWN/);
    }
    expect(one.ask("plan", { changes: [null] }).code).toBe("NODE_UNKNOWN");
  });
});

describe("ring force", () => {
  test("is refused where enough voters are live to agree, and names them", () => {
    const one = desk(3);
    one.down.add(3);
    const refused = one.ask("ring-force", { lost: [3] });
    expect(refused).toMatchObject({ code: "MAJORITY_LIVE", applied: "no" });
    expect(refused.message).toContain("nodes 1, 2 are live");
    expect(one.state.generation).toBe(1);
  });

  test("goes on alone where the majority is lost, or said to be", () => {
    const one = desk(3);
    one.down.add(2).add(3);
    expect(one.ask("ring-force", { lost: ["2", "n3:7400"] })).toMatchObject({ generation: 2 });
    expect(one.state.owners.every((row) => row.length === 1)).toBe(true);
    const two = desk(2);
    expect(two.ask("ring-force", { lost: [2] })).toMatchObject({ generation: 2 });
  });

  test("needs nobody to be lost where votes were forgotten, and never the node itself", () => {
    const one = desk(3);
    expect(one.ask("ring-force", { lost: [] })).toMatchObject({ code: "MAJORITY_LIVE" });
    one.hasForgotten = true;
    expect(one.ask("ring-force", { lost: [] })).toMatchObject({ generation: 2 });
    one.down.add(2).add(3);
    const self = one.ask("ring-force", { lost: [1] });
    expect(self).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(one.ask("ring-force", { lost: [8] })).toMatchObject({ code: "NODE_UNKNOWN" });
    expect(one.ask("ring-force", { lost: "2" })).toMatchObject({ code: "NODE_UNKNOWN" });
  });
});
