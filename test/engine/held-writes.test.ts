/**
 * Writes that wait for room are answered in any case: also when making room fails, or what made
 * them wait never ends well.
 */
import { expect, test } from "vitest";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { openOn } from "../../native-free-engine/open.ts";
import { ModelClock } from "../support/model-clock.ts";

/** Disk operations that are made to fail, one after the other. */
const points = 40;
const writes = 30;
const value = new Uint8Array(300);

async function openSmall(disk: MemoryDisk) {
  const clock = new ModelClock();
  const context = {
    memoryBytes: 1 << 26,
    newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }),
    tuning: { sealedMax: 1, reserveBytes: 0 },
  };
  const world = { disk, clock, workers: inlineWorkers(disk, clock) };
  return openOn(world, "/db", { memtableBytes: 1 << 10 }, context);
}

/** Puts without waiting, then waits for all and closes. Returns the disk's operations. */
async function writeAll(disk: MemoryDisk, fail: () => void) {
  const engine = await openSmall(disk);
  fail();
  const puts = Array.from({ length: writes }, (_, i) =>
    engine.put(`key-${i}`, value, { sync: i % 3 === 0 }),
  );
  const answers = await Promise.allSettled(puts);
  const closed = await Promise.allSettled([engine.close()]);
  return { answers, closed };
}

test("every write is answered wherever the disk begins to fail", async () => {
  const calm = new MemoryDisk();
  let before = 0;
  await writeAll(calm, () => {
    before = calm.operations;
  });
  const after = calm.operations;
  let refused = 0;
  const step = Math.ceil((after - before) / points);
  for (let n = before + 1; n <= after; n += step) {
    const disk = new MemoryDisk();
    const { answers } = await writeAll(disk, () => disk.failAt(n, "EIO-sticky"));
    const failed = answers.filter((answer) => answer.status === "rejected");
    for (const { reason } of failed) expect(reason).toMatchObject({ name: "EngineError" });
    refused += failed.length;
    // Nothing is acknowledged behind what was refused: plain and synced writes keep their order.
    const first = answers.findIndex(({ status }, i) => i % 3 > 0 && status === "rejected");
    const later = answers.filter(
      ({ status }, i) => first >= 0 && i > first && status === "fulfilled",
    );
    expect(later).toEqual([]);
  }
  expect(refused).toBeGreaterThan(points);
});

test("a write is refused that finds no room because writing what fills it has failed", async () => {
  const disk = new MemoryDisk();
  const engine = await openSmall(disk);
  disk.failAt(disk.operations + 1, "EIO-sticky");
  const first = engine.put("first", value);
  const second = engine.put("second", new Uint8Array(900));
  const third = engine.put("third", value);
  for (const put of [first, second, third]) {
    await expect(put).rejects.toMatchObject({ code: "LOG_FAILED" });
  }
  await engine.close();
});

test("writes that wait when the engine closes are made first", async () => {
  const disk = new MemoryDisk();
  const engine = await openSmall(disk);
  const puts = Array.from({ length: writes }, (_, i) => engine.put(`key-${i}`, value));
  const closing = engine.close();
  await Promise.all([...puts, closing]);
  const again = await openSmall(disk);
  expect(await again.scan().nextMany(2 * writes)).toHaveLength(writes);
  await again.close();
});
