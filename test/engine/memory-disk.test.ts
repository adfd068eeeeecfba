/**
 * What a power cut leaves of a `MemoryDisk`. The crash tests of the engine prove no more than
 * this file does.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { append, bytes, durableFile, seeded, textAt } from "./disk-texts.ts";

const nothing = { survival: 0 };
const everything = { survival: 1 };

let disk: MemoryDisk;

beforeEach(() => {
  disk = new MemoryDisk();
  disk.makeDirectorySync("/db");
});

describe("bytes in a crash", () => {
  test("those not synced are lost, those synced are kept", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "kept");
    file.syncSync();
    append(file, "lost");
    file.closeSync();
    expect(textAt(disk, "/db/a")).toBe("keptlost");
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("kept");
    expect(textAt(disk.crash(everything), "/db/a")).toBe("keptlost");
  });

  test("an overwritten durable byte comes back", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "old");
    file.syncSync();
    file.writeSync(bytes("NEW"), 0, 3, 0);
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("old");
    file.syncSync();
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("NEW");
  });

  test("closing makes nothing durable, and neither does syncing another file", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "lost");
    file.closeSync();
    durableFile(disk, "/db/b").syncSync();
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("");
  });

  test("each sector survives by itself, and lost ones before it read as zeros", () => {
    const file = durableFile(disk, "/db/a");
    file.writeSync(new Uint8Array(8 * 512).fill(1), 0, 8 * 512, 0);
    const seen = new Set<string>();
    const random = seeded(1);
    for (let i = 0; i < 2000; i++) {
      const left = disk.crash({ survival: 0.5, random }).bytesOf("/db/a");
      expect(left.length % 512).toBe(0);
      const sectors: number[] = [];
      for (let at = 0; at < left.length; at += 512) {
        const sector = left.subarray(at, at + 512);
        expect(sector.every((byte) => byte === sector[0])).toBe(true);
        sectors.push(sector[0] ?? 9);
      }
      while (sectors.length < 8) sectors.push(0);
      seen.add(sectors.join(""));
    }
    // All 256 patterns are as likely, and 2,000 trials miss one of them about every tenth time.
    expect(seen.size).toBeGreaterThan(250);
  });

  test("writes to one sector survive as a prefix of their order", () => {
    const file = durableFile(disk, "/db/a");
    for (const part of ["one,", "two,", "three,"]) append(file, part);
    const seen = outcomes((left) => textAt(left, "/db/a").replace(/\0+$/, ""));
    expect([...seen].sort()).toEqual(["", "one,", "one,two,", "one,two,three,"]);
  });

  test("the size may have grown although the data was lost", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "data");
    expect(outcomes((left) => textAt(left, "/db/a"))).toContain("\0\0\0\0");
  });

  test("an asynchronous sync covers no write that came after it was asked for", async () => {
    const file = durableFile(disk, "/db/a");
    append(file, "before");
    const syncing = file.sync();
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("");
    append(file, "after");
    await syncing;
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("before");
  });
});

describe("names in a crash", () => {
  test("a new file vanishes without a sync of its directory, synced bytes and all", () => {
    const file = disk.openSync("/db/a", "create");
    append(file, "synced");
    file.syncSync();
    expect(disk.crash(nothing).files()).toEqual([]);
    disk.syncDirectorySync("/db");
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("synced");
  });

  test("a rename is lost without a sync of the directory and kept with it", async () => {
    const file = durableFile(disk, "/db/a");
    disk.renameSync("/db/a", "/db/b");
    expect(disk.files()).toEqual(["/db/b"]);
    expect(disk.crash(nothing).files()).toEqual(["/db/a"]);
    await disk.syncDirectory("/db");
    expect(disk.crash(nothing).files()).toEqual(["/db/b"]);
    file.closeSync();
  });

  test("a rename may survive although the bytes behind it did not", () => {
    const file = disk.openSync("/db/new", "create");
    append(file, "data");
    disk.renameSync("/db/new", "/db/current");
    disk.syncDirectorySync("/db");
    expect(textAt(disk.crash(nothing), "/db/current")).toBe("");
  });

  test("a removed file comes back", () => {
    durableFile(disk, "/db/a").closeSync();
    disk.removeSync("/db/a");
    expect(disk.crash(nothing).files()).toEqual(["/db/a"]);
    disk.syncDirectorySync("/db");
    expect(disk.crash(nothing).files()).toEqual([]);
  });

  test("changes survive one by one, those to one name in their order", () => {
    durableFile(disk, "/db/a").closeSync();
    disk.renameSync("/db/a", "/db/b");
    disk.removeSync("/db/b");
    disk.openSync("/db/c", "create").closeSync();
    const seen = outcomes((left) => left.files().join(" "));
    // c is there or not; a stays unless the rename survived, b only if the removal did not.
    const names = ["", "/db/a", "/db/a /db/c", "/db/b", "/db/b /db/c", "/db/c"];
    expect([...seen].sort()).toEqual(names);
  });

  test("a made directory is durable at once, a removed one once its parent is synced", () => {
    disk.makeDirectorySync("/db/x/y");
    const left = disk.crash(nothing);
    expect(left.existsSync("/db/x/y")).toBe(true);
    left.removeDirectorySync("/db/x/y");
    expect(left.crash(nothing).existsSync("/db/x/y")).toBe(true);
    left.syncDirectorySync("/db/x");
    expect(left.crash(nothing).existsSync("/db/x/y")).toBe(false);
  });

  test("two names of one file are still one file afterwards", () => {
    durableFile(disk, "/db/a").closeSync();
    disk.linkSync("/db/a", "/db/b");
    disk.syncDirectorySync("/db");
    for (const copy of [disk.crash(nothing), disk.clone()]) {
      append(copy.openSync("/db/a", "reuse"), "both");
      expect(textAt(copy, "/db/b")).toBe("both");
    }
    expect(textAt(disk, "/db/b")).toBe("");
  });
});

describe("copies", () => {
  test("a crash leaves the disk as it was, and the two are strangers", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "one");
    file.syncSync();
    const left = disk.crash(nothing);
    append(file, "two");
    append(left.openSync("/db/a", "reuse"), "2");
    expect(textAt(disk, "/db/a")).toBe("onetwo");
    expect(textAt(left, "/db/a")).toBe("one2");
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("one");
  });

  test("a clone has the unsynced state, too", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "unsynced");
    disk.openSync("/db/b", "create").closeSync();
    const twin = disk.clone();
    expect(textAt(twin, "/db/a")).toBe("unsynced");
    expect(twin.crash(nothing).files()).toEqual(["/db/a"]);
    expect(textAt(twin.crash(nothing), "/db/a")).toBe("");
    twin.openSync("/db/a", "reuse").syncSync();
    expect(textAt(twin.crash(nothing), "/db/a")).toBe("unsynced");
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("");
  });

  test("bytes can be looked at and replaced, for open files too", () => {
    const file = durableFile(disk, "/db/a");
    append(file, "sound");
    const rotten = disk.bytesOf("/db/a");
    rotten[0] = 0x42;
    expect(textAt(disk, "/db/a")).toBe("sound");
    disk.replace("/db/a", rotten);
    const seen = new Uint8Array(5);
    file.readSync(seen, 0, 5, 0);
    expect(new TextDecoder().decode(seen)).toBe("Bound");
    disk.replace("/db/b", bytes("new"));
    expect(textAt(disk.crash(nothing), "/db/a")).toBe("Bound");
    expect(textAt(disk.crash(nothing), "/db/b")).toBe("new");
  });

  test("thousands of crash states come in a second", () => {
    const file = durableFile(disk, "/db/log");
    append(file, "x".repeat(200_000));
    file.syncSync();
    for (let i = 0; i < 400; i++) append(file, "y".repeat(250));
    const random = seeded(2);
    // Of the processor, which others may have for as long as they like.
    const from = process.cpuUsage();
    for (let i = 0; i < 300; i++) disk.crash({ survival: 0.5, random });
    const { user, system } = process.cpuUsage(from);
    // About 0.1 ms each; the bound only catches work that grows squared.
    expect((user + system) / 1000 / 300).toBeLessThan(5);
  });
});

/** What is seen after many crashes of the disk at this moment. */
function outcomes<T>(look: (left: MemoryDisk) => T): Set<T> {
  const random = seeded(3);
  const seen = new Set<T>();
  for (let i = 0; i < 300; i++) seen.add(look(disk.crash({ survival: 0.5, random })));
  return seen;
}
