/**
 * The deliberately broken engines: each patch in this folder opens with the promise that it breaks
 * and the test file that must fail of it, or hang where a third line says so.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** All of them, by name: `{ name, file, promise, killer, hangs }`. */
export function readPatches() {
  const files = readdirSync(folder).filter((file) => file.endsWith(".patch"));
  return files.sort().map((file) => {
    const [promise, killer, third] = readFileSync(join(folder, file), "utf8").split("\n");
    return {
      name: file.slice(0, -".patch".length),
      file: join(folder, file),
      promise: promise?.replace(/^Promise: /, "") ?? "",
      killer: killer?.replace(/^Killer: /, "") ?? "",
      hangs: third === "It hangs.",
    };
  });
}

/** Applies a patch to the sources in `directory`, or only says whether it could be. */
export function applyPatch(patch, directory, { check }) {
  // Lines around a change may move and differ a little; the changed lines may not.
  const args = ["apply", "-C1", ...(check ? ["--check"] : []), patch.file];
  // Not the repository around the folder, if there is one, but the folder itself is patched.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: join(directory, "..") };
  const { status, stderr } = spawnSync("git", args, { cwd: directory, env, encoding: "utf8" });
  return { applies: status === 0, said: stderr };
}
