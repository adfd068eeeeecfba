/**
 * Tables: what goes in comes out, by lookup and by check, whatever the bytes; and no damage passes.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { isEngineError } from "../../native-free-engine/errors.ts";
import { BlockCache } from "../../native-free-engine/table/block-cache.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import { footerBytes, writeFooter } from "../../native-free-engine/table/format.ts";
import {
  absent,
  emptyFound,
  needsDisk,
  present,
  Table,
} from "../../native-free-engine/table/table.ts";
import { describeTable } from "../../native-free-engine/table/tail.ts";
import { TableWriter } from "../../native-free-engine/table/writer.ts";
import {
  build,
  type Entry,
  entry,
  everything,
  newDisk,
  number,
  open,
  optionsFor,
  path,
  randomBytes,
  randomEntries,
  seeded,
  shape,
  text,
} from "./table-fixture.ts";

beforeAll(async () => {
  await loadHash();
  await loadFilterPackage();
});

function lookup(table: Table, key: Uint8Array, sequence = everything) {
  const found = emptyFound();
  const hash = hash32(key, 0, key.length, shape.hashSeed);
  const answer = table.find(key, 0, key.length, hash, sequence, found, true);
  if (answer === absent) return undefined;
  expect(answer).toBe(present);
  const value = found.bytes.slice(found.at, found.at + found.length);
  const { kind, sequence: own, expiry } = found;
  return { key, value, kind, sequence: own, expiry };
}

describe("a lookup", () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const compression = seed % 2 === 0 ? "deflate" : "none";
    test(`finds every version at its sequence and nothing else (seed ${seed})`, () => {
      const random = seeded(seed);
      const disk = newDisk();
      const prefix = seed % 3 === 0 ? "a shared beginning/" : "";
      const entries = randomEntries(random, { count: 200, versions: seed > 2, prefix });
      const built = build(disk, entries, { compression, blockBytes: 256 << random(5) });
      const table = open(disk, built, random(3) === 0 ? 0 : 1 << 20);
      const newest = new Map<string, Entry>();
      for (const one of entries.toReversed()) newest.set(Buffer.from(one.key).toString("hex"), one);
      for (const wanted of entries) {
        expect(lookup(table, wanted.key, wanted.sequence)).toEqual(wanted);
        expect(table.mayContain(hash32(wanted.key, 0, wanted.key.length, shape.hashSeed))).toBe(
          true,
        );
        const other = new Uint8Array([...wanted.key, random(256)]);
        expect(lookup(table, other)).toEqual(newest.get(Buffer.from(other).toString("hex")));
      }
      expect(table.verify()).toEqual({ entries: entries.length });
      table.release();
    });
  }

  test("does not see versions above its sequence", () => {
    const disk = newDisk();
    const versions = [30, 20, 10].map((sequence) => ({ ...entry("k", `v${sequence}`), sequence }));
    const table = open(disk, build(disk, [entry("a"), ...versions, entry("z")]));
    expect(lookup(table, text("k"))?.sequence).toBe(30);
    expect(lookup(table, text("k"), 29)?.sequence).toBe(20);
    expect(lookup(table, text("k"), 10)?.sequence).toBe(10);
    expect(lookup(table, text("k"), 9)).toBe(undefined);
    table.release();
  });

  test("compares all of the key, even where hash and suffix are those of another", () => {
    const disk = newDisk();
    const table = open(disk, build(disk, [entry("same/a"), entry("same/b"), entry("same/c")]));
    const found = emptyFound();
    const hash = hash32(text("same/b"), 0, 6, shape.hashSeed);
    for (const [key, answer] of [
      ["same/b", present],
      ["samf/b", absent],
      ["same/d", absent],
      ["same/bb", absent],
    ] as const) {
      const bytes = text(key);
      const got = table.find(bytes, 0, bytes.length, hash, everything, found, true);
      expect(got, key).toBe(answer);
    }
    table.release();
  });

  test("answers needsDisk instead of reading, and the slow form reads", async () => {
    const disk = newDisk();
    const table = open(disk, build(disk, [entry("a", "1"), entry("b", "2")]));
    const key = text("b");
    const hash = hash32(key, 0, 1, shape.hashSeed);
    const found = emptyFound();
    expect(table.find(key, 0, 1, hash, everything, found, false)).toBe(needsDisk);
    expect(await table.findSlow(key, 0, 1, hash, everything, found)).toBe(present);
    expect(Buffer.from(found.bytes.slice(found.at, found.at + found.length)).toString()).toBe("2");
    expect(table.find(key, 0, 1, hash, everything, found, false)).toBe(present);
    expect(await table.findSlow(key, 0, 1, hash, everything, found)).toBe(present);
    table.release();
  });
});

describe("sizes", () => {
  test("keys from 0 B to 64 KiB and values from 0 B to 1 MiB come back", () => {
    const random = seeded(11);
    const disk = newDisk();
    const long = randomBytes(random, 64 << 10);
    const sibling = long.slice();
    sibling[sibling.length - 1] = (long[long.length - 1] ?? 0) ^ 1;
    const entries = [
      entry("", ""),
      entry("a", randomBytes(random, 1 << 20)),
      entry("a\0", randomBytes(random, 65535)),
      entry("a\0\0", randomBytes(random, 127)),
      entry("a\0\0\0", randomBytes(random, 128)),
      entry(long, randomBytes(random, 16383)),
      entry(sibling, randomBytes(random, 16384)),
      entry(new Uint8Array([255, 255]), ""),
    ].sort((x, y) => compare(x.key, y.key));
    for (const compression of ["none", "deflate"] as const) {
      const fresh = newDisk();
      const table = open(fresh, build(fresh, entries, { compression, blockBytes: 4096 }));
      for (const wanted of entries) {
        const value = lookup(table, wanted.key)?.value ?? text("absent");
        expect(compare(value, wanted.value)).toBe(0);
      }
      expect(table.verify()).toEqual({ entries: entries.length });
      table.release();
    }
    expect(disk.files()).toEqual([]);
  });

  test("70,000 versions of one long key stay in one block", () => {
    const disk = newDisk();
    const entries: Entry[] = [];
    for (let i = 70_000; i > 0; i--) entries.push({ ...entry("k".repeat(20)), sequence: i });
    const table = open(disk, build(disk, entries));
    expect(lookup(table, text("k".repeat(20)), 3)?.sequence).toBe(3);
    expect(table.verify()).toEqual({ entries: 70_000 });
    table.release();
  });

  test("a stored block stays within blockBytes unless one key needs more", () => {
    const disk = newDisk();
    const random = seeded(5);
    const entries: Entry[] = [];
    for (let i = 0; i < 3000; i++) {
      entries.push(entry(String(i).padStart(8, "0"), randomBytes(random, random(120))));
    }
    const built = build(disk, entries, { blockBytes: 4096 });
    const file = disk.bytesOf(path);
    const word = (at: number) => Buffer.from(file).readUInt32LE(at);
    let blocks = 0;
    for (let at = built.tailAt; word(at) < built.tailAt; at += 4, blocks++) {
      expect(word(at + 4) - word(at)).toBeLessThanOrEqual(4096);
    }
    expect(built.tailAt / blocks).toBeGreaterThan(3800);
  });
});

describe("a table that was just built", () => {
  test("is adopted without a read, and is the same as one opened", () => {
    const disk = newDisk();
    const entries = randomEntries(seeded(3), { count: 200, versions: true });
    const built = build(disk, entries);
    disk.failReadAt(disk.reads + 1, "EIO");
    const table = Table.adopt({ ...optionsFor(disk, built), built });
    disk.heal();
    for (const wanted of entries)
      expect(lookup(table, wanted.key, wanted.sequence)).toEqual(wanted);
    const described = describeTable({ disk, path, number });
    const { tail, tailAt, ...meta } = built;
    expect(described.meta).toEqual(meta);
    expect(tail.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(tail).toEqual(disk.bytesOf(path).slice(tailAt));
    table.release();
  });

  test("has bytes close to what its writer estimated", () => {
    const disk = newDisk();
    const writer = new TableWriter({ disk, path, number, shape: { ...shape, blockBytes: 4096 } });
    const value = new Uint8Array(100);
    for (let i = 0; i < 5000; i++) {
      const key = text(String(i).padStart(16, "0"));
      writer.addParts(key, 0, 16, value, 0, 100, 1, 0, 0);
    }
    const estimate = writer.bytes;
    const built = writer.finish({ min: 1, max: 1 });
    expect(Math.abs(built.bytes - estimate) / built.bytes).toBeLessThan(0.02);
    expect(writer.entries).toBe(5000);
  });

  test("leaves no file behind when it is abandoned", () => {
    const disk = newDisk();
    const writer = new TableWriter({ disk, path, number, shape });
    writer.addParts(text("k"), 0, 1, text("v"), 0, 1, 1, 0, 0);
    writer.abandon();
    writer.abandon();
    expect(disk.files()).toEqual([]);
  });

  test("refuses keys out of order", () => {
    const disk = newDisk();
    expect(() => build(disk, [entry("b"), entry("a")])).toThrow("keys of a table ascend");
    disk.removeSync(path);
    expect(() => build(disk, [entry("a"), entry("a")])).toThrow("versions of a key descend");
  });
});

describe("damage", () => {
  for (const compression of ["none", "deflate"] as const) {
    test(`of any single byte is noticed (${compression})`, () => {
      const disk = newDisk();
      const entries = randomEntries(seeded(9), { count: 14, versions: true });
      const built = build(disk, entries, { compression, blockBytes: 300 });
      const good = disk.bytesOf(path).slice();
      for (let at = 0; at < good.length; at++) {
        const bad = good.slice();
        bad[at] = (bad[at] ?? 0) ^ (1 << (at % 8));
        disk.replace(path, bad);
        expectCorruption(() => readAll(disk, built), `byte ${at}`);
      }
    });
  }

  test("by truncation to any length is noticed", () => {
    const disk = newDisk();
    const built = build(disk, randomEntries(seeded(9), { count: 14, versions: true }));
    const good = disk.bytesOf(path).slice();
    for (let length = 0; length < good.length; length++) {
      disk.replace(path, good.slice(0, length));
      expectCorruption(() => readAll(disk, built), `length ${length}`);
    }
  });

  test("names the file and the offset of the block", () => {
    const disk = newDisk();
    const entries = randomEntries(seeded(4), { count: 100, versions: false });
    const built = build(disk, entries);
    const bad = disk.bytesOf(path).slice();
    bad[20] = (bad[20] ?? 0) ^ 1;
    disk.replace(path, bad);
    const table = open(disk, built);
    const first = entries[0]?.key ?? text("");
    expect(() => lookup(table, first)).toThrow(
      "000007.sst at byte 0: block checksum does not match",
    );
    // Blocks that are whole still answer.
    const last = entries[entries.length - 1];
    expect(last && lookup(table, last.key)).toEqual(last);
    table.release();
  });

  test("that moves a table to another name or another database is noticed", () => {
    const disk = newDisk();
    const built = build(disk, [entry("a")]);
    const options = optionsFor(disk, built);
    disk.renameSync(path, "/db/000008.sst");
    const moved = { ...options, path: "/db/000008.sst", meta: { ...built, number: 8 } };
    expectCorruption(() => Table.open(moved), "another number");
    expectCorruption(() => Table.open(options), "missing");
    disk.renameSync("/db/000008.sst", path);
    expectCorruption(() => Table.open({ ...options, hashSeed: 1 }), "another seed");
    const other = { ...options, meta: { ...built, entries: 2 } };
    expectCorruption(() => Table.open(other), "another table");
  });

  test("is told from a format that is too new", () => {
    const disk = newDisk();
    const built = build(disk, [entry("a")]);
    const file = disk.bytesOf(path).slice();
    const at = file.length - footerBytes;
    // A footer as version 2 would write it: the same frame, another version, its own checksum.
    const section = { at: 0, bytes: 0, checksum: 0 };
    const footer = { number, hashSeed: 1, blocks: 1, index: section, filter: section };
    writeFooter(file, at, { ...footer, properties: section }, at, 2);
    disk.replace(path, file);
    expect(() => open(disk, built)).toThrow(expect.objectContaining({ code: "FORMAT_TOO_NEW" }));
  });

  test("below, as an error of the disk, is IO with the cause kept", async () => {
    const disk = newDisk();
    const table = open(disk, build(disk, [entry("a", "1")]));
    const hash = hash32(text("a"), 0, 1, shape.hashSeed);
    disk.failReadAt(disk.reads + 1, "EIO");
    const code = { code: "IO", cause: expect.objectContaining({ code: "EIO" }) };
    expect(() => lookup(table, text("a"))).toThrow(expect.objectContaining(code));
    disk.failReadAt(disk.reads + 1, "EIO");
    const slow = table.findSlow(text("a"), 0, 1, hash, everything, emptyFound());
    await expect(slow).rejects.toMatchObject({ code: "IO" });
    table.release();
  });
});

test("an obsolete table is removed when its last user lets go", () => {
  const disk = newDisk();
  const table = open(disk, build(disk, [entry("a")]));
  const cursor = table.cursor({ skip: 0, mayRead: () => true });
  table.markObsolete((file) => disk.removeSync(file));
  table.release();
  cursor.first();
  expect(cursor.state).toBe(1);
  expect(disk.files()).toEqual([path]);
  cursor.close();
  cursor.close();
  expect(disk.files()).toEqual([]);
});

test("offsets grow with keys, up to the size of the data", () => {
  const disk = newDisk();
  const entries = randomEntries(seeded(8), { count: 300, versions: false });
  const built = build(disk, entries);
  const table = open(disk, built);
  let last = 0;
  for (const { key } of entries) {
    const offset = table.offsetOf(key, 0, key.length);
    expect(offset).toBeGreaterThanOrEqual(last);
    last = offset;
  }
  expect(last).toBeGreaterThan(0.9 * built.tailAt - 3000);
  expect(last).toBeLessThan(built.tailAt);
  table.release();
});

function readAll(disk: ReturnType<typeof newDisk>, built: ReturnType<typeof build>): void {
  const options = { ...optionsFor(disk, built), cache: new BlockCache(0) };
  const table = Table.open(options);
  try {
    table.verify();
  } finally {
    table.release();
  }
}

function expectCorruption(run: () => void, what: string): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  expect(isEngineError(thrown, "CORRUPTION"), `${what}: ${String(thrown)}`).toBe(true);
}
