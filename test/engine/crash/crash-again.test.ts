/** Whoever recovers from a power cut may meet the next one, again and again. */
import { expect, test } from "vitest";
import { MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import { afterPowerCut, judge } from "../../support/crash-judge.ts";
import { randomFrom } from "../../support/random.ts";
import { Driver, openEngine, type Setup } from "../../support/script-driver.ts";

const setup: Setup = { options: { memtableBytes: 4096 }, tuning: { reserveBytes: 0 } };
const cutsMax = 5;

/** Tables, a log, and nothing closed. */
async function killedDatabase(seed: number): Promise<Driver> {
  const driver = new Driver(new MemoryDisk(), setup, seed);
  await driver.open();
  for (let i = 0; i < 30; i++) {
    driver.put(`key-${i % 12}`, 100 + 10 * i, { sync: i % 3 === 0 });
    await driver.settle();
  }
  expect([...driver.errors, ...driver.wrongs]).toEqual([]);
  return driver;
}

test("five power cuts in a row, each while the one before is recovered from", async () => {
  let inTheMiddle = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomFrom(seed);
    const driver = await killedDatabase(seed);
    const { mark } = driver.history;
    let disk = driver.disk.crash({ survival: 0.5, random });
    for (let cut = 1; cut <= cutsMax; cut++) {
      disk.failAt(1 + Math.floor(random() * 25), "crash");
      const opened = await openEngine(disk, setup).catch(() => undefined);
      if (opened === undefined) inTheMiddle += 1;
      const next = disk.crash({ survival: random(), random });
      await opened?.close().catch(() => {});
      disk = next;
    }
    const { engine } = await judge(disk, setup, driver.history, afterPowerCut(mark));
    await engine.close();
  }
  expect(inTheMiddle).toBeGreaterThan(40);
});
