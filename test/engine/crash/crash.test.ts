/**
 * The power goes before every disk operation of scripts that do everything an engine does. After
 * each crash the database opens, holds what was promised, and is a prefix of what was asked for.
 */
import { afterAll, describe, expect, test } from "vitest";
import { afterPowerCut, judge, judgeCheckpoint } from "../../support/crash-judge.ts";
import { diskFor, runScript, type Script, scriptOf } from "../../support/crash-scripts.ts";
import {
  firstSeed,
  loopMs,
  Moments,
  reportStates,
  scale,
  statesChecked,
  statesOf,
  statesPromised,
} from "../../support/crash-states.ts";
import type { Mark } from "../../support/history.ts";
import { Driver } from "../../support/script-driver.ts";

const windowOperations = 80;
const scripts = Array.from({ length: 4 * scale }, (_, i) => scriptOf(firstSeed + i, 60));

interface Then {
  readonly mark: Mark;
  readonly checkpoints: number;
}

/** Runs the script and checks the states of one window; says whether the script went on behind. */
async function checkWindow(script: Script, from: number): Promise<boolean> {
  let driver: Driver | undefined;
  const then = (): Then => ({
    mark: driver?.history.mark ?? { issued: 0, durable: 0, seen: 0 },
    checkpoints: driver?.checkpoints.filter(({ to }) => to !== undefined).length ?? 0,
  });
  const moments = new Moments({ from, to: from + windowOperations }, then);
  const disk = diskFor(script, moments.watch);
  moments.attach(disk);
  driver = new Driver(disk, script.setup, script.seed);
  await script.run(driver);
  moments.end();
  expect(driver.errors).toEqual([]);
  expect(driver.wrongs).toEqual([]);
  for (const moment of moments.all) {
    const { mark, checkpoints } = moment.extra;
    for (const state of statesOf(moment, { coins: 1 + scale, seed: script.seed })) {
      try {
        const at = await judge(state.disk, script.setup, driver.history, afterPowerCut(mark));
        await at.engine.close();
        const checkpoint = driver.checkpoints[0];
        if (checkpoint !== undefined && checkpoints > 0) {
          await judgeCheckpoint(state.disk, driver, checkpoint, mark);
        } else if (checkpoint !== undefined) {
          await judgeCheckpoint(state.disk, driver, { ...checkpoint, to: undefined }, mark);
        }
      } catch (cause) {
        throw new Error(`${script.name}: ${state.what}: ${String(cause)}`, { cause });
      }
    }
  }
  return disk.operations >= from + windowOperations;
}

describe("a power cut before any disk operation", { timeout: loopMs }, () => {
  test.each(scripts)("$name", async (script) => {
    let from = 1;
    while (await checkWindow(script, from)) from += windowOperations;
  });

  test("the scripts cover what an engine does", async () => {
    const seen = new Set<string>();
    for (const script of scripts) {
      const disk = diskFor(script);
      await runScript(script, disk);
      for (const line of disk.journal) seen.add(line.replaceAll(/\d+/g, "0"));
    }
    const course = [...seen];
    for (const what of [
      /^create 0\.log/,
      /^create 0\.sst/,
      /^remove 0\.log/,
      /^remove 0\.sst/,
      /^remove MANIFEST-0/,
      /^rename CURRENT/,
      /^link 0\.sst/,
      /^sync 0\.log/,
    ]) {
      expect(course.filter((line) => what.test(line))).not.toEqual([]);
    }
  });
});

test("that was enough states", () => {
  expect(statesChecked()).toBeGreaterThanOrEqual(statesPromised(7000));
});

afterAll(() => reportStates("crash before any operation"));
