/**
 * `npm run sweep [-- SEED]`: damages every block of every file of one node in a cluster of three,
 * in three ways, and looks at what all of them say. See sim/sweep.ts.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const vitest = join("node_modules", "vitest", "vitest.mjs");
const args = [vitest, "run", "--config", "test/vitest.config.ts", "test/sim/sweep.test.ts"];
const env = { ...process.env, SWEEP: "all", SEED: process.argv[2] ?? "1" };
process.exitCode = spawnSync(process.execPath, args, { env, stdio: "inherit" }).status ?? 1;
