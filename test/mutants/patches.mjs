/**
 * The deliberately broken sources: each patch in this folder breaks one promise. It opens with the
 * promise, with the test file that must fail of it, with the title of the test in it that does, and
 * with the set that it belongs to; one more line may say that the test hangs instead.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** All of them, by name: `{ name, file, promise, killer, title, set, … }`. */
export function readPatches() {
  const files = readdirSync(folder).filter((file) => file.endsWith(".patch"));
  return files.sort().map((file) => {
    const text = readFileSync(join(folder, file), "utf8");
    const head = text.slice(0, text.indexOf("\n\n")).split("\n");
    const lineOf = (name) =>
      head.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? "";
    return {
      name: file.slice(0, -".patch".length),
      file: join(folder, file),
      promise: lineOf("Promise"),
      killer: lineOf("Killer"),
      title: lineOf("Title"),
      set: lineOf("Set"),
      hangs: head.includes("It hangs."),
      touches: [...text.matchAll(/^\+\+\+ b\/(.+)$/gm)].map(([, path]) => path),
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
