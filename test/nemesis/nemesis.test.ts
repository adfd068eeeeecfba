/** One run of half a minute on real processes. */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { root } from "../support/sources.ts";
import { runNemesis } from "./nemesis.ts";

const seed = Number(process.env["SEED"] ?? 1);

test("five processes under faults lose nothing and come to agree", async () => {
  const said: string[] = [];
  const outcome = await runNemesis({
    ...{ seed, seconds: 30, nodes: 5, without: [], pace: 1, isClosed: seed % 2 === 1 },
    package: copyOfPackage(),
    settleMsMax: 120_000,
    say: (line) => said.push(line),
  });
  const again = `again: npm run nemesis -- --seed ${seed} --seconds 30\n`;
  expect(outcome.wrongs, `${again}${said.join("\n")}`).toEqual([]);
  // On a machine that is busy with other things there are not many.
  expect(outcome.writes.acked).toBeGreaterThan(20);
  expect(Object.keys(outcome.strikes).length).toBeGreaterThan(3);
}, 300_000);

/** Nodes start all the time: a build that somebody makes meanwhile must not mix with this one. */
function copyOfPackage(): string {
  const path = mkdtempSync(join(tmpdir(), "everwrite-package-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  cpSync(join(root, "dist"), join(path, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(path, "package.json"));
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"), "dir");
  return join(path, "dist");
}
