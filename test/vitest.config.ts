/**
 * The unit tests run from the TypeScript sources. What needs threads or a real process runs the
 * built package, which `build-first.ts` brings up to date.
 */
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that take longest begin first, so that none of them is left over at the end. */
const longest = [
  ...["runtime/membership", "engine/damage/flips", "demo/cluster-demo", "nemesis/nemesis"],
  ...["sim/sim", "sim/sim-other-half", "fuzz/first-half", "fuzz/second-half", "sim/corpus"],
  ...["engine/kill", "cli/cluster", "sim/sweep", "sim/sameness", "engine/crash/crash-again"],
  ...["runtime/checkpoint", "engine/damage/truncations", "engine/crash/disk-errors"],
  ...["engine/crash/crash", "runtime/server", "package", "cli/membership", "cli/bad-input"],
  ...["cli/kvctl", "cli/checkpoint", "cli/serve", "engine/model", "engine/crash/second-crash"],
  ...["cli/closed-cluster", "engine/power-cut", "runtime/lobby", "cli/care", "client/cluster"],
  ...["sim/kills", "sim/changes", "runtime/reload", "cli/demo", "runtime/context-keys"],
];

/** Folders whose tests leave nothing behind in their process … */
const tidy = ["core", "store", "client", "engine", "runtime", "cli"];

/** … but these: they measure or count what a whole process does, or replace what others import. */
const apart = [
  ...["engine/crash/", "engine/fairness", "engine/level-process", "engine/lock"],
  ...["engine/threads", "runtime/adversary-f", "runtime/node-store"],
];

/**
 * Files that share a process, which saves each of them what it takes to start one, to load
 * everything into it and to have it compiled anew: about half a second of processor time. They
 * begin last, since a process is shared only by files that follow each other.
 */
const shared = readdirSync(fileURLToPath(new URL(".", import.meta.url)), {
  ...{ recursive: true, encoding: "utf8" },
})
  .filter((path) => path.endsWith(".test.ts"))
  .map((path) => path.replaceAll("\\", "/").slice(0, -".test.ts".length))
  .filter((name) => tidy.some((folder) => name.startsWith(`${folder}/`)))
  .filter((name) => ![...apart, ...longest].some((other) => name.startsWith(other)))
  .map((name) => `test/${name}.test.ts`);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}

function rankOf({ moduleId, project }: TestSpecification): number {
  const found = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  if (found >= 0) return found;
  return longest.length + Number(!project.config.isolate);
}

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    globalSetup: ["test/support/build-first.ts"],
    pool: "forks",
    // One more than there are cores: many tests wait for processes of their own.
    maxWorkers: Math.min(4, availableParallelism() + 1),
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A forgotten promise must fail the run, not pass with a warning.
    dangerouslyIgnoreUnhandledErrors: false,
    sequence: { sequencer: LongestFirst },
    projects: [
      { extends: true, test: { name: "alone", include: ["test/**/*.test.ts"], exclude: shared } },
      { extends: true, test: { name: "shared", include: shared, isolate: false } },
    ],
  },
});
