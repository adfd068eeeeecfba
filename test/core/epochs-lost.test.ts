/** Votes that were forgotten, and members that are gone for good: nothing is decided twice. */
import { describe, expect, test } from "vitest";
import { admit, setWeight } from "../../src/core/members/changes.ts";
import type { Change } from "../../src/core/members/proposer.ts";
import type { Failed } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { Council } from "../support/council.ts";

const seed = Number(process.env["SEED"] ?? 1);
const seeds = Number(process.env["SEEDS"] ?? 20);

const weighing =
  (node: number, weight: number): Change =>
  (state) =>
    setWeight(state, node, weight);

function isDecided(outcome: RingState | Failed | undefined): outcome is RingState {
  return outcome !== undefined && !("kind" in outcome);
}

function force(council: Council, node: number, lost: readonly number[]) {
  const box: { outcome?: RingState | Failed } = {};
  council.seats.get(node)!.epochs!.force(lost, (outcome) => {
    box.outcome = outcome;
  });
  return box;
}

/** Its disk as it is now; the function puts it back in a later life. */
function snapshot(council: Council, node: number): () => void {
  const copy = new Map(council.seats.get(node)!.meta);
  return () => {
    const { meta } = council.seats.get(node)!;
    council.crash(node);
    meta.clear();
    for (const [name, bytes] of copy) meta.set(name, bytes);
    council.start(node);
  };
}

/** Node 1 decides with the vote of node 3; node 2 hears nothing of it, and then node 1 is gone. */
function decidedInSecret(): { readonly council: Council; readonly rollBack: () => void } {
  const council = new Council({ seed, members: 3 });
  council.run(20);
  const rollBack = snapshot(council, 3);
  council.isCut = (from, to) =>
    from === 2 || to === 2 || (from === 1 && council.seats.get(1)!.state.epoch > 1);
  const box = council.propose(1, weighing(1, 2));
  for (let i = 0; i < 50 && box.outcome === undefined; i++) council.run(10);
  expect(isDecided(box.outcome)).toBe(true);
  council.crash(1);
  // What it still sent is lost with it.
  council.run(50);
  council.isCut = () => false;
  return { council, rollBack };
}

describe("a voter whose disk is older than its deeds", () => {
  test("would let a second state be decided, if it voted on as if nothing were", () => {
    const { council, rollBack } = decidedInSecret();
    rollBack();
    council.propose(2, weighing(1, 9));
    council.run(3_000);
    expect(council.faults.join()).toMatch(/another state/);
  });

  test("has no vote until all others have told it theirs; then what was decided stands", () => {
    const { council, rollBack } = decidedInSecret();
    rollBack();
    council.seats.get(3)!.epochs!.forgetVotes();
    const rival = council.propose(2, weighing(1, 9), 3_000);
    council.run(4_000);
    expect(rival.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
    // Nor after another start, which finds nothing new on the disk.
    council.crash(3);
    council.start(3);
    council.run(2_000);
    expect(council.seats.get(2)!.state.epoch).toBe(1);
    council.start(1);
    council.run(3_000);
    const later = council.propose(3, weighing(2, 5));
    council.run(5_000);
    expect(isDecided(later.outcome)).toBe(true);
    expect(council.newest.members.map(({ weight }) => weight)).toEqual([2, 5, 1]);
    expect(council.faults).toEqual([]);
  });

  test("votes again in a cluster of two as soon as the other one is heard", () => {
    const council = new Council({ seed, members: 2 });
    council.run(20);
    const rollBack = snapshot(council, 2);
    council.propose(1, weighing(1, 3));
    council.run(500);
    rollBack();
    council.seats.get(2)!.epochs!.forgetVotes();
    council.run(3_000);
    const boxes = [1, 2].map((node) => council.propose(node, weighing(node, 7)));
    council.run(5_000);
    for (const { outcome } of boxes) expect(isDecided(outcome)).toBe(true);
    expect(council.newest.members.map(({ weight }) => weight)).toEqual([7, 7]);
    expect(council.faults).toEqual([]);
  });

  test("waits for ever for another such, until a ring is forced on one of them", () => {
    const council = new Council({ seed, members: 2, seatsNewcomers: false });
    council.run(20);
    for (const node of [1, 2]) council.seats.get(node)!.epochs!.forgetVotes();
    const stuck = council.propose(1, weighing(1, 2), 5_000);
    council.run(6_000);
    expect(stuck.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
    expect(isDecided(force(council, 1, []).outcome)).toBe(false);
    council.run(3_000);
    const box = council.propose(2, weighing(1, 2), 5_000);
    council.run(5_000);
    expect(isDecided(box.outcome)).toBe(true);
    expect(council.faults).toEqual([]);
  });

  test("whose record of votes is damaged recalls them likewise, and the cluster goes on", () => {
    const council = new Council({ seed, members: 2 });
    council.run(20);
    council.crash(2);
    council.seats.get(2)!.meta.set("vote", new Uint8Array([9, 9]));
    council.start(2);
    const box = council.propose(1, weighing(1, 2));
    council.run(4_000);
    expect(isDecided(box.outcome)).toBe(true);
    expect(council.faults).toEqual([]);
  });
});

describe("disks put back at random, always noticed", () => {
  for (let i = 0; i < seeds; i++) {
    const stormSeed = seed * 1_000 + i;
    test(`of seed ${stormSeed} never make two states of one epoch`, () => {
      const council = new Council({
        seed: stormSeed,
        members: 3,
        loss: 0.1,
        seatsNewcomers: false,
      });
      const { random } = council;
      council.run(20);
      let copies = [1, 2, 3].map((node) => snapshot(council, node));
      for (let step = 0; step < 40; step++) {
        const node = 1 + random.below(3);
        if (random.below(3) > 0)
          council.propose(node, weighing(1 + random.below(3), 1 + step), 900);
        if (random.below(6) === 0) copies = [1, 2, 3].map((other) => snapshot(council, other));
        if (random.below(8) === 0) {
          // One of them: a majority that forgot its votes can promise nothing any more.
          copies[2]!();
          council.seats.get(3)!.epochs!.forgetVotes();
        }
        if (random.below(10) === 0) {
          council.crash(node);
          council.start(node);
        }
        council.run(20 + random.below(400));
      }
      expect(council.faults, `seed ${stormSeed}`).toEqual([]);
      council.loss = 0;
      council.run(10_000);
      const last = council.propose(1, weighing(1, 99), 10_000);
      council.run(12_000);
      expect(council.faults, `seed ${stormSeed}`).toEqual([]);
      expect(isDecided(last.outcome), `seed ${stormSeed}`).toBe(true);
    });
  }
});

describe("a forced ring", () => {
  test("brings a cluster of two back that lost one for good", () => {
    const council = new Council({ seed, members: 2, seatsNewcomers: false });
    council.run(20);
    council.crash(2);
    const stuck = council.propose(1, weighing(1, 2), 1_000);
    council.run(2_000);
    expect(stuck.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
    const box = force(council, 1, [2]);
    council.run(100);
    expect(isDecided(box.outcome)).toBe(true);
    const { state } = council.seats.get(1)!;
    expect(state).toMatchObject({ generation: 2, epoch: 1_000_002 });
    expect(state.owners.every((row) => row.length === 1 && row[0] === 1)).toBe(true);
    const newcomer = { address: "n2:7400", dc: "dc1", rack: "r1", weight: 1 };
    const joined = council.propose(1, (ring) => admit(ring, newcomer));
    council.run(500);
    expect(isDecided(joined.outcome)).toBe(true);
    expect(council.newest.members.map(({ id, state: role }) => [id, role])).toEqual([
      [1, "member"],
      [2, "left"],
      [3, "member"],
    ]);
    // The lost one comes back after all, and hears that it is none any more.
    council.start(2);
    council.run(3_000);
    expect(council.seats.get(2)!.state.generation).toBe(2);
    expect(council.faults).toEqual([]);
  });

  test("is taken over by survivors, and fences off a majority that was not lost", () => {
    const council = new Council({ seed, members: 5 });
    council.run(20);
    const isAway = (node: number): boolean => node <= 3;
    council.isCut = (from, to) => isAway(from) !== isAway(to);
    const box = force(council, 4, [1, 2, 3]);
    council.run(1_500);
    expect(isDecided(box.outcome)).toBe(true);
    expect(council.seats.get(5)!.state.generation).toBe(2);
    // The others go on in the old generation for a while: seven epochs that will be void.
    for (let weight = 2; weight < 9; weight++) {
      council.propose(1, weighing(1, weight));
      council.run(500);
    }
    expect(council.seats.get(1)!.state).toMatchObject({ generation: 1, epoch: 8 });
    council.isCut = () => false;
    council.run(3_000);
    for (const seat of council.live) expect(seat.state).toEqual(council.newest);
    const late = council.propose(1, weighing(4, 2), 2_000);
    const vote = council.propose(4, weighing(4, 3), 2_000);
    council.run(3_000);
    expect(late.outcome).toMatchObject({ code: "NOT_READY" });
    expect(isDecided(vote.outcome)).toBe(true);
    expect(council.faults).toEqual([]);
  });

  test("is the same whichever survivor is told, and needs no agreement", () => {
    const council = new Council({ seed, members: 5 });
    council.run(20);
    for (const node of [3, 4, 5]) council.crash(node);
    for (const node of [1, 2]) force(council, node, [3, 4, 5]);
    council.run(2_000);
    expect(council.faults).toEqual([]);
    expect(council.seats.get(2)!.state).toEqual(council.seats.get(1)!.state);
  });

  test("is refused where nobody would be left, and for strangers", () => {
    const council = new Council({ seed, members: 2 });
    council.run(20);
    expect(force(council, 1, [1, 2]).outcome).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect(force(council, 1, [7]).outcome).toMatchObject({ code: "NODE_UNKNOWN" });
  });
});

describe("two plans on two sides of a cut", () => {
  for (const [members, side] of [
    [5, 2],
    [4, 2],
    [3, 1],
    [2, 1],
  ] as const) {
    test(`of ${members} members, ${side} of them on one side, end in at most one`, () => {
      const council = new Council({ seed, members });
      council.run(20);
      council.isCut = (from, to) => from <= side !== to <= side;
      const few = council.propose(1, weighing(1, 2), 3_000);
      const many = council.propose(members, weighing(1, 3), 3_000);
      council.run(4_000);
      expect(few.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
      expect(isDecided(many.outcome)).toBe(members - side > members / 2);
      council.isCut = () => false;
      council.run(3_000);
      expect(council.faults).toEqual([]);
      for (const seat of council.live) expect(seat.state).toEqual(council.newest);
      expect(council.newest.members[0]!.weight).toBe(isDecided(many.outcome) ? 3 : 1);
    });
  }
});
