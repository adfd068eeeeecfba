/**
 * The unit tests run from the TypeScript sources. What needs threads or a real process runs the
 * built package, which `build-first.ts` brings up to date.
 */
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build-first.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A forgotten promise must fail the run, not pass with a warning.
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
