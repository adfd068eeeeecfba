/** A seed, a world, some clients and some trouble; then what must hold. */
import { describe, expect, test } from "vitest";
import { runSeed } from "./run.ts";

const first = Number(process.env["SEED"] ?? 1);
const seeds = Array.from({ length: Number(process.env["SEEDS"] ?? 4) }, (_, i) => first + i);

describe("a cluster under loss, crashes, cuts, standstill and changes of its ring", () => {
  for (const seed of seeds) {
    test(`seed ${seed}`, async () => {
      const { wrongs, story, history, clients } = await runSeed({ seed });
      expect(wrongs, story).toEqual([]);
      const acked = history.filter(({ outcome }) => outcome === "acked");
      expect(acked.length, story).toBeGreaterThan(20);
      expect(
        clients.every(({ answered }) => answered > 10),
        story,
      ).toBe(true);
    });
  }

  test("the same seed gives the same run, to the last byte sent", async () => {
    const [one, other] = [await runSeed({ seed: first }), await runSeed({ seed: first })];
    expect(other.world.trace.digest()).toBe(one.world.trace.digest());
    expect(other.history).toEqual(one.history);
  });
});
