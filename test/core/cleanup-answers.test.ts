/** An owner's part in the clean-up rounds of others: what it says, and what it does not seal. */
import { describe, expect, test } from "vitest";
import { Cleanup, cleanupDefaults } from "../../src/core/cleanup/cleanup.ts";
import type { CleanupMessage } from "../../src/core/cleanup/message.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { Message, Standing } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { memberOf } from "../support/replica-town.ts";

interface Situation {
  readonly moves?: readonly { readonly partition: number; readonly to: readonly number[] }[];
  readonly standing?: Standing;
  /** The store's answer to a promise. */
  readonly isRefused?: boolean;
  /** The attempt that was told the cut before, when all was well. */
  readonly told?: number;
}

const about = { partition: 0, attempt: 9 };
const well = { ...about, epoch: 5 };
const cutAsk: CleanupMessage & { readonly kind: "cut-ask" } = {
  kind: "cut-ask",
  ...well,
  expiredBefore: 900,
};

/** What node 1, which owns partition 0 in epoch 5, answers to node 2. */
function answerOf(message: CleanupMessage, situation: Situation = {}): Message | undefined {
  const { moves = [], standing = "current", isRefused = false, told } = situation;
  const sent: Message[] = [];
  const world = { ring: ringWith([]), standing: "current" as Standing };
  const answer = ({ kind }: StoreWork): StoreOutcome => {
    if (kind === "cut") return { kind, ready: true, round: 2, promised: 2, events: [] };
    if (kind === "loose") return { kind, isFree: true };
    if (!isRefused) return { kind: "durable" };
    return { kind: "failed", code: "CONFLICT", message: "promised before", applied: "no" };
  };
  const cleanup = new Cleanup({
    self: 1,
    out: {
      send: (_to, told) => sent.push(told),
      store: (work, then) => then(answer(work), 1_000),
      notice: () => {},
    },
    random: seededRandom(1),
    liveness: {
      ...{ isLive: () => true, latencyMs: () => 1, late: () => false },
      ...{ answered: () => {}, missed: () => {} },
    },
    standing: { of: () => world.standing, lost: () => {} },
    exchanges: { exchangeNow: () => {} },
    departed: { isGiven: () => false },
    tuning: cleanupDefaults,
    ring: () => world.ring,
  });
  if (told !== undefined) cleanup.receive(900, 2, { ...cutAsk, attempt: told });
  sent.length = 0;
  world.ring = ringWith(moves);
  world.standing = standing;
  cleanup.receive(1_000, 2, message);
  return sent[0];
}

function ringWith(moves: NonNullable<Situation["moves"]>): Ring {
  const state = {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 5, n: 2, moves },
    ...{ members: [1, 2, 3].map((id) => memberOf(id)), owners: [[1, 2]] },
    ...{ buckets: [], staged: [] },
  };
  return new Ring(state, 1);
}

const moving: Situation = { moves: [{ partition: 0, to: [2, 3] }] };

describe("a seal", () => {
  const seal: CleanupMessage = { kind: "seal", ...well, round: 7 };

  test("is given once it is durable, at rest", () => {
    const sealed = answerOf(seal, { told: 9 });
    expect(sealed).toEqual({ kind: "sealed", ...about, isSealed: true });
  });

  test.each<[string, CleanupMessage, Situation]>([
    ["in another epoch", { ...seal, epoch: 4 }, {}],
    ["in an epoch to come", { ...seal, epoch: 6 }, {}],
    ["while the partition moves", seal, moving],
    ["while it is filled", seal, { standing: "rebuilding" }],
    ["while hints may come", seal, { standing: "catching-up" }],
    ["to a round that was promised before", seal, { isRefused: true }],
    ["to an attempt that was told no cut", seal, { told: 8 }],
  ])("is refused %s", (_when, message, situation) => {
    const sealed = answerOf(message, { told: 9, ...situation });
    expect(sealed).toEqual({ kind: "sealed", ...about, isSealed: false });
  });
});

describe("a cut", () => {
  const ask = cutAsk;

  test("is told at rest", () => {
    expect(answerOf(ask)).toMatchObject({ kind: "cut", isReady: true, round: 2, promised: 2 });
  });

  test.each<[string, CleanupMessage, Situation]>([
    ["in another epoch", { ...ask, epoch: 4 }, {}],
    ["while the partition moves", ask, moving],
    ["while it is filled", ask, { standing: "rebuilding" }],
    ["to a leader whose clock is ahead", { ...ask, expiredBefore: 1_001 }, {}],
  ])("is not told %s", (_when, message, situation) => {
    expect(answerOf(message, situation)).toMatchObject({ kind: "cut", isReady: false });
  });
});

test("what is kept is told in the same epoch only", () => {
  const ask: CleanupMessage = { kind: "loose-ask", ...well };
  expect(answerOf(ask)).toEqual({ kind: "loose", ...about, isFree: true });
  expect(answerOf({ ...ask, epoch: 4 })).toBeUndefined();
});
