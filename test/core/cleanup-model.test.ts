/** Clean-up under everything at once: what is right withstands it, and each mutant does not. */
import { describe, expect, test } from "vitest";
import { isBelow, stripped } from "../../src/core/clock/floor.ts";
import { CleanupModel, type Mutant, type Outcome, type Setting } from "../support/cleanup-model.ts";

const first = Number(process.env["SEED"] ?? 1);
const runs = Number(process.env["RUNS"] ?? 96);
const steps = 1_200;
/** Runs after which a mutant that is alive is one that the model cannot tell. */
const runsMax = 1_500;

const settings: readonly Setting[] = (["none", "power", "wipe", "old disk"] as const).flatMap(
  (injury) => [
    { injury, moves: false, apart: false },
    { injury, moves: true, apart: false },
    { injury, moves: false, apart: true },
    { injury, moves: true, apart: true },
  ],
);

function isWell({ lost, resurrected, divided, left }: Outcome): boolean {
  return lost + resurrected + divided + left === 0;
}

test(`${runs} runs lose nothing, bring nothing back, and leave nothing`, () => {
  let [rounds, acked] = [0, 0];
  for (let seed = first; seed < first + runs; seed++) {
    const setting = settings[seed % settings.length]!;
    const outcome = new CleanupModel(seed, {}, setting).play(steps);
    rounds += outcome.rounds;
    acked += outcome.acked;
    const why = `SEED=${seed} RUNS=1 ${JSON.stringify(setting)}`;
    expect({ ...outcome, rounds: 0, acked: 0 }, why).toEqual({
      ...{ lost: 0, resurrected: 0, divided: 0, left: 0 },
      ...{ rounds: 0, acked: 0 },
    });
  }
  // Some before the end, and one after it, in each run.
  expect(rounds).toBeGreaterThan(2 * runs);
  expect(acked).toBeGreaterThan(20 * runs);
});

test("a disk that grows older between a cut and its promise is promised for by nobody", () => {
  const setting: Setting = { injury: "old disk", moves: false, apart: false };
  const outcome = new CleanupModel(238, {}, setting).play(steps);
  expect(isWell(outcome), JSON.stringify(outcome)).toBe(true);
});

/** Entries below the floor go one by one, though others of the same key are above it. */
const entryStrip: Mutant = {
  rules: {
    stripped: (versions, floor) => {
      const whole = stripped(versions, floor);
      if (whole !== versions) return whole;
      const vector = versions.vector.filter((entry) => !isBelow(floor, entry));
      return { ...versions, vector, dots: versions.dots.filter((dot) => !isBelow(floor, dot)) };
    },
  },
};

interface Case {
  readonly name: string;
  readonly mutant: Mutant;
  readonly injury?: Setting["injury"];
  readonly moves?: boolean;
  readonly apart?: boolean;
  /** Where the first killing seed was found: a change of the model may move it. */
  readonly from: number;
}

const cases: readonly Case[] = [
  {
    name: "counters per key, begun anew after it is forgotten",
    mutant: { countersPerKey: true },
    from: 11,
  },
  { name: "tombstones that go by the clock", mutant: { forgetsByTime: true }, from: 38 },
  { name: "a past that is stripped entry by entry", mutant: entryStrip, from: 8 },
  {
    name: "old messages taken as new ones",
    mutant: { rules: { withoutStale: (v) => v } },
    from: 1,
  },
  { name: "a cut from the end of the round", mutant: { lateCut: true }, from: 43 },
  { name: "rounds while hints are kept", mutant: { looseIgnoresHints: true }, from: 819 },
  {
    name: "a stand-in that keeps its actor after it gave its hints away",
    mutant: { reusesStandIn: true },
    from: 40,
  },
  {
    name: "an actor that outlives a loss",
    mutant: { keepsActor: true },
    injury: "old disk",
    from: 272,
  },
  {
    name: "an old disk that vouches for what it holds",
    mutant: { trustsOldDisk: true },
    injury: "old disk",
    from: 14,
  },
  {
    name: "an old disk that keeps what lies below the floor",
    mutant: { rules: { withoutUnproven: (v) => v } },
    injury: "old disk",
    from: 14,
  },
];

describe("a mutant is killed:", () => {
  for (const { name, mutant, injury = "none", moves = false, apart = false, from } of cases) {
    test(name, () => {
      const setting = { injury, moves, apart };
      for (let seed = from; seed < from + runsMax; seed++) {
        const outcome = new CleanupModel(seed, mutant, setting).play(steps);
        if (isWell(outcome)) continue;
        expect(isWell(new CleanupModel(seed, {}, setting).play(steps)), `SEED=${seed}`).toBe(true);
        return;
      }
      expect.fail(`it is alive after ${runsMax} runs`);
    }, 600_000);
  }
});
