/** The tripwire itself: it bites our own code, and nobody else. */
import { expect, test } from "vitest";
import { systemClock } from "../../native-free-engine/system-clock.ts";
import { newActor } from "../../src/runtime/time.ts";
import * as temptations from "./temptations.ts";
import { guarded, TripwireError } from "./tripwire.ts";

for (const [name, give] of Object.entries(temptations)) {
  test(`${name} is found out`, async () => {
    await expect(guarded(async () => give())).rejects.toThrow(TripwireError);
    expect(give).not.toThrow();
  });
}

test("the product's own clock and chance are found out where they are asked", async () => {
  await expect(guarded(async () => systemClock.now())).rejects.toThrow(/Date\.now|now is called/);
  await expect(guarded(async () => systemClock.sleep(1))).rejects.toThrow(TripwireError);
  await expect(guarded(async () => newActor())).rejects.toThrow(TripwireError);
});

test("the test runner may look at the clock, and everything is as before afterwards", async () => {
  const before = { Date, now: Date.now, setTimeout, random: Math.random };
  await guarded(async () => {
    expect(Date.now()).toBeGreaterThan(0);
    expect(new Date(0).getTime()).toBe(0);
  });
  expect({ Date, now: Date.now, setTimeout, random: Math.random }).toEqual(before);
});
