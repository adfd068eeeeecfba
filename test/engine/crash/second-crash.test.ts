/**
 * The power goes again: before every operation of the recovery from a crash, of the writes that
 * follow it, and of the close. What the first crash left is durable, so the second takes none of
 * it.
 */
import { afterAll, describe, expect, test } from "vitest";
import { afterPowerCut, judge } from "../../support/crash-judge.ts";
import { diskFor, runScript, type Script, scriptOf } from "../../support/crash-scripts.ts";
import {
  type CrashState,
  firstSeed,
  loopMs,
  Moments,
  reportStates,
  scale,
  statesChecked,
  statesOf,
  statesPromised,
} from "../../support/crash-states.ts";
import { History, type Mark } from "../../support/history.ts";
import { Driver } from "../../support/script-driver.ts";

const scripts = Array.from({ length: 2 * scale }, (_, i) => scriptOf(firstSeed + 100 + i, 24));
/** One first crash in so many operations is followed by second ones. */
const stride = 15;
const nothingYet: Mark = { issued: 0, durable: 0, seen: 0 };

/** Opens, writes in all ways, closes. */
async function recoverAndWrite(driver: Driver): Promise<void> {
  await driver.open();
  driver.put("key-1", 40, { sync: true });
  driver.put("key-2", 300);
  await driver.settle();
  driver.batch([
    ["key-1", 20],
    ["key-3", undefined],
    ["fresh", 90],
  ]);
  driver.delete("key-2", { sync: true });
  await driver.settle();
  await driver.flush();
  driver.put("fresh", 33, { sync: true });
  await driver.close();
}

/** What the first crash left, recovered under observation and struck again at each operation. */
async function strikeAgain(script: Script, first: CrashState, history: History): Promise<void> {
  let driver: Driver | undefined;
  const moments = new Moments({ from: 1, to: 1e9 }, () => driver?.history.mark ?? nothingYet);
  const disk = first.disk.clone(moments.watch);
  moments.attach(disk);
  driver = new Driver(disk, script.setup, script.seed + 50, history);
  await recoverAndWrite(driver);
  moments.end();
  expect(driver.errors).toEqual([]);
  for (const moment of moments.all) {
    const coins = moment.operation % 2;
    for (const second of statesOf(moment, { coins, seed: script.seed })) {
      try {
        const bounds = afterPowerCut(moment.extra);
        const { engine } = await judge(second.disk, script.setup, driver.history, bounds);
        await engine.close();
      } catch (cause) {
        const where = `${script.name}: ${first.what}, then ${second.what}`;
        throw new Error(`${where}: ${String(cause)}`, { cause });
      }
    }
  }
}

describe("a second power cut, at recovery and after", { timeout: loopMs }, () => {
  test.each(scripts)("$name", async (script) => {
    let driver: Driver | undefined;
    const moments = new Moments({ from: 1, to: 1e9 }, () => driver?.history.mark ?? nothingYet);
    const disk = diskFor(script, moments.watch);
    moments.attach(disk);
    driver = new Driver(disk, script.setup, script.seed);
    await script.run(driver);
    for (const moment of moments.all) {
      if (moment.operation % stride !== script.seed % stride) continue;
      const states = [...statesOf(moment, { coins: 2, seed: script.seed })];
      const first = states[Math.floor(moment.operation / stride) % states.length]!;
      const bounds = afterPowerCut(moment.extra);
      const probe = await judge(first.disk.clone(), script.setup, driver.history, bounds);
      await probe.engine.close();
      await strikeAgain(script, first, History.after(probe.units, driver.history));
    }
  });

  test("the scripts run without an error when nothing goes wrong", async () => {
    for (const script of scripts) {
      const { errors, wrongs } = await runScript(script, diskFor(script));
      expect([...errors, ...wrongs]).toEqual([]);
    }
  });
});

test("that was enough states", () => {
  expect(statesChecked()).toBeGreaterThanOrEqual(statesPromised(6000));
});

afterAll(() => reportStates("crash during and after a recovery"));
