/** Agreement on epochs: one state for each, whatever is lost, and every wish granted in the end. */
import { describe, expect, test } from "vitest";
import { admit, forced, remove, setWeight } from "../../src/core/members/changes.ts";
import type { Change } from "../../src/core/members/proposer.ts";
import type { Candidate, Failed } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { Council, memberOf, ringOf } from "../support/council.ts";

const seed = Number(process.env["SEED"] ?? 1);
const seeds = Number(process.env["SEEDS"] ?? 40);

function candidateOf(address: string): Candidate {
  return { address, dc: "dc1", rack: "r1", weight: 1 };
}

const admitting =
  (address: string): Change =>
  (state) =>
    admit(state, candidateOf(address));

const weighing =
  (node: number, weight: number): Change =>
  (state) =>
    setWeight(state, node, weight);

function isDecided(outcome: RingState | Failed | undefined): outcome is RingState {
  return outcome !== undefined && !("kind" in outcome);
}

describe("a lone member", () => {
  test("decides at once, and durably", () => {
    const council = new Council({ seed, members: 1 });
    council.run(20);
    const box = council.propose(1, weighing(1, 2));
    council.run(20);
    expect(isDecided(box.outcome)).toBe(true);
    council.crash(1);
    council.start(1);
    expect(council.seats.get(1)!.state.epoch).toBe(2);
    expect(council.seats.get(1)!.state.members[0]!.weight).toBe(2);
    expect(council.messages).toBe(0);
  });

  test("does not decide what it cannot save, and does once it can", () => {
    const council = new Council({ seed, members: 1 });
    council.run(20);
    council.failsSaves = () => true;
    const box = council.propose(1, weighing(1, 2));
    council.run(1_000);
    expect(council.seats.get(1)!.state.epoch).toBe(1);
    council.failsSaves = () => false;
    council.run(2_000);
    expect(isDecided(box.outcome)).toBe(true);
    expect(council.seats.get(1)!.state.epoch).toBe(2);
  });
});

describe("members", () => {
  test("all take a decision into force within a few messages", () => {
    const council = new Council({ seed, members: 5 });
    council.run(20);
    const box = council.propose(3, weighing(1, 2));
    council.run(100);
    expect(isDecided(box.outcome)).toBe(true);
    expect(council.live.map(({ state }) => state.epoch)).toEqual([2, 2, 2, 2, 2]);
    // Prepare, promise, accept, accepted and the ring: once each for each of four others.
    expect(council.messages).toBe(20);
  });

  test("that let nodes in at the same time all succeed, one epoch after the other", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    const boxes = [1, 2, 3].map((id) => council.propose(id, admitting(`new${id}:1`)));
    council.run(5_000);
    expect(boxes.every(({ outcome }) => isDecided(outcome))).toBe(true);
    const { epoch, members } = council.newest;
    expect(epoch).toBe(4);
    expect(members.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(new Set(members.map(({ address }) => address)).size).toBe(6);
  });

  test("let the same address in once, whoever is asked", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    const boxes = [1, 2].map((id) => council.propose(id, admitting("new:1")));
    council.run(5_000);
    expect(boxes.filter(({ outcome }) => isDecided(outcome))).toHaveLength(1);
    const other = boxes.find(({ outcome }) => !isDecided(outcome))?.outcome;
    expect(other).toMatchObject({ code: "NODE_ID_IN_USE" });
    expect(council.newest.members).toHaveLength(4);
  });

  test("end a wish that needs nothing without an epoch", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    const box = council.propose(2, weighing(1, 1));
    council.run(200);
    expect(isDecided(box.outcome)).toBe(true);
    expect(council.newest.epoch).toBe(1);
  });

  test("that were away over several epochs are brought up to date by one message", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    council.crash(3);
    for (const weight of [2, 3, 4]) {
      council.propose(1, weighing(2, weight));
      council.run(500);
    }
    council.start(3);
    council.run(1_500);
    expect(council.seats.get(3)!.state.epoch).toBe(4);
    const box = council.propose(3, weighing(2, 5));
    council.run(500);
    expect(isDecided(box.outcome)).toBe(true);
  });
});

describe("a minority", () => {
  test("never decides, says so, and decides once it is joined again", () => {
    const council = new Council({ seed, members: 5 });
    council.run(20);
    council.isCut = (from, to) => from <= 2 !== to <= 2;
    const early = council.propose(1, weighing(1, 2), 3_000);
    council.run(10_000);
    expect(early.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE", applied: "no" });
    expect(council.newest.epoch).toBe(1);
    const late = council.propose(1, weighing(1, 2), 60_000);
    council.run(10_000);
    expect(late.outcome).toBeUndefined();
    council.isCut = () => false;
    council.run(5_000);
    expect(isDecided(late.outcome)).toBe(true);
  });

  test("cannot know about what it put to the vote, and the majority finds it", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    // Promises arrive; the acceptance of node 2 is durable, and its answer never gets back.
    const box = council.propose(1, weighing(1, 2), 3_000);
    council.isCut = (from, to) => from === 3 || to === 3;
    let voted = false;
    for (let i = 0; i < 50 && !voted; i++) {
      council.run(10);
      voted = council.seats.get(2)!.meta.has("vote") && council.history.size > 1;
      if (voted) council.isCut = (from, to) => from === 1 || to === 1;
    }
    council.seats.get(1)!.epochs?.tick(council.now);
    council.run(4_000);
    if (!isDecided(box.outcome)) {
      expect(box.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE", applied: "maybe" });
    }
    const other = council.propose(3, weighing(3, 5));
    council.run(3_000);
    expect(isDecided(other.outcome)).toBe(true);
    // The earlier state was decided, so the later change was made on top of it.
    const { members } = council.newest;
    expect(members.map(({ weight }) => weight)).toEqual([2, 1, 5]);
    expect(council.faults).toEqual([]);
  });

  test("and a majority that strike each other out: only the majority does", () => {
    const council = new Council({ seed, members: 5 });
    council.run(20);
    council.isCut = (from, to) => from <= 2 !== to <= 2;
    const few = council.propose(1, (state) => remove(state, 4), 20_000);
    const many = council.propose(4, (state) => remove(state, 1), 20_000);
    council.run(10_000);
    expect(isDecided(many.outcome)).toBe(true);
    expect(few.outcome).toBeUndefined();
    council.isCut = () => false;
    council.run(5_000);
    expect(few.outcome).toMatchObject({ code: "NOT_READY" });
    expect(council.seats.get(1)!.state.members[0]!.state).toBe("left");
    expect(council.faults).toEqual([]);
  });
});

test("half of the members are no majority", () => {
  const council = new Council({ seed, members: 4 });
  council.run(20);
  council.isCut = (from, to) => from <= 2 !== to <= 2;
  const boxes = [1, 3].map((id) => council.propose(id, weighing(id, 2), 3_000));
  council.run(4_000);
  for (const { outcome } of boxes) expect(outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
  expect(council.history.size).toBe(1);
});

test("promises of nodes that have no vote count for nothing", () => {
  const council = new Council({ seed, members: 3 });
  council.run(20);
  council.crash(2);
  council.crash(3);
  const box = council.propose(1, weighing(1, 2), 3_000);
  council.run(100);
  const ballot = { round: 1, node: 1 };
  for (const stranger of [4, 5]) {
    council.receive(1, stranger, { kind: "promise", epoch: 2, ballot, accepted: undefined });
    council.receive(1, stranger, { kind: "accepted", epoch: 2, ballot });
  }
  council.run(4_000);
  // Nothing was put to the vote, so nobody can have accepted it.
  expect(box.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE", applied: "no" });
});

describe("what cannot be is refused with a notice", () => {
  const base = ringOf([1, 2, 3].map((id) => memberOf(id)));
  const next = { ...base, epoch: 2 };
  const cases: readonly [string, RingState, RegExp][] = [
    ["another cluster", { ...next, clusterId: "0".repeat(32) }, /of cluster 0000/],
    ["an older generation", { ...next, generation: 0 }, /fenced/],
    ["another n", { ...next, n: 2 }, /n would become 2/],
    ["another state for this epoch", { ...base, n: 3, owners: [...base.owners].reverse() }, /two/],
    ["an owner twice", { ...next, owners: next.owners.map(() => [1, 1]) }, /twice/],
  ];
  for (const [name, state, why] of cases) {
    test(`a ring of ${name}`, () => {
      const council = new Council({ seed, members: 3 });
      council.run(20);
      council.receive(2, 1, { kind: "ring", state });
      council.run(100);
      expect(council.notices.join()).toMatch(why);
      expect(council.seats.get(2)!.state.epoch).toBe(1);
    });
  }

  test("a vote for a state that does not follow", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    const ballot = { round: 9, node: 1 };
    for (const state of [
      { ...next, epoch: 3 },
      { ...next, generation: 2 },
      { ...next, members: base.members.slice(1) },
    ]) {
      council.receive(2, 1, { kind: "accept", epoch: 2, ballot, state });
    }
    council.run(100);
    expect(council.notices).toHaveLength(3);
    expect(council.seats.get(2)!.meta.has("vote")).toBe(false);
  });

  test("questions of a node that is no voter, which is told the ring instead", () => {
    const council = new Council({ seed, members: 3 });
    council.run(20);
    council.receive(2, 9, { kind: "prepare", epoch: 2, ballot: { round: 1, node: 9 } });
    council.run(100);
    expect(council.seats.get(2)!.meta.has("vote")).toBe(false);
    expect(council.messages).toBe(1);
  });
});

test("a forced generation outranks later epochs of the old one", () => {
  const council = new Council({ seed, members: 5 });
  council.run(20);
  council.isCut = (from, to) => from <= 2 !== to <= 2;
  council.propose(4, weighing(4, 2));
  council.run(500);
  council.propose(4, weighing(4, 3));
  council.run(500);
  const state = forced(council.seats.get(1)!.state, [3, 4, 5]) as RingState;
  council.receive(1, 1, { kind: "ring", state });
  council.run(2_000);
  expect(council.seats.get(2)!.state.generation).toBe(2);
  council.isCut = () => false;
  council.run(5_000);
  expect(council.live.map((seat) => seat.state.generation)).toEqual([2, 2, 2, 2, 2]);
  expect(council.live.every((seat) => seat.state.epoch === state.epoch)).toBe(true);
});

test("a vote that cannot be read is not cast again for that epoch", () => {
  const council = new Council({ seed, members: 3 });
  council.run(20);
  council.crash(3);
  council.seats.get(3)!.meta.set("vote", Uint8Array.of(1, 2, 3));
  council.start(3);
  council.crash(2);
  const box = council.propose(1, weighing(1, 2), 3_000);
  council.run(4_000);
  expect(box.outcome).toMatchObject({ code: "QUORUM_UNAVAILABLE" });
  expect(council.notices.join()).toMatch(/damaged/);
  council.start(2);
  council.propose(1, weighing(1, 3));
  council.run(2_000);
  expect(council.seats.get(3)!.state.epoch).toBe(2);
  council.crash(2);
  const later = council.propose(3, weighing(1, 4));
  council.run(3_000);
  expect(isDecided(later.outcome)).toBe(true);
});

describe("storms of loss, repetition, reordering and crashes", () => {
  for (let run = 0; run < seeds; run++) {
    test(`of seed ${seed + run} never make two states of one epoch`, () => storm(seed + run));
  }
});

/** Members propose and crash at random; in the end all is calm, and everybody agrees. */
function storm(stormSeed: number): void {
  const members = 3 + (stormSeed % 3);
  const council = new Council({
    seed: stormSeed,
    members,
    loss: [0, 0.05, 0.25][stormSeed % 3]!,
    repeat: 0.1,
    delayMsMax: [5, 60, 400][(stormSeed >> 1) % 3]!,
    saveMsMax: [0, 20, 100][(stormSeed >> 2) % 3]!,
  });
  const { random } = council;
  // In a hurry crashes hit single messages and saves; at leisure several epochs pass between.
  const pauseMs = [400, 40][(stormSeed >> 3) % 2]!;
  const wishes: { mark: string; box: { outcome?: RingState | Failed } }[] = [];
  for (let step = 0; step < 60; step++) {
    council.run(random.below(pauseMs));
    const { id } = council.live[random.below(council.live.length)]!;
    const die = random.below(10);
    if (die < 3 && wishes.length < 40) {
      const mark = `w${wishes.length}:1`;
      const isJoin = random.below(3) === 0 && council.seats.size < 9;
      const weight = 2 + wishes.length / 1000;
      const node = 1 + random.below(members);
      const box = council.propose(id, isJoin ? admitting(mark) : weighing(node, weight), 8_000);
      wishes.push({ mark: isJoin ? mark : `${node}=${weight}`, box });
    } else if (die < 6 && council.live.length > 1) council.crash(id);
    else {
      for (const seat of council.seats.values()) {
        if (seat.epochs === undefined && random.below(2) === 0) council.start(seat.id);
      }
    }
  }
  council.loss = 0;
  for (const seat of council.seats.values()) if (seat.epochs === undefined) council.start(seat.id);
  council.run(12_000);
  const last = council.propose(1, weighing(1, 50), 20_000);
  council.run(20_000);

  const why = `seed ${stormSeed}`;
  expect(council.faults, why).toEqual([]);
  expect(isDecided(last.outcome), why).toBe(true);
  for (const { state } of council.live) expect(state, why).toEqual(council.newest);
  const addresses = council.newest.members.map(({ address }) => address);
  expect(new Set(addresses).size, why).toBe(addresses.length);
  const marks = new Set<string>();
  for (const state of council.history.values()) {
    for (const { id, address, weight } of state.members) {
      marks.add(address).add(`${id}=${weight}`);
    }
  }
  for (const { mark, box } of wishes) {
    if (isDecided(box.outcome)) expect(marks.has(mark), `${why}: ${mark}`).toBe(true);
    else if (box.outcome?.applied === "no") expect(marks.has(mark), `${why}: ${mark}`).toBe(false);
  }
}
