/**
 * `npm run mutants [-- NAME… | --set SET…] [--jobs N]`: breaks the sources in one way after the
 * other and runs the test that must notice. A mutant that survives is a promise that no test keeps:
 * the other tests of its set are asked then, so that it is seen who keeps it after all. Each runs
 * on a copy of the sources, so the checkout stays as it is.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { applyPatch, readPatches } from "./patches.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { set: { type: "string", multiple: true }, jobs: { type: "string" } },
});
const all = readPatches();
const sets = (values.set ?? []).flatMap((text) => text.split(","));
const patches = all.filter(({ name, set }) => {
  const isAny = positionals.length === 0 && sets.length === 0;
  return isAny || positionals.includes(name) || sets.includes(set);
});
const jobs = Math.max(1, Number(values.jobs ?? Math.min(2, availableParallelism())) || 1);
/** How long a test may take: some mutants hang instead of failing, which is noticed too. */
const timeoutMs = { hangs: 120_000, fails: 600_000 };
const parts = ["native-free-engine", "src", "bin", "test", "README.md", "package.json"];

const config = `/** Runs one test file of broken sources; nothing is built. */
export default {
  test: { include: ["test/**/*.test.ts"], pool: "forks", maxWorkers: 1, testTimeout: 60_000 },
};
`;

const startedAt = Date.now();
const survivors = [];
const unexpected = [];
const width = Math.max(...patches.map(({ name }) => name.length));
const queue = [...patches];
await Promise.all(Array.from({ length: jobs }, work));
const seconds = Math.round((Date.now() - startedAt) / 1000);
const killed = patches.length - survivors.length;
console.log(`\n${killed} of ${patches.length} mutants killed in ${seconds} s`);
if (survivors.length > 0) console.log(`survived: ${survivors.join(", ")}`);
if (unexpected.length > 0) console.log(`killed by another than expected: ${unexpected.join(", ")}`);
process.exitCode = survivors.length > 0 || patches.length === 0 ? 1 : 0;

async function work() {
  for (let patch = queue.shift(); patch !== undefined; patch = queue.shift()) {
    const verdict = await judge(patch);
    if (verdict.killer === undefined) survivors.push(patch.name);
    else if (verdict.killer !== patch.killer) unexpected.push(patch.name);
    const mark = verdict.killer === undefined ? "SURVIVED " : "killed by";
    const who = verdict.killer ?? patch.killer;
    console.log(`${patch.name.padEnd(width)}  ${mark}  ${who}  ${verdict.said}`);
  }
}

async function judge(patch) {
  const directory = mkdtempSync(join(tmpdir(), "everwrite-mutant-"));
  try {
    for (const part of [...parts, "tsconfig.json"]) {
      cpSync(join(root, part), join(directory, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"), "dir");
    writeFileSync(join(directory, "vitest.config.mjs"), config);
    const { applies, said } = applyPatch(patch, directory, { check: false });
    if (!applies) return { killer: undefined, said: `the patch does not apply: ${said}` };
    const killers = all.filter(({ set }) => set === patch.set).map(({ killer }) => killer);
    let first;
    for (const killer of new Set([patch.killer, ...killers])) {
      const verdict = await runTest(killer, patch.hangs, directory);
      first ??= verdict;
      if (verdict.isKilled) return { killer, said: verdict.said };
      // A mutant that hangs, or does not load, would do so in every test.
      if (verdict.isOver) break;
    }
    return { killer: undefined, said: first.said };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function runTest(test, hangs, directory) {
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--config", "vitest.config.mjs", "--bail", "1", test];
  const { code, output } = await run(args, directory, hangs ? timeoutMs.hangs : timeoutMs.fails);
  if (code === undefined) return { isKilled: hangs, isOver: true, said: "it hung" };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
  const plain = output.replace(/\u001b\[[0-9;]*m/g, "");
  const errors = plain.split("\n").filter((line) => /^\s*(\w*Error|AssertionError): /.test(line));
  // A mutant that does not even load is a mistake in the patch.
  const loads = !/Transform failed|SyntaxError|Failed to load|no tests/i.test(plain);
  const said = (loads ? (errors[0] ?? "") : "it does not load").trim().slice(0, 160);
  return { isKilled: code !== 0 && loads && errors.length > 0, isOver: !loads, said };
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
