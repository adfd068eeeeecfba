/** Level 0 is emptied when nobody writes, and left alone while somebody does. */
import { expect, test } from "vitest";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { openOn } from "../../native-free-engine/open.ts";
import { ModelClock } from "../support/model-clock.ts";

const idleMs = 100;
const value = new Uint8Array(1000);

test("tables of level 0 are merged in a quiet time, not between two full memtables", async () => {
  const disk = new MemoryDisk();
  const clock = new ModelClock();
  const engine = await openOn(
    { disk, clock, workers: inlineWorkers(disk, clock) },
    "/db",
    { memtableBytes: 64 << 10 },
    {
      memoryBytes: 1 << 26,
      newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }),
      tuning: { idleMs, reserveBytes: 0 },
    },
  );
  const merges = () => engine.stats().compactions + engine.stats().trivialMoves;
  // A memtable is full after some 60 puts, which takes three times as long as counts for quiet.
  for (let i = 0; i < 200; i++) {
    await engine.put(`key-${i % 50}`, value);
    await clock.sleep(idleMs / 20);
  }
  expect(engine.stats().flushes).toBeGreaterThan(2);
  expect(merges()).toBe(0);
  await clock.sleep(20 * idleMs);
  while (engine.stats().backgroundJobs > 0) await clock.sleep(idleMs);
  expect(merges()).toBeGreaterThan(0);
  expect(engine.stats().levels[0]?.tables).toBe(0);
  await engine.close();
});
