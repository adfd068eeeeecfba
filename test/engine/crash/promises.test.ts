/** Promises about crashes and errors that take one scene each to see. */
import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import { History } from "../../support/history.ts";
import { contentsIn, Driver, openEngine, type Setup } from "../../support/script-driver.ts";

const setup: Setup = { options: { memtableBytes: 4096 }, tuning: { reserveBytes: 0 } };

async function closedDatabase(): Promise<Driver> {
  const driver = new Driver(new MemoryDisk(), setup, 1, new History());
  await driver.open();
  driver.put("first", 100);
  await driver.settle();
  driver.put("last", 100);
  await driver.settle();
  await driver.close();
  expect([...driver.errors, ...driver.wrongs]).toEqual([]);
  return driver;
}

function logOf(disk: MemoryDisk): string {
  return disk.files().find((file) => file.endsWith(".log")) ?? "no log";
}

describe("a log that was closed cleanly", () => {
  test("is refused when a byte of a record was changed, though nothing was synced", async () => {
    const { disk } = await closedDatabase();
    const path = logOf(disk);
    const bytes = disk.bytesOf(path);
    for (let at = 64; at < bytes.length; at += 7) {
      const damaged = disk.clone();
      const changed = bytes.slice();
      changed[at] = changed[at]! ^ 1;
      damaged.replace(path, changed);
      const opening = openEngine(damaged, setup);
      await expect(opening, `byte ${at}`).rejects.toMatchObject({ code: "CORRUPTION" });
    }
  });

  test("is refused when it lost its end", async () => {
    const { disk } = await closedDatabase();
    const path = logOf(disk);
    const bytes = disk.bytesOf(path);
    for (const length of [0, 64, 100, bytes.length - 24, bytes.length - 1]) {
      const damaged = disk.clone();
      damaged.replace(path, bytes.slice(0, length));
      const opening = openEngine(damaged, setup);
      await expect(opening, `${length} bytes`).rejects.toMatchObject({ code: "CORRUPTION" });
    }
  });
});

describe("a log that was not closed", () => {
  test("loses what was not synced when its tail was changed, and opens", async () => {
    const driver = new Driver(new MemoryDisk(), setup, 1, new History());
    await driver.open();
    driver.put("first", 100);
    await driver.settle();
    driver.put("last", 100);
    await driver.settle();
    const left = driver.disk.crash({ survival: 1 });
    const path = logOf(left);
    const bytes = left.bytesOf(path);
    bytes[bytes.length - 20] = bytes[bytes.length - 20]! ^ 1;
    left.replace(path, bytes);
    const engine = await openEngine(left, setup);
    const contents = await contentsIn(engine, driver.history.keys);
    expect(driver.history.find(contents, { from: 0, to: 2 })).toBe(1);
    await engine.close();
    await driver.close();
  });
});

describe("a log whose seal cannot be written", () => {
  test.each([
    ["flush", (driver: Driver) => driver.flush()],
    ["checkpoint", (driver: Driver) => driver.checkpoint("/copy")],
    ["compact", (driver: Driver) => driver.compact()],
  ] as const)("makes %s reject", async (_name, call) => {
    const driver = new Driver(new MemoryDisk(), setup, 1, new History());
    await driver.open();
    driver.put("key", 100);
    await driver.settle();
    driver.disk.failAt(driver.disk.operations + 1, "EIO");
    await call(driver);
    expect(driver.errors).toMatchObject([{ code: "LOG_FAILED" }]);
    await driver.close();
  });
});
