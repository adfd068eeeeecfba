/** What a reader is shown of values that have expired, and what it may write over. */
import { expect, test } from "vitest";
import { knows, noVersions, type Versions } from "../../src/core/clock/versions.ts";
import { foundOf } from "../../src/core/quorum/visible.ts";

const value = new TextEncoder().encode("milk");
const dot = { actor: "a".repeat(16), counter: 7 };
const about = { fastest: 1, degraded: false, trace: undefined };

/** As a clean-up leaves it: nothing but the dot says that the value was there. */
const bare: Versions = {
  ...noVersions,
  siblings: [{ dot, operation: undefined, time: 1, expiresAt: 100, value }],
};

test("a value is shown until it expires", () => {
  expect(foundOf(bare, { ...about, now: 99 }).values).toEqual([value]);
  expect(foundOf(bare, { ...about, now: 100 }).values).toEqual([]);
});

test("who was shown nothing has seen what expired, and replaces it", () => {
  for (const now of [99, 100]) {
    expect(knows(foundOf(bare, { ...about, now }).context, dot)).toBe(true);
  }
});
