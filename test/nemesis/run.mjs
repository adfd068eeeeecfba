/**
 * `npm run nemesis`: five real processes, six workloads, and faults from a seed.
 *
 *   npm run nemesis [-- --seed 1 --seeds 1 --seconds 120 --nodes 5 --tls yes|no
 *                       --without KIND,… --only KIND,… --pace 1 --keep DIR --json]
 *   npm run nemesis -- --doctor           which faults this machine offers
 *   npm run nemesis -- --mutant NAME      with a broken package (test/mutants/NAME.patch): a run
 *                                         that notices nothing has failed
 *
 * The nodes are those of dist/, or of the folder that --package names. Exits 0 when nothing was
 * wrong, 1 when something was, 130 when it was interrupted. With --keep, the nodes' logs, their
 * directories and the clients' history stay in DIR.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyPatch, readPatches } from "../mutants/patches.mjs";
import { compile, programOf } from "../support/run-compiled.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const args = process.argv.slice(2);
const mutant = taken("--mutant");
const copy = mutant === undefined ? undefined : mkdtempSync(join(tmpdir(), "everwrite-mutant-"));
process.on("exit", () => {
  if (copy !== undefined) rmSync(copy, { recursive: true, force: true });
});
const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
for (const signal of signals) process.on(signal, () => process.exit(130));
process.exitCode = await run();

async function run() {
  compile("nemesis");
  const chosen = [];
  if (copy !== undefined) {
    if (!breakCopy(mutant, copy)) return 1;
    chosen.push("--package", join(copy, "dist"), "--broken");
  } else if (!args.includes("--package")) chosen.push("--package", join(root, "dist"));
  const program = [programOf("nemesis"), ...chosen, ...args];
  const child = spawn(process.execPath, program, { stdio: "inherit" });
  // It cleans up, and then says how it ended.
  for (const signal of signals)
    process.removeAllListeners(signal).on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on("close", (code) => resolve(code ?? 1)));
}

/** A built copy of the sources with that patch in it. */
function breakCopy(name, directory) {
  const patch = readPatches().find((one) => one.name === name);
  if (patch === undefined) {
    console.error(`there is no test/mutants/${name}.patch`);
    return false;
  }
  for (const part of ["native-free-engine", "src", "bin", "bench", "package.json"]) {
    cpSync(join(root, part), join(directory, part), {
      recursive: true,
      filter: (path) => !path.includes("node_modules"),
    });
  }
  cpSync(join(root, "tsconfig.json"), join(directory, "tsconfig.json"));
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "dir");
  const { applies, said } = applyPatch(patch, directory, { check: false });
  if (!applies) console.error(`the patch does not apply: ${said}`);
  return applies && build(directory);
}

/** Types are checked elsewhere; here they would only cost time. */
function build(cwd) {
  const args = [compiler, "-p", ".", "--noCheck"];
  return spawnSync(process.execPath, args, { cwd, stdio: "inherit" }).status === 0;
}

function taken(name) {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
}
