/**
 * Runs that are kept: those that found something once, made as small as they could be, and some in
 * which much happens. Each says why it is there.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { commandOf, parseKept } from "./command.ts";
import { runSeed } from "./run.ts";

const corpus = fileURLToPath(new URL("corpus", import.meta.url));

for (const file of readdirSync(corpus).sort()) {
  const { why, run } = parseKept(readFileSync(join(corpus, file), "utf8"));
  test(`${file.replace(".json", "")}: ${why}`, { timeout: 300_000 }, async () => {
    const { wrongs, story } = await runSeed(run);
    expect(wrongs, `${commandOf(run)}\n${story}`).toEqual([]);
  });
}
