/**
 * Runs operations against engine and oracle, and where they disagree finds a short list of
 * operations that still makes them disagree.
 */
import { ModelDriver } from "./model-driver.ts";
import { operations, usualWeights } from "./model-operations.ts";
import type { Preset } from "./model-presets.ts";
import { randomFrom } from "./random.ts";

export interface Step {
  readonly name: string;
  readonly seed: number;
}

/** Shrinking goes on for this long at most. */
const shrinkMs = 15_000;

export function stepsFor(preset: Preset, seed: number, count: number): Step[] {
  const random = randomFrom(seed);
  const weights = Object.entries({ ...usualWeights, ...preset.weights });
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return Array.from({ length: count }, () => {
    let left = random() * total;
    const hit = ([, weight]: readonly [string, number]): boolean => {
      left -= weight;
      return left < 0;
    };
    const name = weights.find(hit)?.[0] ?? "compareAll";
    return { name, seed: Math.floor(random() * 2 ** 32) };
  });
}

/** The failure, if there was one, with the number of steps it took. */
export async function failureOf(
  preset: Preset,
  steps: readonly Step[],
): Promise<{ readonly at: number; readonly error: unknown } | undefined> {
  const driver = new ModelDriver(preset);
  let at = 0;
  try {
    await driver.open();
    for (; at < steps.length; at++) {
      const { name, seed } = steps[at]!;
      await operations[name]!(driver, randomFrom(seed));
    }
    await driver.end();
    return undefined;
  } catch (error) {
    return { at, error };
  } finally {
    await driver.engine?.close().catch(() => {});
  }
}

/** Runs the steps; throws with the shortest list of steps found that fails. */
export async function checkModel(preset: Preset, seed: number, count: number): Promise<void> {
  const steps = stepsFor(preset, seed, count);
  const failure = await failureOf(preset, steps);
  if (failure === undefined) return;
  const shrunk = await shrink(preset, steps.slice(0, failure.at + 1));
  const again = (await failureOf(preset, shrunk)) ?? failure;
  const list = shrunk.map((step) => `  ["${step.name}", ${step.seed}]`).join(",\n");
  throw new Error(
    `${preset.name}: ${String(again.error)}\n` +
      `repeat with SEED=${seed} SEEDS=1 MODEL_STEPS=${count}; the steps are\n${list}`,
    { cause: again.error },
  );
}

/** Leaves out ever smaller pieces while it still fails. */
async function shrink(preset: Preset, failing: readonly Step[]): Promise<readonly Step[]> {
  const until = performance.now() + shrinkMs;
  let steps = failing;
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < steps.length; ) {
      if (performance.now() > until) return steps;
      const fewer = [...steps.slice(0, at), ...steps.slice(at + size)];
      const failure = await failureOf(preset, fewer);
      if (failure === undefined) at += size;
      else steps = fewer.slice(0, failure.at + 1);
    }
  }
  return steps;
}
