/**
 * `npm run mutants [-- NAME…]`: breaks the engine in one way after the other and runs the test
 * that must notice. A mutant that survives is a promise that no test keeps. Each runs on a copy of
 * the sources, so the checkout stays as it is.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyPatch, readPatches } from "./patches.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const wanted = process.argv.slice(2);
const patches = readPatches().filter(({ name }) => wanted.length === 0 || wanted.includes(name));
/** How long a test may take: some mutants hang instead of failing, which is noticed too. */
const timeoutMs = { hangs: 120_000, fails: 600_000 };

const config = `/** Runs one test file of a broken engine; nothing is built. */
export default { test: { include: ["test/**/*.test.ts"], pool: "forks", testTimeout: 60_000 } };
`;

const survivors = [];
const width = Math.max(...patches.map(({ name }) => name.length));
for (const patch of patches) {
  const verdict = await judge(patch);
  if (!verdict.killed) survivors.push(patch.name);
  const mark = verdict.killed ? "killed by" : "SURVIVED ";
  console.log(`${patch.name.padEnd(width)}  ${mark}  ${patch.killer}  ${verdict.said}`);
}
console.log(`\n${patches.length - survivors.length} of ${patches.length} mutants killed`);
process.exitCode = survivors.length > 0 || patches.length === 0 ? 1 : 0;

async function judge(patch) {
  const directory = mkdtempSync(join(tmpdir(), "everwrite-mutant-"));
  try {
    for (const part of ["native-free-engine", "test", "package.json", "tsconfig.json"]) {
      cpSync(join(root, part), join(directory, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "dir");
    writeFileSync(join(directory, "vitest.config.mjs"), config);
    const { applies, said } = applyPatch(patch, directory, { check: false });
    if (!applies) return { killed: false, said: `the patch does not apply: ${said}` };
    return await runKiller(patch, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runKiller({ killer, hangs }, directory) {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--config", "vitest.config.mjs", "--bail", "1", killer];
  const { code, output } = await run(args, directory, hangs ? timeoutMs.hangs : timeoutMs.fails);
  if (code === undefined) return { killed: hangs, said: "it hung" };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
  const plain = output.replace(/\u001b\[[0-9;]*m/g, "");
  const errors = plain.split("\n").filter((line) => /^\s*(\w*Error|AssertionError): /.test(line));
  // A mutant that does not even load is a mistake in the patch.
  const loads = !/Transform failed|SyntaxError|Failed to load|no tests/i.test(plain);
  const said = (errors[0] ?? "").trim().slice(0, 160);
  return { killed: code !== 0 && loads && errors.length > 0, said };
}

function run(args, cwd, patienceMs) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? undefined, output });
    });
  });
}
