/**
 * `npm test`: every check of the repository, and then one line that counts them: "N passed, N
 * failed". First what the others need, then the tests with everything else beside them: they wait
 * for clocks and processes often enough that both cores of a small machine stay busy. A step that
 * fails does not keep the others from running. Each tool counts as one check; the test suites count
 * by their tests.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const scratch = mkdtempSync(join(tmpdir(), "everwrite-test-"));
const report = join(scratch, "vitest.json");

/** Each step is a command, and a function from its output to counts. */
const build = { name: "build", command: ["tsc", "-p", "tsconfig.json"] };
const types = { name: "types", command: ["tsc", "-p", "test/tsconfig.json"] };
const tests = {
  name: "tests",
  command: [
    ...["vitest", "run", "--config", "test/vitest.config.ts"],
    ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
  ],
  count: countVitest,
  // What takes minutes shows how far it is; the others say all at once when they are done.
  isLive: true,
};
const others = [
  { name: "lint and format", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "unused code", command: ["knip"] },
  { name: "package", command: ["publint", "--strict", "--pack", "npm"] },
  {
    name: "abstract-level suite",
    command: ["node", "--no-addons", "test/level/run.mjs"],
    count: countLevel,
  },
  {
    // The others take longer than all the rest together: npm run mutants.
    name: "mutants of storage and versions",
    command: ["node", "test/mutants/run.mjs", "--set", "storage,versions", "--jobs", "1"],
    count: countMutants,
  },
];

const total = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
const startedAt = Date.now();
await Promise.all([take([build]), take([types])]);
await Promise.all([take([tests]), take(others)]);
rmSync(scratch, { recursive: true, force: true });

const seconds = ((Date.now() - startedAt) / 1000).toFixed(0);
process.stdout.write(`\n${seconds} s in all\n`);
if (total.skipped > 0) process.stdout.write(`\n${total.skipped} skipped\n`);
if (failures.length > 0) process.stdout.write(`\nfailed: ${failures.join(", ")}\n`);
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
process.exitCode = total.failed > 0 ? 1 : 0;

/** One step after the other. */
async function take(steps) {
  for (const step of steps) {
    const title = `\n=== ${step.name}: ${step.command.slice(0, 3).join(" ")}\n`;
    if (step.isLive) process.stdout.write(title);
    const started = Date.now();
    const { code, output } = await run(step);
    const counted = count(step, code, output);
    if (counted.failed > 0) failures.push(step.name);
    total.passed += counted.passed;
    total.failed += counted.failed;
    total.skipped += counted.skipped ?? 0;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const verdict = `=== ${step.name}: ${counted.failed > 0 ? "FAILED" : "ok"}, ${seconds} s\n`;
    process.stdout.write(step.isLive ? verdict : title + output + verdict);
  }
}

/** Runs a command of node_modules/.bin, and keeps the end of what it prints. */
function run({ command: [program, ...args], isLive }) {
  return new Promise((resolve) => {
    const path = [join(process.cwd(), "node_modules", ".bin"), process.env.PATH].join(delimiter);
    const child = spawn(program, args, {
      env: { ...process.env, PATH: path },
      stdio: ["ignore", "pipe", isLive ? "inherit" : "pipe"],
      shell: process.platform === "win32",
    });
    let output = "";
    const add = (chunk) => {
      if (isLive) process.stdout.write(chunk);
      output = (output + chunk).slice(-65536);
    };
    child.stdout.on("data", add);
    child.stderr?.on("data", add);
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
function count(step, code, output) {
  if (step.count === undefined) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
  const counted = step.count(output);
  // A runner that fails or says nothing has failed, whatever its tests did.
  if (counted === undefined) return { passed: 0, failed: 1 };
  if (code !== 0 && counted.failed === 0) return { ...counted, failed: 1 };
  return counted;
}

function countVitest() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    if (numPassedTests + numFailedTests === 0) return undefined;
    return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests };
  } catch {
    return undefined;
  }
}

/** The suite's own last line: "level-suite: tests 1467 assertions 5130 failed 0". */
function countLevel(output) {
  const found = /^level-suite: tests (\d+) assertions \d+ failed (\d+)$/m.exec(output);
  if (found === null) return undefined;
  const failed = Number(found[2]);
  return { passed: Number(found[1]) - failed, failed };
}

/** "53 of 53 mutants killed in 80 s": each is a test that the tests can fail. */
function countMutants(output) {
  const found = /^(\d+) of (\d+) mutants killed/m.exec(output);
  if (found === null) return undefined;
  const passed = Number(found[1]);
  return { passed, failed: Number(found[2]) - passed };
}
