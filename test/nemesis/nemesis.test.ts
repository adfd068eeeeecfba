/** One run of half a minute on real processes. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/sources.ts";
import { runNemesis } from "./nemesis.ts";

const seed = Number(process.env["SEED"] ?? 1);

test("five processes under faults lose nothing and come to agree", async () => {
  const said: string[] = [];
  const outcome = await runNemesis({
    ...{ seed, seconds: 30, nodes: 5, without: [], pace: 1, isClosed: seed % 2 === 1 },
    package: join(root, "dist"),
    settleMsMax: 120_000,
    say: (line) => said.push(line),
  });
  const again = `again: npm run nemesis -- --seed ${seed} --seconds 30\n`;
  expect(outcome.wrongs, `${again}${said.join("\n")}`).toEqual([]);
  expect(outcome.writes.acked).toBeGreaterThan(100);
  expect(Object.keys(outcome.strikes).length).toBeGreaterThan(3);
}, 300_000);
