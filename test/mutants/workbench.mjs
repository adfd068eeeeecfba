/**
 * One copy of the sources, and one Vitest on it that stays: a mutant is applied, the test that must
 * notice it runs, and the mutant is taken back. Only what a patch touches is read anew, so that a
 * mutant costs little more than its test does.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createVitest } from "vitest/node";
import { applyPatch } from "./patches.mjs";

const parts = ["native-free-engine", "src", "bin", "test", "README.md", "package.json"];
/** Some mutants hang instead of failing: the test takes a few seconds, and not so long. */
const patienceMs = 20_000;

const alone = `/** Runs one test file of broken sources; nothing is built. */
export default {
  test: { include: ["test/**/*.test.ts"], pool: "forks", maxWorkers: 1, testTimeout: 60_000 },
};
`;

export class Workbench {
  #root;
  #directory = mkdtempSync(join(tmpdir(), "everwrite-mutants-"));
  #vitest;

  constructor(root) {
    this.#root = root;
    for (const part of [...parts, "tsconfig.json"]) {
      cpSync(join(root, part), join(this.#directory, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(this.#directory, "node_modules"), "dir");
  }

  /** Runs `use` while the mutant is in the sources; undefined where the patch does not fit. */
  async with(patch, use) {
    const { applies } = applyPatch(patch, this.#directory, { check: false });
    if (!applies) return undefined;
    this.#readAnew(patch);
    try {
      return await use();
    } finally {
      for (const path of patch.touches) cpSync(join(this.#root, path), join(this.#directory, path));
      this.#readAnew(patch);
    }
  }

  /** Runs one test file, or of it only the test with this title, until the first that fails. */
  async run(test, { title, hangs }) {
    if (hangs) return this.#runAlone(test, title);
    const vitest = await this.#open();
    vitest.resetGlobalTestNamePattern();
    if (title !== "") vitest.setGlobalTestNamePattern(patternOf(title));
    const all = await vitest.globTestSpecifications([test]);
    return judged(await vitest.runTestSpecifications(all, false), all);
  }

  /** In a process group of its own, which can be ended whatever it does. */
  async #runAlone(test, title) {
    const program = join(this.#root, "node_modules", "vitest", "vitest.mjs");
    writeFileSync(join(this.#directory, "vitest.config.mjs"), alone);
    const only = title === "" ? [] : ["--testNamePattern", patternOf(title).source];
    const args = [program, "run", "--config", "vitest.config.mjs", ...only, test];
    const child = spawn(process.execPath, args, {
      ...{ cwd: this.#directory, detached: true, stdio: "ignore" },
    });
    const ended = new Promise((resolve) => child.on("close", resolve));
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve("late"), patienceMs);
    });
    const outcome = await Promise.race([ended, late]);
    clearTimeout(timer);
    if (outcome === "late") process.kill(-child.pid, "SIGKILL");
    const said = outcome === "late" ? "it hung" : "it ended, and should have hung";
    return { isKilled: outcome === "late", isOver: true, title, said };
  }

  async close() {
    const vitest = await this.#vitest;
    await vitest?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #open() {
    this.#vitest ??= createVitest("test", {
      ...{ root: this.#directory, config: false, watch: false, cache: false, reporters: [{}] },
      ...{ include: ["test/**/*.test.ts"], pool: "forks", maxWorkers: 1, testTimeout: 60_000 },
      bail: 1,
    });
    return this.#vitest;
  }

  #readAnew(patch) {
    void this.#vitest?.then((vitest) => {
      for (const path of patch.touches) vitest.invalidateFile(join(this.#directory, path));
    });
  }
}

/** A test is named by its suites and itself: "suite > suite > test". */
function patternOf(title) {
  const words = title.replaceAll(" > ", " ").replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${words}$`);
}

/** Of all files that were ever run, only those of this run count. */
function judged({ testModules, unhandledErrors }, specifications) {
  const ran = testModules.filter(({ moduleId }) =>
    specifications.some((one) => one.moduleId === moduleId),
  );
  const [broken] = ran.flatMap((module) => module.errors());
  const tests = ran.flatMap((module) => [...module.children.allTests()]);
  const failed = tests.find((test) => test.result().state === "failed");
  const begun = tests.filter((test) => test.result().state !== "skipped").length;
  // A mutant that does not even load is a mistake in the patch.
  if (broken !== undefined || begun === 0) {
    const said = broken === undefined ? "no such test" : `it does not load: ${broken.message}`;
    return { isKilled: false, isOver: broken !== undefined, title: "", said: lineOf(said) };
  }
  if (failed !== undefined) {
    const [error] = failed.result().errors ?? [];
    const said = `${error?.name ?? ""}: ${error?.message ?? ""}`;
    return { isKilled: true, isOver: false, title: failed.fullName, said: lineOf(said) };
  }
  const [stray] = unhandledErrors;
  const said = stray === undefined ? "" : lineOf(String(stray.message ?? stray));
  return { isKilled: stray !== undefined, isOver: false, title: "", said };
}

function lineOf(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
  return (text.replace(/\u001b\[[0-9;]*m/g, "").split("\n")[0] ?? "").trim().slice(0, 160);
}
