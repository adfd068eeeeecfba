/**
 * A cursor over a table against a sorted array: every move, from everywhere, whatever is in
 * memory. The model is the definition: key ascending by bytes, then newest first.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { compare, headOf } from "../../native-free-engine/base/bytes.ts";
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { atEnd, atEntry, blocked, type Cursor } from "../../native-free-engine/cursor.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import { emptyFound } from "../../native-free-engine/table/table.ts";
import {
  build,
  type Entry,
  entry,
  everything,
  newDisk,
  open,
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

/** What the cursor shows, or undefined at the end. */
function shown(cursor: Cursor): Entry | undefined {
  if (cursor.state === atEnd) return undefined;
  expect(cursor.state).toBe(atEntry);
  const { bytes, kind, sequence, expiry } = cursor;
  const prefix = bytes.slice(cursor.prefixAt, cursor.prefixAt + cursor.prefixLength);
  const suffix = bytes.slice(cursor.suffixAt, cursor.suffixAt + cursor.suffixLength);
  const value = bytes.slice(cursor.valueAt, cursor.valueAt + cursor.valueLength);
  return { key: new Uint8Array([...prefix, ...suffix]), value, kind, sequence, expiry };
}

describe("random moves agree with a sorted array", () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`seed ${seed}`, async () => {
      const random = seeded(seed);
      const prefix = ["", "abc", "a long common beginning "][seed % 3] ?? "";
      const entries = randomEntries(random, { count: 150, versions: seed % 2 === 0, prefix });
      const disk = newDisk();
      const compression = seed % 4 === 0 ? "deflate" : "none";
      const built = build(disk, entries, { compression, blockBytes: 200 + 100 * random(10) });
      const table = open(disk, built, [0, 3000, 1 << 20][random(3)]);
      // Some seeds never may block, some always may, and some change their mind.
      const mood = random(3);
      const skip = random(prefix.length + 1);
      const cursor = table.cursor({
        skip,
        mayRead: () => mood === 0 || (mood === 1 && random(2) > 0),
      });
      expect(cursor.stable).toBe(true);
      let at = -1;
      for (let step = 0; step < 600; step++) {
        at = move(cursor, entries, at, random);
        while ((cursor.state as number) === blocked) await cursor.load();
        const wanted = entries[at];
        expect(shown(cursor)).toEqual(wanted);
        if (wanted === undefined) at = -1;
        else expect(cursor.head).toBe(headOf(wanted.key, skip, wanted.key.length - skip));
      }
      cursor.close();
      table.release();
    });
  }
});

/** Moves the cursor; returns where in the array it should be, out of bounds for the end. */
function move(
  cursor: Cursor,
  entries: readonly Entry[],
  at: number,
  random: (below: number) => number,
): number {
  const near = entries[random(entries.length)]?.key ?? text("");
  const shorter = near.slice(0, random(near.length + 1));
  const key = random(3) === 0 ? randomBytes(random, random(9)) : random(2) === 0 ? near : shorter;
  const padded = new Uint8Array([9, ...key, 9]);
  switch (random(12)) {
    case 0:
      cursor.first();
      return 0;
    case 1:
      cursor.last();
      return entries.length - 1;
    case 2: {
      cursor.seek(padded, 1, key.length);
      padded.fill(0);
      const found = entries.findIndex((one) => compare(one.key, key) >= 0);
      return found === -1 ? entries.length : found;
    }
    case 3: {
      cursor.seekBelow(padded, 1, key.length, true);
      padded.fill(0);
      return entries.findLastIndex((one) => compare(one.key, key) <= 0);
    }
    case 4: {
      cursor.seekBelow(padded, 1, key.length, false);
      padded.fill(0);
      return entries.findLastIndex((one) => compare(one.key, key) < 0);
    }
    case 5:
    case 6:
    case 7:
      cursor.previous();
      return at === -1 ? -1 : at - 1;
    default:
      cursor.next();
      return at === -1 ? -1 : at + 1;
  }
}

function manyEntries(count: number): Entry[] {
  const value = new Uint8Array(100);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) entries.push(entry(String(i).padStart(10, "0"), value));
  return entries;
}

describe("reading ahead", () => {
  test("takes few reads for a long scan, in both directions", () => {
    const disk = newDisk();
    const entries = manyEntries(8000);
    const built = build(disk, entries, { blockBytes: 4096 });
    const table = open(disk, built, 0);
    for (const forward of [true, false]) {
      const before = disk.reads;
      const cursor = table.cursor({ skip: 0, mayRead: () => true });
      let seen = 0;
      if (forward) for (cursor.first(); cursor.state === atEntry; cursor.next()) seen++;
      else for (cursor.last(); cursor.state === atEntry; cursor.previous()) seen++;
      cursor.close();
      expect(seen).toBe(8000);
      // 220 blocks of 4 KiB: 1, 2, 4, 8, 16, then about 31 a read.
      expect(disk.reads - before).toBeLessThan(15);
    }
    table.release();
  });

  test("leaves the cache to lookups", () => {
    const disk = newDisk();
    const built = build(disk, manyEntries(8000), { blockBytes: 4096 });
    const table = open(disk, built, 16 << 10);
    const cursor = table.cursor({ skip: 0, mayRead: () => true });
    const key = text("0000000000");
    const hash = hash32(key, 0, key.length, shape.hashSeed);
    const find = (mayRead: boolean) =>
      table.find(key, 0, key.length, hash, everything, emptyFound(), mayRead);
    expect(find(true)).toBe(1);
    for (cursor.first(); cursor.state === atEntry; cursor.next());
    cursor.close();
    expect(find(false)).toBe(1);
    table.release();
  });

  test("shows values that stay when the cursor and the cache have moved on", () => {
    const disk = newDisk();
    const entries = randomEntries(seeded(21), { count: 400, versions: false });
    const table = open(disk, build(disk, entries), 1 << 12);
    const views: Uint8Array[] = [];
    for (let round = 0; round < 2; round++) {
      const cursor = table.cursor({ skip: 0, mayRead: () => true });
      for (cursor.first(); cursor.state === atEntry; cursor.next()) {
        const at = cursor.valueAt;
        views.push(cursor.bytes.subarray(at, at + cursor.valueLength));
      }
      cursor.close();
    }
    views.forEach((view, i) => {
      expect(compare(view, entries[i % entries.length]?.value ?? text("none"))).toBe(0);
    });
    table.release();
  });
});

test("a cursor closed while it loads lets the file go afterwards", async () => {
  const disk = newDisk();
  const table = open(disk, build(disk, [entry("a"), entry("b")]));
  const cursor = table.cursor({ skip: 0, mayRead: () => false });
  cursor.first();
  expect(cursor.state).toBe(blocked);
  const loading = cursor.load();
  let closed = false;
  table.markObsolete(() => {
    closed = true;
  });
  cursor.close();
  table.release();
  expect(closed).toBe(false);
  await loading;
  expect(cursor.state).toBe(atEnd);
  expect(closed).toBe(true);
});

test("a damaged block is an error that names its place, and the blocks before it are shown", () => {
  const disk = newDisk();
  const entries = manyEntries(100);
  const built = build(disk, entries, { blockBytes: 1024 });
  const file = disk.bytesOf(`/db/000007.sst`).slice();
  const middle = Math.floor(built.tailAt / 2);
  file[middle] = (file[middle] ?? 0) ^ 4;
  disk.replace("/db/000007.sst", file);
  const table = open(disk, built, 0);
  const cursor = table.cursor({ skip: 0, mayRead: () => true });
  let seen = 0;
  const scan = () => {
    for (cursor.first(); cursor.state === atEntry; cursor.next()) seen++;
  };
  expect(scan).toThrow(/000007\.sst at byte \d+: block checksum does not match/);
  expect(seen).toBeGreaterThan(20);
  cursor.close();
  table.release();
});
