/**
 * What a failing, a full and a slow device do to a `MemoryDisk`.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { writeFullySync } from "../../native-free-engine/disk/disk.ts";
import {
  DiskCrashed,
  MemoryDisk,
  type SteerableClock,
} from "../../native-free-engine/disk/memory-disk.ts";
import { append, bytes, coded, durableFile, textAt } from "./disk-texts.ts";

const nothing = { survival: 0 };
const everything = { survival: 1 };

let disk: MemoryDisk;

beforeEach(() => {
  disk = new MemoryDisk({ journal: true });
  disk.makeDirectorySync("/db");
});

describe("faults", () => {
  test("operations are counted and journalled; reads are counted apart", () => {
    const file = durableFile(disk, "/db/000003.log");
    append(file, "x");
    file.syncSync();
    file.readSync(new Uint8Array(1), 0, 1, 0);
    disk.renameSync("/db/000003.log", "/db/b");
    disk.linkSync("/db/b", "/db/c");
    disk.removeSync("/db/b");
    expect(disk.journal).toEqual([
      "makeDirectory /db",
      "create 000003.log",
      "syncDirectory db",
      "write 000003.log 0+1",
      "sync 000003.log",
      "rename 000003.log -> b",
      "link b -> c",
      "remove b",
    ]);
    expect(disk.operations).toBe(8);
    expect(disk.reads).toBe(1);
  });

  test("a crash freezes the state before the operation and ends the disk", async () => {
    const file = durableFile(disk, "/db/a");
    append(file, "data");
    disk.failAt(disk.operations + 1, "crash");
    const message = `crash at operation ${disk.operations + 1}: sync a`;
    expect(() => file.syncSync()).toThrow(new DiskCrashed(message));
    expect(() => file.readSync(new Uint8Array(1), 0, 1, 0)).toThrow(DiskCrashed);
    expect(() => disk.listSync("/db")).toThrow(DiskCrashed);
    expect(() => disk.openSync("/db/a", "read")).toThrow(DiskCrashed);
    await expect(file.sync()).rejects.toThrow(DiskCrashed);
    await expect(disk.remove("/db/a")).rejects.toThrow(DiskCrashed);
    await expect(disk.lock("/db")).rejects.toThrow(DiskCrashed);
    file.closeSync();
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("");
    expect(textAt(disk.crash(everything), "/db/a")).toBe("data");
  });

  test("a crash in a write leaves the torn part that was asked for", () => {
    for (const [torn, left] of [
      [0, ""],
      [0.5, "wri"],
      [1, "write!"],
    ] as const) {
      const torned = new MemoryDisk();
      torned.failAt(2, "crash", { torn });
      const file = torned.openSync("/a", "create");
      expect(() => append(file, "write!")).toThrow(DiskCrashed);
      expect(textAt(torned.crash(everything), "/a")).toBe(left);
    }
  });

  test("every kind of operation can be the one that crashes", () => {
    const script = (on: MemoryDisk): void => {
      on.makeDirectorySync("/db/x");
      const file = on.openSync("/db/a", "create");
      append(file, "a");
      file.syncSync();
      on.linkSync("/db/a", "/db/b");
      on.renameSync("/db/b", "/db/c");
      on.removeSync("/db/a");
      on.removeDirectorySync("/db/x");
      on.syncDirectorySync("/db");
    };
    const whole = disk.clone();
    script(whole);
    expect(whole.operations).toBe(9);
    for (let n = 1; n <= whole.operations; n++) {
      const broken = disk.clone();
      broken.failAt(n, "crash");
      expect(() => script(broken)).toThrow(whole.journal[n - 1]);
      expect(broken.operations).toBe(n);
    }
  });

  test("a failed sync loses what it covered, and the next sync does not bring it back", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "kept,");
    file.syncSync();
    append(file, "doomed,");
    disk.failAt(disk.operations + 1, "EIO");
    expect(() => file.syncSync()).toThrow(coded("EIO"));
    file.syncSync();
    expect(textAt(disk, "/db/a")).toBe("kept,doomed,");
    expect(textAt(disk.crash(everything), "/db/a")).toBe("kept,");
    append(file, "later");
    file.syncSync();
    expect(textAt(disk.crash(nothing), "/db/a")).toBe(`kept,${"\0".repeat(7)}later`);
  });

  test("a failed sync of a directory loses the names it covered", () => {
    disk.openSync("/db/a", "create").closeSync();
    disk.failAt(disk.operations + 1, "EIO");
    expect(() => disk.syncDirectorySync("/db")).toThrow(coded("EIO"));
    disk.syncDirectorySync("/db");
    expect(disk.files()).toEqual(["/db/a"]);
    expect(disk.crash(everything).files()).toEqual([]);
  });

  test("EIO comes once, or stays until the device is replaced", () => {
    const file = durableFile(disk, "/db/a");
    disk.failAt(disk.operations + 1, "EIO");
    expect(() => append(file, "x")).toThrow(coded("EIO"));
    append(file, "y");
    disk.failAt(disk.operations + 1, "EIO-sticky");
    expect(() => append(file, "z")).toThrow(coded("EIO"));
    expect(() => append(file, "z")).toThrow(coded("EIO"));
    expect(() => disk.removeSync("/db/a")).toThrow(coded("EIO"));
    expect(textAt(disk, "/db/a")).toBe("y");
    disk.heal();
    append(file, "z");
    expect(textAt(disk, "/db/a")).toBe("yz");
  });

  test("ENOSPC is a short write first, then an error", () => {
    const file = durableFile(disk, "/db/a");
    disk.failAt(disk.operations + 1, "ENOSPC");
    expect(file.writeSync(bytes("123456"), 0, 6, 0)).toBe(3);
    expect(() => file.writeSync(bytes("456"), 0, 3, 3)).toThrow(coded("ENOSPC"));
    expect(file.writeSync(bytes("456"), 0, 3, 3)).toBe(3);
    disk.failAt(disk.operations + 1, "ENOSPC");
    expect(() => file.writeSync(bytes("7"), 0, 1, 6)).toThrow(coded("ENOSPC"));
  });

  test("a disk that stays full takes nothing, but syncs and removes", () => {
    const file = durableFile(disk, "/db/a");
    disk.failAt(disk.operations + 1, "ENOSPC-sticky");
    expect(() => writeFullySync(file, bytes("1234"), 0, 4, 0)).toThrow(coded("ENOSPC"));
    expect(() => append(file, "5")).toThrow(coded("ENOSPC"));
    expect(() => disk.openSync("/db/b", "create")).toThrow(coded("ENOSPC"));
    file.syncSync();
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("12");
    disk.removeSync("/db/a");
    disk.heal();
    disk.openSync("/db/b", "create").closeSync();
  });

  test("a short write takes half, and whoever goes on from there loses nothing", async () => {
    const file = durableFile(disk, "/db/a");
    disk.failAt(disk.operations + 1, "short");
    expect(await file.write(bytes("123456"), 0, 6, 0)).toBe(3);
    disk.failAt(disk.operations + 1, "short");
    writeFullySync(file, bytes("123456"), 0, 6, 0);
    expect(textAt(disk, "/db/a")).toBe("123456");
  });

  test("reads fail when told to", async () => {
    const file = durableFile(disk, "/db/a");
    append(file, "x");
    const target = new Uint8Array(1);
    disk.failReadAt(1, "EIO");
    expect(() => file.readSync(target, 0, 1, 0)).toThrow(coded("EIO"));
    expect(file.readSync(target, 0, 1, 0)).toBe(1);
    disk.failReadAt(3, "EIO-sticky");
    await expect(file.read(target, 0, 1, 0)).rejects.toThrow(coded("EIO"));
    await expect(file.read(target, 0, 1, 0)).rejects.toThrow(coded("EIO"));
    disk.heal();
    disk.failReadAt(5, "crash");
    expect(() => file.readSync(target, 0, 1, 0)).toThrow(DiskCrashed);
  });

  test("the quota cuts a write short, counts a linked file once, is freed again", async () => {
    disk.capacityBytes = 10;
    const file = durableFile(disk, "/db/a");
    expect(file.writeSync(bytes("12345678"), 0, 8, 0)).toBe(8);
    expect(await disk.freeBytes("/db")).toBe(2);
    disk.linkSync("/db/a", "/db/b");
    expect(await disk.freeBytes("/db")).toBe(2);
    expect(file.writeSync(bytes("9abc"), 0, 4, 8)).toBe(2);
    expect(() => file.writeSync(bytes("bc"), 0, 2, 10)).toThrow(coded("ENOSPC"));
    expect(file.writeSync(bytes("87654321"), 0, 8, 0)).toBe(8);
    disk.removeSync("/db/a");
    disk.removeSync("/db/b");
    expect(await disk.freeBytes("/db")).toBe(10);
  });
});

describe("time and turns", () => {
  test("asynchronous calls wait for the schedule", async () => {
    const waiting: (() => void)[] = [];
    const held = new MemoryDisk({
      schedule: (run) =>
        new Promise((resolve, reject) => {
          waiting.push(() => {
            try {
              resolve(run());
            } catch (error) {
              reject(error);
            }
          });
        }),
    });
    const file = held.openSync("/a", "create");
    const writing = file.write(bytes("late"), 0, 4, 0);
    expect(textAt(held, "/a")).toBe("");
    waiting.shift()?.();
    expect(await writing).toBe(4);
    expect(textAt(held, "/a")).toBe("late");
  });

  test("slow reads push the clock on, or sleep on it", async () => {
    let time = 0;
    const slept: number[] = [];
    const clock: SteerableClock = {
      now: () => time,
      elapsed: () => time,
      advance: (ms) => {
        time += ms;
      },
      sleep: async (ms) => {
        slept.push(ms);
      },
    };
    const file = durableFile(disk, "/db/a");
    append(file, "x");
    disk.slowReads(7, clock);
    file.readSync(new Uint8Array(1), 0, 1, 0);
    expect(time).toBe(7);
    expect(await file.read(new Uint8Array(1), 0, 1, 0)).toBe(1);
    expect([time, slept]).toEqual([7, [7]]);
    disk.slowReads(0, clock);
    file.readSync(new Uint8Array(1), 0, 1, 0);
    expect(time).toBe(7);
  });

  test("the lock has one holder, is free after release, and dies with the power", async () => {
    const lock = await disk.lock("/db");
    await expect(disk.lock("/db/")).rejects.toThrow(coded("LOCKED"));
    await expect(disk.lock("/db")).rejects.toThrow(`this very process (${process.pid})`);
    await (await disk.crash(nothing).lock("/db")).release();
    await lock.release();
    const next = await disk.lock("/db");
    await lock.release();
    await expect(disk.lock("/db")).rejects.toThrow(coded("LOCKED"));
    await next.release();
    await expect(disk.lock("/none")).rejects.toThrow(coded("DIRECTORY_INVALID"));
  });
});
