/**
 * Builds the package before the tests when a source is newer than the last build, so that one test
 * file can be run alone. Types are checked elsewhere: here they would only cost time.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const built = join(root, "dist", "native-free-engine", "index.js");

export function setup(): void {
  if (existsSync(built) && statSync(built).mtimeMs >= newestSource()) return;
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [compiler, "-p", root, "--noCheck"], { stdio: "inherit" });
}

function newestSource(): number {
  let newest = statSync(join(root, "tsconfig.json")).mtimeMs;
  for (const folder of ["src", "native-free-engine", "bin", "bench"]) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      newest = Math.max(newest, statSync(join(root, folder, name)).mtimeMs);
    }
  }
  return newest;
}
