/**
 * Whatever is done to the engine, in whatever order, it answers as a sorted map would. Random
 * operations over absurd presets. SEED, SEEDS (how many seeds each) and MODEL_STEPS scale it.
 */
import { describe, expect, test } from "vitest";
import { checkModel } from "../support/model.ts";
import { presets } from "../support/model-presets.ts";
import { seed } from "../support/random.ts";

const seeds = Number(process.env["SEEDS"] ?? 2);
const steps = Number(process.env["MODEL_STEPS"] ?? 600);
const timeout = 60_000 + seeds * steps * 100;

describe(`against a sorted map, from seed ${seed}`, () => {
  test("there are many presets, each with a name of its own", () => {
    expect(new Set(presets.map((preset) => preset.name)).size).toBeGreaterThanOrEqual(12);
  });

  for (const preset of presets) {
    test(
      preset.name,
      async () => {
        for (let i = 0; i < seeds; i++) {
          await checkModel(preset, seed + i, Math.ceil(steps / (preset.effort ?? 1)));
        }
      },
      timeout,
    );
  }
});
