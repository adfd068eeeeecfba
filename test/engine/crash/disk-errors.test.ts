/**
 * Every disk operation of a script fails once, or all do from then on, or is short. Whatever was
 * acknowledged is there after reopening; until then reads are right, and writes go on or are
 * refused with a code. A forgotten promise would fail the run.
 */
import { afterAll, describe, expect, test } from "vitest";
import { afterKill, afterPowerCut, judge } from "../../support/crash-judge.ts";
import { diskFor, runScript, type Script, scriptOf } from "../../support/crash-scripts.ts";
import {
  countState,
  firstSeed,
  loopMs,
  reportStates,
  scale,
  statesChecked,
  statesPromised,
} from "../../support/crash-states.ts";
import { randomFrom } from "../../support/random.ts";
import { Driver } from "../../support/script-driver.ts";

const faults = ["EIO", "EIO-sticky", "ENOSPC", "ENOSPC-sticky", "short"] as const;
/** In this script a failed sync of the directory is followed by one that succeeds. */
const found = [3201];
const fresh = Array.from({ length: scale }, (_, i) => firstSeed + 200 + i);
const scripts = [...found, ...fresh].map((seed) => scriptOf(seed, 12));
/** Operations after which the device is replaced or the disk has room again. */
const healAfter = 40;

/** The script with one fault; the disk heals by itself, else a full one would be waited for. */
async function runWithFault(
  script: Script,
  fault: (typeof faults)[number],
  operation: number,
): Promise<Driver> {
  let failed: ReturnType<typeof diskFor> | undefined;
  const disk = diskFor(script, () => {
    if (failed !== undefined && failed.operations >= operation + healAfter) failed.heal();
  });
  failed = disk;
  disk.failAt(operation, fault);
  const driver = new Driver(disk, script.setup, script.seed);
  await script.run(driver);
  return driver;
}

/** Reopened as it is, and after a power cut that takes nothing, some or all of what it may. */
async function judgeAfterFault(driver: Driver, seed: number): Promise<void> {
  const { disk, history, setup } = driver;
  disk.heal();
  const cuts = [0, 0.5, 1].map((survival) => {
    return disk.crash({ survival, random: randomFrom(seed) });
  });
  for (const cut of cuts) {
    const at = await judge(cut, setup, history, afterPowerCut(history.mark));
    await at.engine.close();
  }
  const reopened = await judge(disk.clone(), setup, history, afterKill(history.mark));
  await reopened.engine.put("after the fault", "written", { sync: true });
  await reopened.engine.close();
}

describe.each(scripts)("$name", { timeout: loopMs }, (script) => {
  test.each(faults)("%s at any disk operation", async (fault) => {
    const { operations } = (await runScript(script, diskFor(script))).disk;
    for (let operation = 1; operation <= operations; operation++) {
      try {
        const driver = await runWithFault(script, fault, operation);
        countState();
        if (fault === "short") expect(driver.errors).toEqual([]);
        expect(driver.wrongs).toEqual([]);
        await judgeAfterFault(driver, operation);
      } catch (cause) {
        const where = `${script.name}: ${fault} at operation ${operation}`;
        throw new Error(`${where}: ${String(cause)}`, { cause });
      }
    }
  });
});

describe.each(scripts)("reads of $name", { timeout: loopMs }, (script) => {
  test.each(["EIO", "EIO-sticky"] as const)("%s at any read", async (fault) => {
    const closed = await runScript(script, diskFor(script));
    const readAll = async (read: number): Promise<{ driver: Driver; reads: number }> => {
      const disk = closed.disk.clone();
      if (read > 0) disk.failReadAt(read, fault);
      const setup = { ...script.setup, options: { ...script.setup.options, cacheBytes: 0 } };
      const driver = new Driver(disk, setup, script.seed, closed.history);
      await driver.open();
      if (driver.hasEngine) {
        await driver.checkReads();
        await driver.compact();
        await driver.checkReads();
        await driver.close();
      }
      disk.heal();
      return { driver, reads: disk.reads };
    };
    const { reads } = await readAll(0);
    for (let read = 1; read <= reads; read++) {
      const { driver } = await readAll(read);
      countState();
      const where = `${script.name}: ${fault} at read ${read}`;
      expect(driver.wrongs, where).toEqual([]);
      const all = driver.history.issued;
      const at = await judge(driver.disk, script.setup, driver.history, { from: all, to: all });
      await at.engine.close();
    }
  });
});

test("that was enough states", () => {
  expect(statesChecked()).toBeGreaterThanOrEqual(statesPromised(9000));
});

afterAll(() => reportStates("disk errors"));
