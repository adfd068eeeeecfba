/**
 * `npm run sim -- --seed S [--seeds 10] [--nodes 5] [--seconds 60] [--until-event N]`: a whole
 * cluster in virtual time, under faults, from a seed. It is compiled first, and so runs in plain
 * Node, under whatever options NODE_OPTIONS names.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const out = join("node_modules", ".cache", "everwrite-sim");
const compiler = join("node_modules", "typescript", "bin", "tsc");
const compiled = spawnSync(process.execPath, [compiler, "-p", "test/sim"], { stdio: "inherit" });
if (compiled.status === 0) {
  writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  const main = join(out, "test", "sim", "main.js");
  const run = spawnSync(process.execPath, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
} else process.exitCode = 1;
