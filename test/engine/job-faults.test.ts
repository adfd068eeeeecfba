/**
 * A flush or compaction that fails, of whatever and wherever, leaves neither files nor descriptors
 * behind, says what is damaged, and can run again.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { loadHash } from "../../native-free-engine/base/hash.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { isEngineError } from "../../native-free-engine/errors.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import { compactionJob, entriesOf, flushJob, newDisk, put, run } from "./job-fixture.ts";

beforeAll(async () => {
  await loadHash();
  await loadFilterPackage();
});

describe("a job that fails", () => {
  const operations = Array.from({ length: 400 }, (_, i) => put(`key ${1000 + i}`, `value ${i}`));

  /** A disk with two flushed tables, and a compaction of them into several. */
  function scene() {
    const disk = newDisk();
    const older = run(disk, flushJob(operations));
    const newer = run(disk, flushJob(operations, { number: 2, firstSequence: 500_000 }));
    return { disk, job: compactionJob([newer.tables, older.tables], { tableBytes: 4000 }) };
  }

  for (const fault of ["EIO", "ENOSPC"] as const) {
    test(`of ${fault} at any operation leaves no output, nothing open, and can run again`, () => {
      for (const kind of ["flush", "compaction"] as const) {
        for (let operation = 1; ; operation++) {
          const { disk, job: compaction } = scene();
          const files = disk.files();
          const job = kind === "flush" ? flushJob(operations, { number: 3 }) : compaction;
          disk.failAt(disk.operations + operation, fault);
          const planned = disk.operations + operation;
          let failure: unknown;
          try {
            run(disk, job);
          } catch (error) {
            failure = error;
          }
          expect(disk.openFiles, `operation ${operation}`).toBe(0);
          if (disk.operations < planned) break;
          // A short write without room is completed by the next one if there is room again.
          if (failure === undefined) continue;
          expect(failure).toMatchObject({ code: fault });
          expect(disk.files(), `operation ${operation}`).toEqual(files);
          disk.heal();
          expect(run(disk, job).entriesOut).toBe(400);
        }
      }
    });
  }

  test("of a read leaves no output and nothing open", () => {
    for (let read = 1; ; read++) {
      const { disk, job } = scene();
      const files = disk.files();
      const planned = disk.reads + read;
      disk.failReadAt(planned, "EIO");
      let failure: unknown;
      try {
        run(disk, job);
      } catch (error) {
        failure = error;
      }
      expect(disk.openFiles, `read ${read}`).toBe(0);
      if (disk.reads < planned) break;
      expect(failure).toMatchObject({ code: "IO" });
      expect(disk.files()).toEqual(files);
    }
  });

  test("of damage names the damaged table, leaves no output and nothing open", () => {
    const { disk, job } = scene();
    const files = disk.files();
    const path = "/db/000001.sst";
    const intact = disk.bytesOf(path);
    for (let at = 0; at < intact.length; at += 97) {
      const damaged = intact.slice();
      damaged[at] = damaged[at]! ^ 0x40;
      disk.replace(path, damaged);
      let failure: unknown;
      try {
        run(disk, job);
      } catch (error) {
        failure = error;
      }
      expect(isEngineError(failure, "CORRUPTION"), `byte ${at}: ${String(failure)}`).toBe(true);
      expect(String(failure)).toContain("000001.sst");
      expect(disk.openFiles, `byte ${at}`).toBe(0);
      expect(disk.files()).toEqual(files);
    }
  });

  test("because a run is not in order is damage, and not a table out of order", () => {
    const { disk } = scene();
    const [first, second] = ["a", "b"].map((key, i) =>
      run(disk, flushJob([put(key)], { number: 10 + i })),
    );
    const files = disk.files();
    const job = compactionJob([[...second!.tables, ...first!.tables]]);
    const refused = expect.objectContaining({ code: "CORRUPTION" });
    expect(() => run(disk, job)).toThrow(refused);
    expect(disk.files()).toEqual(files);
    expect(disk.openFiles).toBe(0);
  });

  test("because a table is missing says which", () => {
    const { disk, job } = scene();
    disk.removeSync("/db/000001.sst");
    expect(() => run(disk, job)).toThrow(/000001\.sst/);
    expect(disk.openFiles).toBe(0);
  });
});

describe("inline workers", () => {
  test("give the loop a turn between slices, and come to the same result", async () => {
    const disk = newDisk();
    const operations = Array.from({ length: 5000 }, (_, i) => put(`key ${i}`, "value"));
    let elapsed = 0;
    let turns = 0;
    const clock = {
      now: () => 0,
      // Each look at the clock takes 3 ms, so that a slice is two steps.
      elapsed: () => (elapsed += 3),
      sleep: async () => {
        turns += 1;
      },
    };
    const workers = inlineWorkers(disk, clock);
    const { tables } = await workers.run(flushJob(operations));
    expect(turns).toBeGreaterThan(2);
    run(disk, flushJob(operations, { number: 2 }));
    expect(entriesOf(disk, tables[0]!)).toHaveLength(5000);
    await workers.close();
  });

  test("reject with what the job threw", async () => {
    const disk = newDisk();
    disk.failAt(disk.operations + 1, "EIO");
    const clock = { now: () => 0, elapsed: () => 0, sleep: () => Promise.resolve() };
    const running = inlineWorkers(disk, clock).run(flushJob([put("a")]));
    await expect(running).rejects.toMatchObject({ code: "EIO" });
  });
});
