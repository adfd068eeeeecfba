/** The same seed is the same run in another process, where nothing is optimised. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { runSeed } from "./run.ts";

const run = { seed: 3, seconds: 4, clients: 3 };

test("a process without optimisation gives the same trace", { timeout: 300_000 }, async () => {
  const { world, wrongs } = await runSeed(run);
  const words = Object.entries(run).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const args = ["test/sim.mjs", "--v8=--no-opt", ...words];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(wrongs).toEqual([]);
  expect(stdout, stderr).toContain(`trace ${world.trace.digest()}`);
});
