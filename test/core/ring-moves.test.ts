/** Who finishes moves, when, and when data that moved away is dropped. */
import { describe, expect, test } from "vitest";
import type { Notice, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import { admit, finishMoves, leave, remove } from "../../src/core/members/changes.ts";
import { Moves, movesDefaults } from "../../src/core/members/moves.ts";
import type { Failed } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { Departed, departedDefaults } from "../../src/core/transfer/departed.ts";
import { memberOf, ringOf } from "../support/council.ts";

const graceMs = 60_000;

/** One node's machines; proposals, gifts and drops are carried out at once, or by hand. */
class Bench {
  now = 1_000;
  ring: Ring;
  /** Nodes that are filled, but for partitions named below. */
  filled = new Set<number>();
  readonly unfilled = new Set<string>();
  down = new Set<number>();
  proposed = 0;
  changesBetween: ((state: RingState) => RingState) | undefined;
  readonly dropped: number[] = [];
  readonly given: number[] = [];
  readonly notices: Notice[] = [];
  isEmpty = false;
  isGiftTaken = true;
  outcome: StoreOutcome = { kind: "durable" };
  readonly moves: Moves;
  readonly departed: Departed;

  constructor(state: RingState, self: number) {
    this.ring = new Ring(state, self);
    const common = {
      self,
      ring: () => this.ring,
      isFilled: (_now: number, node: number, partition: number) =>
        this.filled.has(node) && !this.unfilled.has(`${node}/${partition}`),
      askFilled: () => {},
      liveness: {
        isLive: (node: number) => !this.down.has(node),
        latencyMs: () => 1,
        late: () => false,
        answered: () => {},
        missed: () => {},
      },
      out: {
        send: () => {},
        notice: (notice: Notice) => this.notices.push(notice),
        store: (work: StoreWork, then: (outcome: StoreOutcome, now: number) => void) =>
          then(this.#answer(work), this.now),
      },
    };
    this.moves = new Moves({
      ...common,
      tuning: movesDefaults,
      propose: (_now, change, done) => this.#propose(change, done),
    });
    this.departed = new Departed({
      ...common,
      tuning: { ...departedDefaults, graceMs },
      give: (now, { partition }, done) => {
        this.given.push(partition);
        done(now, this.isGiftTaken);
      },
    });
  }

  get state(): RingState {
    return this.ring.state;
  }

  install(state: RingState): void {
    this.ring = new Ring(state, this.ring.self);
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 100;
      this.moves.tick(this.now);
      this.departed.tick(this.now);
    }
  }

  #answer(work: StoreWork): StoreOutcome {
    if (work.kind === "tree") {
      const root = { high: 0, low: this.isEmpty ? 0 : 7 };
      return { kind: "tree", ready: true, round: 0, hashes: [root] };
    }
    if (work.kind !== "drop-partition") throw new Error(work.kind);
    this.dropped.push(work.partition);
    return this.outcome;
  }

  #propose(
    change: (state: RingState) => RingState | Failed,
    done: (outcome: RingState | Failed) => void,
  ): void {
    this.proposed += 1;
    if (this.changesBetween !== undefined) this.install(this.changesBetween(this.state));
    const outcome = change(this.state);
    if (!("kind" in outcome)) this.install(outcome);
    done(outcome);
  }
}

function joining(): RingState {
  const base = ringOf([1, 2, 3].map((id) => memberOf(id)));
  const state = admit(base, { address: "n4:7400", dc: "dc1", rack: "r1", weight: 1 });
  if ("kind" in state) throw new Error(state.message);
  return state;
}

describe("moves end", () => {
  test("when all owners to come are filled, and not before", () => {
    const bench = new Bench(joining(), 1);
    bench.filled = new Set([1, 2, 3]);
    bench.run(5_000);
    expect(bench.proposed).toBe(0);
    bench.filled.add(4);
    bench.run(1_000);
    expect(bench.state.moves).toEqual([]);
    expect(bench.proposed).toBe(1);
  });

  test("though an owner that stays is dead, unless nobody comes for who goes", () => {
    const bench = new Bench(joining(), 1);
    bench.down = new Set([2]);
    bench.filled = new Set([1, 3, 4]);
    const stays = bench.state.moves.filter(({ to }) => to.includes(2));
    expect(stays.length).toBeGreaterThan(0);
    const [shrinking] = stays;
    const without = shrinking!.to.filter((node) => node !== 4);
    bench.install({
      ...bench.state,
      moves: bench.state.moves.map((move) =>
        move === shrinking ? { ...move, to: without } : move,
      ),
    });
    bench.run(3_000);
    expect(bench.state.moves.map(({ partition }) => partition)).toEqual([shrinking!.partition]);
  });

  test("one by one: none waits for another, and several share an epoch", () => {
    const bench = new Bench(joining(), 1);
    const { moves } = bench.state;
    expect(moves.length).toBeGreaterThan(3);
    const late = moves[0]!.partition;
    bench.filled = new Set([1, 2, 3, 4]);
    for (const { partition } of moves.slice(1)) bench.unfilled.add(`4/${partition}`);
    bench.unfilled.add(`4/${late}`);
    for (const { partition } of moves.slice(1)) {
      bench.unfilled.delete(`4/${partition}`);
      bench.run(100);
    }
    bench.run(2_000);
    expect(bench.state.moves.map(({ partition }) => partition)).toEqual([late]);
    expect(bench.proposed).toBeLessThanOrEqual(2 + moves.length / 10);
    expect(bench.state.owners[late]).not.toContain(4);
    bench.unfilled.clear();
    bench.run(1_000);
    expect(bench.state.moves).toEqual([]);
  });

  test("and let go who was leaving, once nothing is lost with it", () => {
    const four = finishMoves(joining(), joining().moves);
    const leaving = leave(four, 2);
    if ("kind" in leaving) throw new Error(leaving.message);
    const bench = new Bench(leaving, 1);
    bench.filled = new Set([1, 3, 4]);
    bench.run(5_000);
    expect(bench.state.moves).toEqual([]);
    expect(bench.state.members[1]).toMatchObject({ id: 2, state: "leaving" });
    bench.filled.add(2);
    bench.unfilled.add("2/5");
    bench.run(5_000);
    expect(bench.state.members[1]).toMatchObject({ id: 2, state: "leaving" });
    bench.unfilled.clear();
    bench.run(1_000);
    expect(bench.state.members[1]).toMatchObject({ id: 2, state: "left" });
  });

  test("with a notice when none has ended for half an hour", () => {
    const bench = new Bench(joining(), 1);
    bench.filled = new Set([1, 2, 3]);
    bench.run(29 * 60_000);
    expect(bench.notices).toEqual([]);
    bench.run(2 * 60_000);
    const moves = bench.state.moves.length;
    expect(bench.notices).toEqual([{ kind: "moves-stuck", moves, nodes: [4] }]);
  });

  test("by the lowest live member alone", () => {
    for (const [self, down, proposes] of [
      [1, [], true],
      [2, [], false],
      [2, [1], true],
      [3, [1], false],
    ] as const) {
      const bench = new Bench(joining(), self);
      bench.filled = new Set([1, 2, 3, 4]);
      bench.down = new Set(down);
      bench.run(1_000);
      expect(bench.proposed > 0, `node ${self} with ${down} down`).toBe(proposes);
    }
  });

  test("only in the epoch in which that was seen", () => {
    const bench = new Bench(joining(), 1);
    bench.filled = new Set([1, 2, 3, 4]);
    bench.changesBetween = (state) => ({ ...state, epoch: state.epoch + 1 });
    bench.run(300);
    expect(bench.proposed).toBe(1);
    expect(bench.state.moves).not.toEqual([]);
    bench.changesBetween = undefined;
    bench.run(1_000);
    expect(bench.state.moves).toEqual([]);
  });
});

describe("data that moved away", () => {
  const filledAll = new Set([1, 2, 3, 4]);
  const lost = (before: RingState, after: RingState, node: number): number[] =>
    before.owners.flatMap((row, p) =>
      row.includes(node) && !after.owners[p]!.includes(node) ? [p] : [],
    );

  test("is dropped after a time of grace, once", () => {
    const before = joining();
    const bench = new Bench(before, 3);
    bench.filled = filledAll;
    bench.run(graceMs * 2);
    expect(bench.dropped).toEqual([]);
    bench.install(finishMoves(before, before.moves));
    const gone = lost(before, bench.state, 3);
    expect(gone.length).toBeGreaterThan(0);
    bench.run(graceMs - 1_000);
    expect(bench.dropped).toEqual([]);
    bench.run(graceMs * 2);
    expect([...bench.dropped].sort()).toEqual(gone);
  });

  test("stays while an owner is not known to be filled", () => {
    const before = joining();
    const bench = new Bench(finishMoves(before, before.moves), 3);
    bench.filled = new Set([1, 3, 4]);
    bench.run(graceMs * 3);
    expect(bench.dropped).toEqual([]);
    bench.filled.add(2);
    bench.run(1_000);
    expect(bench.dropped.length).toBeGreaterThan(0);
  });

  test("stays when it comes back before the time is over", () => {
    const before = joining();
    const bench = new Bench(finishMoves(before, before.moves), 3);
    bench.filled = filledAll;
    bench.run(graceMs / 2);
    const back = remove(bench.state, 4);
    if ("kind" in back) throw new Error(back.message);
    bench.install(back);
    bench.run(graceMs * 3);
    expect(bench.dropped).toEqual([]);
  });

  test("is tried again later when it could not be dropped", () => {
    const before = joining();
    const bench = new Bench(finishMoves(before, before.moves), 3);
    bench.filled = filledAll;
    bench.outcome = { kind: "failed", code: "IO", message: "no disk", applied: "no" };
    bench.run(graceMs + 5_000);
    const tried = bench.dropped.length;
    expect(tried).toBe(lost(before, bench.state, 3).length);
    bench.outcome = { kind: "durable" };
    bench.run(graceMs + 5_000);
    expect(bench.dropped.length).toBe(2 * tried);
    bench.run(graceMs * 2);
    expect(bench.dropped.length).toBe(2 * tried);
  });

  test("is given to the owners first, once the ring has settled", () => {
    const before = joining();
    const bench = new Bench(before, 3);
    bench.filled = filledAll;
    bench.run(100);
    bench.install(finishMoves(before, before.moves));
    const gone = lost(before, bench.state, 3);
    bench.isGiftTaken = false;
    bench.run(1_500);
    expect(bench.given).toEqual([]);
    bench.run(graceMs * 2);
    expect(new Set(bench.given)).toEqual(new Set(gone));
    expect(bench.dropped).toEqual([]);
    expect(gone.map((partition) => bench.departed.isGiven(partition))).not.toContain(true);
    bench.isGiftTaken = true;
    bench.run(10_000);
    expect([...bench.dropped].sort()).toEqual(gone);
  });

  test("is not given where there is none", () => {
    const before = joining();
    const bench = new Bench(finishMoves(before, before.moves), 3);
    bench.filled = filledAll;
    bench.isEmpty = true;
    bench.run(5_000);
    expect(bench.given).toEqual([]);
    expect(bench.departed.isGiven(lost(before, bench.state, 3)[0]!)).toBe(true);
  });

  test("that an earlier life left behind is found by looking at everything", () => {
    const state = ringOf(
      [1, 2, 3, 4].map((id) => memberOf(id)),
      8,
      1,
    );
    const bench = new Bench(state, 1);
    bench.filled = filledAll;
    bench.run(graceMs * 2);
    expect(bench.dropped).toHaveLength(6);
  });
});
