/**
 * Compiles test/NAME, whose main.ts is a program, and runs it in plain Node with the arguments of
 * this process. What was compiled before is kept and brought up to date.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export function runCompiled(name) {
  const out = join("node_modules", ".cache", `everwrite-${name}`);
  const compiler = join("node_modules", "typescript", "bin", "tsc");
  const args = [compiler, "-p", join("test", name)];
  const compiled = spawnSync(process.execPath, args, { stdio: "inherit" });
  if (compiled.status !== 0) {
    process.exitCode = 1;
    return;
  }
  writeFileSync(join(out, "package.json"), JSON.stringify({ type: "module" }));
  const main = join(out, "test", name, "main.js");
  const run = spawnSync(process.execPath, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exitCode = run.status ?? 1;
}
