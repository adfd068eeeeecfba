/** Programs under test/ that are written in TypeScript: compiled, and run in plain Node. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where the program of test/NAME is once it is compiled. */
export function programOf(name) {
  return join(cacheOf(name), "test", name, "main.js");
}

/**
 * False when it does not compile. What was compiled before is kept and brought up to date. Types
 * are checked elsewhere: here they would only cost time.
 */
export function compile(name) {
  const compiler = join("node_modules", "typescript", "bin", "tsc");
  const args = [compiler, "-p", join("test", name), "--noCheck"];
  if (spawnSync(process.execPath, args, { stdio: "inherit" }).status !== 0) return false;
  writeFileSync(join(cacheOf(name), "package.json"), JSON.stringify({ type: "module" }));
  return true;
}

/** With the arguments of this process. */
export function runCompiled(name) {
  const args = [programOf(name), ...process.argv.slice(2)];
  const { status } = compile(name)
    ? spawnSync(process.execPath, args, { stdio: "inherit" })
    : { status: 1 };
  process.exitCode = status ?? 1;
}

function cacheOf(name) {
  return join("node_modules", ".cache", `everwrite-${name}`);
}
