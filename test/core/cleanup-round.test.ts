/** One clean-up round by its leader, step by step: what each step waits for, and what ends it. */
import { describe, expect, test } from "vitest";
import { Attempt, type AttemptEnd } from "../../src/core/cleanup/attempt.ts";
import type { CleanupMessage } from "../../src/core/cleanup/message.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { memberOf } from "../support/replica-town.ts";

const own = "a".repeat(16);
const other = "b".repeat(16);
const tuning = {
  ...{ restMs: 1_000, answerMs: 2_000, looseAgainMs: 100, looseMsMax: 5_000 },
  compareMsMax: 10_000,
};
type Answer = CleanupMessage & { readonly kind: "cut" | "loose" | "sealed" };
type Said<T> = T extends Answer ? Omit<T, "partition" | "attempt"> : never;

/** Node 1 leads; 2 and 3 own the partition too, and 4 is a member that owns nothing of it. */
class Round {
  readonly sent: { readonly to: NodeId; readonly kind: string }[] = [];
  readonly works: StoreWork["kind"][] = [];
  readonly ends: AttemptEnd[] = [];
  readonly dead = new Set<NodeId>();
  compared: ((isWell: boolean) => void)[] = [];
  /** The newest event of its own that the leader's store has seen. */
  counter = 7;
  now = 0;
  readonly attempt: Attempt;

  constructor() {
    const state = {
      ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 3 },
      members: [1, 2, 3, 4].map(memberOf),
      ...{ owners: [[1, 2, 3]], moves: [], buckets: [], staged: [] },
    };
    const ring = new Ring(state, 1);
    this.attempt = new Attempt({
      ...{ self: 1, partition: 0, attempt: 9, tuning, expiredBefore: 0 },
      liveness: {
        isLive: (node) => !this.dead.has(node),
        latencyMs: () => 1,
        late: () => false,
        answered: () => {},
        missed: () => {},
      },
      out: {
        send: (to, { kind }) => this.sent.push({ to, kind }),
        store: (work, then) => {
          this.works.push(work.kind);
          then(this.#answer(work), this.now);
        },
        notice: () => {},
      },
      ring: () => ring,
      compare: (done) => this.compared.push(done),
      onEnd: (_now, end) => this.ends.push(end),
      onRound: () => {},
    });
    this.attempt.start(0);
  }

  hears(from: NodeId, message: Said<Answer>): void {
    this.attempt.receive(this.now, from, { ...message, partition: 0, attempt: 9 });
  }

  cut(): void {
    const about = { kind: "cut", isReady: true, round: 0, promised: 0 } as const;
    for (const from of [2, 3]) {
      this.hears(from, { ...about, events: [{ actor: other, counter: 3 }] });
    }
    this.wait(tuning.restMs);
  }

  loose(from: readonly NodeId[] = [2, 3, 4], isFree = true): void {
    for (const node of from) this.hears(node, { kind: "loose", isFree });
  }

  /** The comparison in hand ends. */
  compare(isWell = true): void {
    for (const done of this.compared.splice(0)) done(isWell);
    this.wait(10);
  }

  sealed(from: NodeId, isSealed = true): void {
    this.hears(from, { kind: "sealed", isSealed });
  }

  wait(ms: number): void {
    this.now += ms;
    this.attempt.tick(this.now, true);
  }

  count(kind: string): number {
    return this.sent.filter((each) => each.kind === kind).length;
  }

  #answer({ kind }: StoreWork): StoreOutcome {
    const events = [{ actor: own, counter: this.counter }];
    if (kind === "cut") return { kind, ready: true, round: 0, promised: 0, events };
    return kind === "loose" ? { kind, isFree: true } : { kind: "durable" };
  }
}

function sealing(): Round {
  const round = new Round();
  round.cut();
  round.loose();
  round.compare();
  round.compare();
  return round;
}

describe("a round", () => {
  test("is proven once all owners have sealed it, and not before", () => {
    const round = sealing();
    expect(round.count("seal")).toBe(2);
    round.sealed(2);
    round.sealed(2);
    expect(round.ends).toEqual([]);
    round.sealed(3);
    expect(round.ends).toMatchObject([{ kind: "proven" }]);
  });

  test("has the events that were seen when it began, not those that came since", () => {
    const round = new Round();
    round.cut();
    round.counter = 8;
    round.loose();
    round.compare();
    round.compare();
    for (const owner of [2, 3]) round.sealed(owner);
    const events = [
      { actor: own, counter: 7 },
      { actor: other, counter: 3 },
    ];
    expect(round.ends).toMatchObject([{ kind: "proven", floor: { events } }]);
  });

  test("waits while any member keeps something of the partition, and asks it again", () => {
    const round = new Round();
    round.cut();
    round.loose([2, 3]);
    round.loose([4], false);
    expect(round.compared).toEqual([]);
    const asked = round.count("loose-ask");
    round.wait(tuning.looseAgainMs);
    expect(round.count("loose-ask")).toBe(asked + 1);
    round.loose([4]);
    expect(round.compared).toHaveLength(1);
  });

  test("brings all to the leader, makes it durable, and spreads it before it is sealed", () => {
    const round = new Round();
    round.cut();
    round.loose();
    expect(round.works).not.toContain("promise");
    round.compare();
    expect(round.works).toContain("promise");
    expect(round.count("seal")).toBe(0);
    expect(round.compared).toHaveLength(1);
    round.compare();
    expect(round.count("seal")).toBe(2);
  });
});

describe("a round ends without a floor", () => {
  test.each([
    ["an owner does not seal", (round: Round) => round.sealed(2, false)],
    ["an owner dies", (round: Round) => round.dead.add(3)],
    ["an owner says nothing", (round: Round) => round.wait(tuning.answerMs)],
  ])("when %s", (_what, happens) => {
    const round = sealing();
    happens(round);
    round.wait(1);
    for (const owner of [2, 3]) round.sealed(owner);
    expect(round.ends).toMatchObject([{ kind: "failed" }]);
  });

  test("when a member that owns nothing of it dies while it is asked", () => {
    const round = new Round();
    round.cut();
    round.loose([2, 3]);
    round.dead.add(4);
    round.wait(1);
    expect(round.ends).toMatchObject([{ kind: "failed" }]);
  });

  test("when an owner could not be compared with", () => {
    const round = new Round();
    round.cut();
    round.loose();
    round.compare(false);
    expect(round.ends).toMatchObject([{ kind: "failed" }]);
  });
});
