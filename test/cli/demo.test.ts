import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { wrongCities } from "../../bin/demo/cities.ts";
import { lostRecords, wrongRecords } from "../../bin/demo/crash.ts";
import { recordKey, recordValue } from "../../bin/demo/records.ts";
import { type Engine, openEngine } from "../../native-free-engine/index.ts";
import { kvctl, scratch } from "./run-kvctl.ts";

async function withEngine(use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await openEngine(join(scratch(), "data"));
  try {
    await use(engine);
  } finally {
    await engine.close();
  }
}

describe("the embedded demo", () => {
  test("passes all its checks, and leaves nothing behind", async () => {
    const temporary = scratch();
    const ran = await kvctl(["demo", "--embedded", "--json"], { env: { TMPDIR: temporary } });
    expect(ran.code, ran.stdout + ran.stderr).toBe(0);
    const { ok, steps } = JSON.parse(ran.stdout);
    expect(ok).toBe(true);
    expect(steps.map(({ name }: { name: string }) => name)).toEqual([
      ...["imported", "read", "scanned", "kill -9 #1", "kill -9 #2", "kill -9 #3"],
      ...["compared", "kept", "verified"],
    ]);
    expect(existsSync(temporary)).toBe(true);
  });

  test("notices a record that is lost, changed or made up", () =>
    withEngine(async (engine) => {
      const numbers = [1, 2, 3, 4];
      for (const n of numbers) await engine.put(recordKey(n), recordValue(n));
      expect(await lostRecords(engine, numbers)).toEqual([]);
      expect(await wrongRecords(engine)).toBe(0);
      await engine.delete(recordKey(2));
      const changed = recordValue(3);
      changed[50]! ^= 1;
      await engine.put(recordKey(3), changed);
      expect(await lostRecords(engine, numbers)).toEqual([2, 3]);
      expect(await wrongRecords(engine)).toBe(1);
    }));

  test("notices a city that is lost, changed or made up", () =>
    withEngine(async (engine) => {
      const cities = ["A", "B", "C"].map((name) => ({ key: `city/${name}`, value: `{"${name}"}` }));
      for (const { key, value } of cities) await engine.put(key, value);
      expect(await wrongCities(engine, cities)).toBe(0);
      await engine.delete("city/A");
      await engine.put("city/B", "{}");
      await engine.put("city/D", "{}");
      expect(await wrongCities(engine, cities)).toBe(3);
    }));
});
