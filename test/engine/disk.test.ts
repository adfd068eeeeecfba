/**
 * The Disk port's contract as far as it shows without a crash, run against both disks.
 */
import fs from "node:fs";
import os from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  type Disk,
  type DiskFile,
  readFullySync,
  writeFullySync,
} from "../../native-free-engine/disk/disk.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { nodeDisk } from "../../native-free-engine/disk/node-disk.ts";
import { systemClock } from "../../native-free-engine/system-clock.ts";
import { bytes, coded, text } from "./disk-texts.ts";

let scratch = "";
let made = 0;

beforeAll(() => {
  scratch = fs.mkdtempSync(join(os.tmpdir(), "everwrite-disk-"));
});

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

const disks = [
  { name: "node disk", make: nodeDisk, root: () => join(scratch, `${made++}`) },
  { name: "memory disk", make: () => new MemoryDisk(), root: () => "/db" },
];

for (const { name, make, root } of disks) {
  describe(name, () => {
    let disk: Disk;
    let directory: string;
    const path = (file: string): string => join(directory, file);

    beforeEach(() => {
      disk = make();
      directory = root();
      disk.makeDirectorySync(directory);
    });

    function write(file: string, content: string): void {
      const handle = disk.openSync(path(file), "create");
      writeFullySync(handle, bytes(content), 0, content.length, 0);
      handle.closeSync();
    }

    function read(file: string): string {
      const handle = disk.openSync(path(file), "read");
      const content = textOf(handle);
      handle.closeSync();
      return content;
    }

    test("a write is visible to every handle at once", () => {
      const writer = disk.openSync(path("a"), "create");
      const reader = disk.openSync(path("a"), "read");
      expect(writer.writeSync(bytes("-hello-"), 1, 5, 0)).toBe(5);
      expect(textOf(reader)).toBe("hello");
      writer.writeSync(bytes("J"), 0, 1, 0);
      expect(textOf(reader)).toBe("Jello");
      expect(reader.bytesSync()).toBe(5);
      writer.closeSync();
      reader.closeSync();
    });

    test("a read is short only at the end, and lands where it was told to", async () => {
      write("a", "0123456789");
      const file = disk.openSync(path("a"), "read");
      for (const isAsync of [false, true]) {
        const target = bytes("..........");
        const run = (at: number, length: number, position: number) =>
          isAsync
            ? file.read(target, at, length, position)
            : file.readSync(target, at, length, position);
        expect(await run(2, 3, 4)).toBe(3);
        expect(text(target)).toBe("..456.....");
        expect(await run(0, 5, 8)).toBe(2);
        expect(text(target)).toBe("89456.....");
        expect(await run(0, 5, 10)).toBe(0);
        expect(await run(0, 5, 99)).toBe(0);
      }
      file.closeSync();
    });

    test("asynchronous writes and syncs do what the synchronous ones do", async () => {
      const file = disk.openSync(path("a"), "create");
      expect(await file.write(bytes("xxabcxx"), 2, 3, 0)).toBe(3);
      await file.sync();
      file.writeSync(bytes("d"), 0, 1, 3);
      file.syncSync();
      expect(textOf(file)).toBe("abcd");
      file.closeSync();
    });

    test("a write beyond the end leaves zeros before it", () => {
      const file = disk.openSync(path("a"), "create");
      file.writeSync(bytes("z"), 0, 1, 1000);
      expect(file.bytesSync()).toBe(1001);
      const target = new Uint8Array(1001).fill(7);
      expect(readFullySync(file, target, 0, 1001, 0)).toBe(1001);
      expect(target.subarray(0, 1000).every((byte) => byte === 0)).toBe(true);
      file.closeSync();
    });

    test("shared memory goes to disk and back", async () => {
      const shared = new Uint8Array(new SharedArrayBuffer(16)).fill(65);
      const back = new Uint8Array(new SharedArrayBuffer(16));
      const file = disk.openSync(path("a"), "create");
      file.writeSync(shared, 4, 4, 0);
      await file.write(shared, 4, 4, 4);
      expect(file.readSync(back, 0, 6, 0)).toBe(6);
      expect(await file.read(back, 6, 2, 6)).toBe(2);
      expect(text(back.slice(0, 8))).toBe("AAAAAAAA");
      expect(back[8]).toBe(0);
      file.closeSync();
    });

    test("create refuses a name that exists; reuse and read want one", () => {
      write("a", "old");
      expect(() => disk.openSync(path("a"), "create")).toThrow(coded("EEXIST"));
      expect(() => disk.openSync(path("b"), "reuse")).toThrow(coded("ENOENT"));
      expect(() => disk.openSync(path("b"), "read")).toThrow(coded("ENOENT"));
      expect(() => disk.openSync(path("no/b"), "create")).toThrow(coded("ENOENT"));
      const file = disk.openSync(path("a"), "reuse");
      file.writeSync(bytes("b"), 0, 1, 1);
      file.closeSync();
      expect(read("a")).toBe("obd");
    });

    test("a file opened to read cannot be written", () => {
      write("a", "old");
      const file = disk.openSync(path("a"), "read");
      expect(() => file.writeSync(bytes("x"), 0, 1, 0)).toThrow(coded("EBADF"));
      file.closeSync();
    });

    test("a closed file refuses every call, and closing again is fine", async () => {
      const file = disk.openSync(path("a"), "create");
      file.closeSync();
      file.closeSync();
      const target = new Uint8Array(4);
      expect(() => file.readSync(target, 0, 4, 0)).toThrow(coded("EBADF"));
      expect(() => file.writeSync(target, 0, 4, 0)).toThrow(coded("EBADF"));
      expect(() => file.syncSync()).toThrow(coded("EBADF"));
      expect(() => file.bytesSync()).toThrow(coded("EBADF"));
      await expect(file.read(target, 0, 4, 0)).rejects.toThrow(coded("EBADF"));
      await expect(file.write(target, 0, 4, 0)).rejects.toThrow(coded("EBADF"));
      await expect(file.sync()).rejects.toThrow(coded("EBADF"));
    });

    test("calls under way when a file is closed finish, on that file", async () => {
      write("other", "....");
      const file = disk.openSync(path("a"), "create");
      const writing = file.write(bytes("mine"), 0, 4, 0);
      const syncing = file.sync();
      file.closeSync();
      // A closed descriptor's number goes to the next open, which must not get those bytes.
      const other = disk.openSync(path("other"), "reuse");
      expect(await writing).toBe(4);
      await syncing;
      expect(textOf(other)).toBe("....");
      expect(read("a")).toBe("mine");
      other.closeSync();
    });

    test("a range outside the array is refused and damages nothing", async () => {
      const file = disk.openSync(path("a"), "create");
      const small = new Uint8Array(4);
      expect(() => file.writeSync(small, 2, 3, 0)).toThrow(RangeError);
      expect(() => file.readSync(small, 2, 3, 0)).toThrow(RangeError);
      await expect(file.write(small, 2, 3, 0)).rejects.toThrow(RangeError);
      await expect(file.read(small, 2, 3, 0)).rejects.toThrow(RangeError);
      expect(file.bytesSync()).toBe(0);
      file.closeSync();
    });

    test("a list is sorted and leaves directories out", () => {
      for (const file of ["b", "000010.log", "a", "000009.log"]) write(file, "");
      disk.makeDirectorySync(path("sub"));
      expect(disk.listSync(directory)).toEqual(["000009.log", "000010.log", "a", "b"]);
      expect(() => disk.listSync(path("none"))).toThrow(coded("ENOENT"));
    });

    test("directories are made with their parents, and again without complaint", () => {
      disk.makeDirectorySync(path("x/y/z"));
      disk.makeDirectorySync(path("x/y/z"));
      expect(disk.existsSync(path("x/y/z"))).toBe(true);
      write("x/y/z/file", "deep");
      expect(read("x/y/z/file")).toBe("deep");
      expect(() => disk.makeDirectorySync(path("x/y/z/file/more"))).toThrow(coded("ENOTDIR"));
    });

    test("a rename replaces its target and keeps open handles on their bytes", () => {
      write("a", "new");
      write("b", "old");
      const old = disk.openSync(path("b"), "read");
      disk.renameSync(path("a"), path("b"));
      expect(read("b")).toBe("new");
      expect(disk.existsSync(path("a"))).toBe(false);
      expect(textOf(old)).toBe("old");
      old.closeSync();
      expect(() => disk.renameSync(path("a"), path("c"))).toThrow(coded("ENOENT"));
    });

    test("a link is a second name for the same bytes, and outlives the first", () => {
      write("a", "same");
      disk.linkSync(path("a"), path("b"));
      const file = disk.openSync(path("a"), "reuse");
      file.writeSync(bytes("S"), 0, 1, 0);
      file.closeSync();
      expect(read("b")).toBe("Same");
      disk.removeSync(path("a"));
      expect(read("b")).toBe("Same");
      expect(() => disk.linkSync(path("a"), path("c"))).toThrow(coded("ENOENT"));
      write("c", "");
      expect(() => disk.linkSync(path("b"), path("c"))).toThrow(coded("EEXIST"));
    });

    test("removing a file spares those who have it open", async () => {
      write("a", "kept");
      write("b", "gone");
      const file = disk.openSync(path("a"), "read");
      disk.removeSync(path("a"));
      await disk.remove(path("b"));
      expect(disk.listSync(directory)).toEqual([]);
      expect(textOf(file)).toBe("kept");
      file.closeSync();
      expect(() => disk.removeSync(path("a"))).toThrow(coded("ENOENT"));
      await expect(disk.remove(path("b"))).rejects.toThrow(coded("ENOENT"));
    });

    test("only an empty directory can be removed", () => {
      disk.makeDirectorySync(path("sub"));
      write("sub/a", "");
      expect(() => disk.removeDirectorySync(path("sub"))).toThrow(coded("ENOTEMPTY"));
      disk.removeSync(path("sub/a"));
      disk.removeDirectorySync(path("sub"));
      expect(disk.existsSync(path("sub"))).toBe(false);
      expect(() => disk.removeDirectorySync(path("sub"))).toThrow(coded("ENOENT"));
    });

    test("directories can be synced, and missing ones cannot", async () => {
      write("a", "x");
      disk.syncDirectorySync(directory);
      await disk.syncDirectory(directory);
      expect(() => disk.syncDirectorySync(path("none"))).toThrow(coded("ENOENT"));
      await expect(disk.syncDirectory(path("none"))).rejects.toThrow(coded("ENOENT"));
    });

    test("free space is a positive number of bytes", async () => {
      const free = await disk.freeBytes(directory);
      expect(free).toBeGreaterThan(1 << 20);
      expect(Number.isFinite(free)).toBe(true);
      await expect(disk.freeBytes(path("none"))).rejects.toThrow(coded("ENOENT"));
    });
  });
}

test("the system clock goes forward, and sleeps at least as long as asked", async () => {
  const order: string[] = [];
  const from = systemClock.elapsed();
  const slept = systemClock.sleep(5).then(() => order.push("5 ms"));
  const turned = systemClock.sleep(0).then(() => order.push("turn"));
  await Promise.resolve().then(() => order.push("microtask"));
  await turned;
  await slept;
  expect(systemClock.elapsed() - from).toBeGreaterThanOrEqual(5);
  expect(order).toEqual(["microtask", "turn", "5 ms"]);
  expect(systemClock.now()).toBeGreaterThan(Date.UTC(2020));
});

function textOf(file: DiskFile): string {
  const content = new Uint8Array(file.bytesSync());
  expect(readFullySync(file, content, 0, content.length, 0)).toBe(content.length);
  return text(content);
}
