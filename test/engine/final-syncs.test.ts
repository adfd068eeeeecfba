/** A failed sync of a directory is final, and what a job makes has a durable name. */
import { beforeAll, describe, expect, test } from "vitest";
import { loadHash } from "../../native-free-engine/base/hash.ts";
import { namedWorkers } from "../../native-free-engine/compaction/named-workers.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { withFinalSyncs } from "../../native-free-engine/disk/final-syncs.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { ScriptClock } from "../support/script-clock.ts";
import { flushJob, newDisk, put } from "./job-fixture.ts";

beforeAll(loadHash);

describe("a directory whose sync failed", () => {
  test("is not synced again, however it is asked", async () => {
    const inner = new MemoryDisk();
    const disk = withFinalSyncs(inner);
    disk.makeDirectorySync("/db");
    disk.syncDirectorySync("/db");
    inner.failAt(inner.operations + 1, "ENOSPC");
    await expect(disk.syncDirectory("/db")).rejects.toMatchObject({ code: "ENOSPC" });
    await expect(disk.syncDirectory("/db")).rejects.toMatchObject({ code: "EIO" });
    expect(() => disk.syncDirectorySync("/db")).toThrow("an earlier sync of /db failed");
  });

  test("does not keep another from being synced", async () => {
    const inner = new MemoryDisk();
    const disk = withFinalSyncs(inner);
    disk.makeDirectorySync("/db");
    disk.makeDirectorySync("/copy");
    inner.failAt(inner.operations + 1, "EIO");
    expect(() => disk.syncDirectorySync("/copy")).toThrow("EIO");
    disk.syncDirectorySync("/db");
  });
});

describe("a flush", () => {
  test("makes the log's name durable before there is a table, and then the table's", async () => {
    const disk = newDisk();
    disk.openSync("/db/000009.log", "create").closeSync();
    const workers = namedWorkers(disk, inlineWorkers(disk, new ScriptClock()));
    disk.failAt(disk.operations + 2, "EIO");
    await expect(workers.run(flushJob([put("a", "1")]))).rejects.toMatchObject({ code: "EIO" });
    expect(disk.crash({ survival: 0 }).files()).toEqual(["/db/000009.log"]);
    await workers.run(flushJob([put("a", "1")], { number: 2 }));
    expect(disk.crash({ survival: 0 }).files()).toContain("/db/000002.sst");
  });
});
