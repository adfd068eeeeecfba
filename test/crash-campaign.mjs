/**
 * `npm run crash -- --states N [--seed S]`: the crash and error loops of test/engine/crash with
 * ever other scripts, until N states have been checked. Stops at the first failure, and says with
 * which seed to repeat it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    states: { type: "string", default: "100000" },
    seed: { type: "string", default: "1000" },
  },
});
const wanted = Number(values.states);
const scratch = mkdtempSync(join(tmpdir(), "everwrite-crash-"));
const tally = join(scratch, "tally");
/** More than the seeds that one round uses. */
const seedsPerRound = 1000;

let seed = Number(values.seed);
let states = 0;
let failed = false;
while (states < wanted && !failed) {
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--config", "test/vitest.config.ts", "test/engine/crash/"];
  const env = { ...process.env, CRASH_SEED: String(seed), CRASH_TALLY: tally };
  const { status } = spawnSync(process.execPath, args, { env, stdio: "inherit" });
  failed = status !== 0;
  states = counted();
  process.stdout.write(`seed ${seed}: ${failed ? "FAILED" : "ok"}, ${states} states so far\n`);
  if (failed) process.stdout.write(`repeat with: npm run crash -- --seed ${seed} --states 1\n`);
  seed += seedsPerRound;
}
rmSync(scratch, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;

function counted() {
  try {
    const lines = readFileSync(tally, "utf8").trim().split("\n");
    return lines.reduce((sum, line) => sum + Number(line), 0);
  } catch {
    return 0;
  }
}
