/** What a node knows of rounds follows its store, also where partitions go and come back. */
import { describe, expect, test } from "vitest";
import { FloorNewsroom } from "../../src/core/cleanup/newsroom.ts";
import type { FloorNews } from "../../src/core/clock/floor.ts";
import type { RoundState, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { Message, Standing } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Move } from "../../src/core/ring/ring-state.ts";
import { memberOf } from "../support/replica-town.ts";

const partition = 0;
const floor: FloorNews = { round: 9, events: [], expiredBefore: 0 };
const noFloor: FloorNews = { round: 0, events: [], expiredBefore: 0 };

function ringOf(epoch: number, owners: readonly number[], moves: readonly Move[] = []): Ring {
  const members = [1, 2, 3].map((id) => memberOf(id));
  return new Ring(
    {
      ...{ clusterId: "5eed".repeat(8), generation: 1, epoch, n: 3, members, moves },
      ...{ owners: [owners, [1, 2, 3]], buckets: [], staged: [] },
    },
    3,
  );
}

/** The newsroom of node 3 over a store of which only the floor of partition 0 is of interest. */
class Desk {
  ring = ringOf(1, [1, 2, 3]);
  now = 1_000;
  standing: Standing = "current";
  held = { floor: noFloor, promised: 0 };
  readonly lost: string[] = [];
  readonly sent: Message[] = [];
  /** Work that the store has yet to do. */
  readonly waiting: (() => void)[] = [];
  isSlow = false;
  readonly newsroom = new FloorNewsroom({
    self: 3,
    out: {
      send: (_to, message) => void this.sent.push(message),
      store: (work, then) => {
        const act = (): void => then(this.#answer(work), this.now);
        if (work.kind === "raise-floor" && this.isSlow) this.waiting.push(act);
        else act();
      },
      notice: () => {},
    },
    liveness: {
      ...{ isLive: () => true, latencyMs: () => 1, late: () => false },
      ...{ answered: () => {}, missed: () => {} },
    },
    standing: {
      of: () => this.standing,
      lost: () => void this.lost.push(`at ${this.held.floor.round}`),
    },
    ring: () => this.ring,
  });

  /** What the survey of the store says now. */
  survey(): void {
    const { floor, promised } = this.held;
    const counts = { reapable: 0, tombstones: 0, expiresFrom: 0, isSweeping: false };
    const state: RoundState = { partition, round: floor.round, promised, ...counts };
    this.newsroom.surveyed(this.now, floor.round === 0 ? [] : [state]);
  }

  /** Another ring is in force, and time goes on. */
  follow(ring: Ring): void {
    this.ring = ring;
    this.pass(1_000);
    this.survey();
  }

  pass(ms: number): void {
    this.now += ms;
    this.newsroom.tick(this.now);
  }

  #answer(work: StoreWork): StoreOutcome {
    if (work.kind === "read-floor") return { kind: "floor", ...this.held };
    if (work.kind === "promise") this.held = { ...this.held, promised: work.round };
    if (work.kind === "raise-floor" && work.floor.round > this.held.floor.round) {
      this.held = { ...this.held, floor: work.floor };
    }
    return { kind: "durable" };
  }
}

describe("a partition that was dropped and comes back", () => {
  test("gets the floor again, though this node knew it before", () => {
    const desk = new Desk();
    desk.held = { floor, promised: 9 };
    desk.survey();
    desk.newsroom.tick(desk.now);
    desk.follow(ringOf(2, [1, 2]));
    // As the store does with what is dropped.
    desk.held = { floor: noFloor, promised: 0 };
    desk.follow(ringOf(3, [1, 2], [{ partition, to: [1, 2, 3] }]));
    expect(desk.newsroom.roundOf(partition)).toBe(0);
    desk.newsroom.takeOver(partition, floor);
    expect(desk.held.floor.round).toBe(9);
  });
});

describe("a partition that comes back while its old copies are still there", () => {
  /** Node 3 has lost it in epoch 2, and owns it again. */
  function regained(): Desk {
    const desk = new Desk();
    desk.survey();
    desk.follow(desk.ring);
    desk.follow(ringOf(2, [1, 2]));
    desk.ring = ringOf(3, [1, 2, 3]);
    desk.standing = "rebuilding";
    return desk;
  }

  const said = (round: number) => ({ kind: "rounds", rounds: [{ partition, round }] }) as const;

  test("is not answered for before its other owners have told of their rounds", () => {
    const desk = regained();
    expect(desk.newsroom.isSettled(partition)).toBe(false);
    expect(desk.newsroom.isSettled(1)).toBe(true);
    desk.pass(10);
    expect(desk.newsroom.isSettled(partition)).toBe(false);
    desk.newsroom.receive(desk.now, 1, said(0));
    desk.pass(10);
    expect(desk.newsroom.isSettled(partition)).toBe(false);
    desk.newsroom.receive(desk.now, 2, said(0));
    desk.pass(10);
    expect(desk.newsroom.isSettled(partition)).toBe(true);
  });

  test("is not answered for before what they have forgotten is gone", () => {
    const desk = regained();
    desk.pass(10);
    for (const owner of [1, 2]) desk.newsroom.receive(desk.now, owner, said(9));
    desk.pass(10);
    expect(desk.newsroom.isSettled(partition)).toBe(false);
    desk.isSlow = true;
    desk.newsroom.receive(desk.now, 1, { kind: "floor", partition, floor });
    expect(desk.newsroom.isSettled(partition)).toBe(false);
    for (const act of desk.waiting.splice(0)) act();
    expect(desk.newsroom.isSettled(partition)).toBe(true);
  });

  test("is answered for in the end, though nobody tells", () => {
    const desk = regained();
    desk.pass(10);
    desk.pass(1_000);
    expect(desk.newsroom.isSettled(partition)).toBe(true);
  });
});

test("what was compared before an unproven floor took force is compared again", () => {
  const desk = new Desk();
  desk.survey();
  desk.newsroom.tick(desk.now);
  desk.newsroom.takeOver(partition, floor);
  expect(desk.lost).toEqual(["at 0", "at 9"]);
});
