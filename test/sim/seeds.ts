/**
 * Random runs as tests, in two files, so that two workers can share them: which seeds fall to one
 * of them. A tenth of them is run twice. SEED and SEEDS choose others.
 */
import { expect, test } from "vitest";
import { commandOf } from "./command.ts";
import { runSeed } from "./run.ts";

const first = Number(process.env["SEED"] ?? 1);
const count = Number(process.env["SEEDS"] ?? 60);

export function testSeeds({
  part,
  parts,
}: {
  readonly part: number;
  readonly parts: number;
}): void {
  for (let seed = first; seed < first + count; seed++) {
    if ((seed - first) % parts !== part) continue;
    test(`seed ${seed}`, { timeout: 300_000 }, () => play(seed));
  }
}

async function play(seed: number): Promise<void> {
  const { wrongs, story, history, world } = await runSeed({ seed });
  const why = `${commandOf({ seed })}\n${story}`;
  expect(wrongs, why).toEqual([]);
  expect(history.filter(({ outcome }) => outcome === "acked").length, why).toBeGreaterThan(20);
  if (seed % 10 !== 0) return;
  const again = await runSeed({ seed });
  expect(again.world.trace.digest(), why).toBe(world.trace.digest());
  expect(again.history, why).toEqual(history);
}
