/**
 * The unit tests run from the TypeScript sources. What needs threads or a real process runs the
 * built package, which `build-first.ts` brings up to date.
 */
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

/**
 * Pure code, tested by values alone: these files share a process, which saves each of them the
 * half second that starting one takes. They begin last, since a process is shared only by files
 * that follow each other.
 */
const pure = ["test/core/**/*.test.ts", "test/store/**/*.test.ts"];

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
      { extends: true, test: { name: "alone", include: ["test/**/*.test.ts"], exclude: pure } },
      { extends: true, test: { name: "pure", include: pure, isolate: false } },
    ],
  },
});
