/**
 * Flush and compaction as functions of a disk: what every reader sees is the same before and after,
 * and outputs are cut between keys. What happens when they fail: job-faults.test.ts.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { loadHash } from "../../native-free-engine/base/hash.ts";
import { flush } from "../../native-free-engine/compaction/flush.ts";
import type { KeyRange, SnapshotMark } from "../../native-free-engine/compaction/job.ts";
import {
  atEntry,
  kindExpiring,
  kindTombstone,
  kindValue,
} from "../../native-free-engine/cursor.ts";
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { RunCursor } from "../../native-free-engine/run-cursor.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import type { TableMeta } from "../../native-free-engine/table/meta.ts";
import type { Table } from "../../native-free-engine/table/table.ts";
import { BackwardWalk, ForwardWalk } from "../../native-free-engine/walk.ts";
import { pick, randomBytes, randomFrom, seed } from "../support/random.ts";
import { keyAt, valueAt } from "./array-cursor.ts";
import {
  compactionJob,
  del,
  entriesOf,
  filled,
  flushJob,
  newDisk,
  type Operation,
  openTable,
  put,
  run,
} from "./job-fixture.ts";
import { type Entry, everything, text } from "./table-fixture.ts";

beforeAll(async () => {
  await loadHash();
  await loadFilterPackage();
});

/** What a reader is shown by runs of tables, forward; checked to be the same backward. */
function shownTo(
  viewer: SnapshotMark,
  disk: MemoryDisk,
  runs: readonly (readonly TableMeta[])[],
): string[] {
  const opened: Table[] = [];
  const openOne = (meta: TableMeta): Table => {
    opened.push(openTable(disk, meta));
    return opened.at(-1)!;
  };
  const cursors = runs.map((tables) => {
    const run = tables.map((meta) => {
      const table = () => openOne(meta);
      return { meta, isOpen: true, table, tableSlowly: async () => table() };
    });
    return new RunCursor(run, { skip: 0, mayRead: () => true });
  });
  const read = (walk: ForwardWalk | BackwardWalk): string[] => {
    const shown: string[] = [];
    for (walk.start(); walk.state === atEntry; walk.next()) {
      const key = Buffer.from(keyAt(walk.current)).toString("hex");
      shown.push(`${key}=${Buffer.from(valueAt(walk.current)).toString()}`);
    }
    return shown;
  };
  const forward = cursors.length === 0 ? [] : read(new ForwardWalk(cursors, viewer));
  const backward = cursors.length === 0 ? [] : read(new BackwardWalk(cursors, viewer));
  for (const cursor of cursors) cursor.close();
  for (const table of opened) table.release();
  expect(backward.reverse()).toEqual(forward);
  return forward;
}

function summary(entries: readonly Entry[]): string[] {
  return entries.map(({ key, value, kind }) => {
    const name = Buffer.from(key).toString();
    return kind === kindTombstone ? `-${name}` : `${name}=${Buffer.from(value).toString()}`;
  });
}

describe("a flush", () => {
  test("writes the newest version of each key, in order, whatever was written when", () => {
    for (let start = seed; start < seed + 40; start++) {
      const random = randomFrom(start);
      const prefix = ["", "p", "a shared prefix/"][pick(random, 3)]!;
      const newest = new Map<string, Operation>();
      const operations = Array.from({ length: 1 + pick(random, 300) }, (_, i) => {
        // Few letters, zeros among them, make keys that are prefixes of others and that tie.
        const key = new Uint8Array([
          ...text(prefix),
          ...randomBytes(random, pick(random, 9)).map((byte) => byte & 1),
        ]);
        const kind = [kindTombstone, kindValue, kindExpiring][pick(random, 3)]!;
        const value = text(kind === kindTombstone ? "" : `value ${i}`);
        const operation = { key, value, kind, expiry: kind === kindExpiring ? 5 : 0 };
        newest.set(Buffer.from(key).toString("hex"), operation);
        return operation;
      });
      const disk = newDisk();
      const result = run(disk, flushJob(operations));
      const expected = [...newest.values()]
        .sort((a, b) => compare(a.key, b.key))
        .map((one) => ({ ...one, sequence: 0 }));
      expect(entriesOf(disk, result.tables[0]!), `seed ${start}`).toEqual(expected);
      expect(result.entriesIn).toBe(operations.length);
      expect(result.entriesOut).toBe(expected.length);
      expect(disk.openFiles).toBe(0);
    }
  });

  test("keeps tombstones, and turns what has expired into them", () => {
    const disk = newDisk();
    const operations = [put("a", "1"), del("a"), put("b", "2", 10), put("c", "3", 11)];
    const { tables } = run(disk, flushJob(operations, { now: 10 }));
    expect(summary(entriesOf(disk, tables[0]!))).toEqual(["-a", "-b", "c=3"]);
  });

  test("keeps for a snapshot what only that snapshot can see", () => {
    const disk = newDisk();
    const operations = [put("k", "old"), put("k", "seen"), put("k", "new")];
    const { offsets } = filled(operations, { firstSequence: 1000 });
    const snapshots = [{ sequence: 1000 + offsets[1]!, time: 0 }];
    const { tables } = run(disk, flushJob(operations, { snapshots }));
    const kept = entriesOf(disk, tables[0]!);
    expect(summary(kept)).toEqual(["k=new", "k=seen"]);
    expect(kept.map(({ sequence }) => sequence)).toEqual([1000 + offsets[2]!, 0]);
  });

  test("of a memtable without operations makes no table and leaves no file", () => {
    const disk = newDisk();
    expect(run(disk, flushJob([]))).toMatchObject({ tables: [], entriesIn: 0, entriesOut: 0 });
    expect(disk.files()).toEqual([]);
    expect(disk.openFiles).toBe(0);
  });

  test("pauses at least once every 1,000 entries", () => {
    const operations = Array.from({ length: 5000 }, (_, i) => put(`key ${i}`));
    const steps = [...flush(newDisk(), flushJob(operations))];
    expect(steps.length).toBeGreaterThanOrEqual(5);
  });

  test("is durable before it ends, but for its name", () => {
    const disk = newDisk();
    const { tables } = run(disk, flushJob([put("a", "1")]));
    disk.syncDirectorySync("/db");
    expect(summary(entriesOf(disk.crash({ survival: 0 }), tables[0]!))).toEqual(["a=1"]);
  });
});

/** A random past: a few flushes under snapshots, newest first, and who looks at them. */
function randomPast(random: () => number, disk: MemoryDisk) {
  const snapshots: SnapshotMark[] = [];
  const runs: TableMeta[][] = [];
  let firstSequence = 1000;
  const count = 2 + pick(random, 4);
  for (let i = 0; i < count; i++) {
    const operations = Array.from({ length: 1 + pick(random, 150) }, () => {
      const key = text(`key ${pick(random, 60)}`);
      const kind = [kindTombstone, kindValue, kindValue, kindExpiring][pick(random, 4)]!;
      const value = randomBytes(random, kind === kindTombstone ? 0 : pick(random, 40));
      return { key, value, kind, expiry: kind === kindExpiring ? 1 + pick(random, 60) : 0 };
    });
    const { offsets, end } = filled(operations, { firstSequence });
    for (const offset of offsets) {
      if (pick(random, 40) > 0) continue;
      snapshots.push({ sequence: firstSequence + offset, time: pick(random, 60) });
    }
    const fields = { number: 1 + i, firstSequence, snapshots: [...snapshots], now: i };
    runs.unshift([...run(disk, flushJob(operations, fields)).tables]);
    firstSequence += end;
  }
  return { runs, snapshots };
}

describe("a compaction", () => {
  test("changes nothing for any reader, and accounts for every entry", () => {
    for (let start = seed; start < seed + 30; start++) {
      const random = randomFrom(start);
      const disk = newDisk();
      const { runs, snapshots } = randomPast(random, disk);
      // The oldest runs may stay out: then they are what lies deeper.
      const inputs = runs.slice(0, 1 + pick(random, runs.length));
      const below = runs.slice(inputs.length);
      const alive = snapshots.filter(() => pick(random, 3) > 0);
      const now = 20 + pick(random, 50);
      const deeper = ascending(below.flat());
      const tableBytes = 1 + pick(random, 4000);
      const state = { snapshots: alive, now, deeper, tableBytes };
      const result = run(disk, compactionJob(inputs, state));
      expect(disk.openFiles, `seed ${start}`).toBe(0);
      const later = [now, now + 1, 99].map((time) => ({ sequence: everything, time }));
      for (const viewer of [...alive, ...later]) {
        const before = shownTo(viewer, disk, [...inputs, ...below]);
        const after = shownTo(viewer, disk, [result.tables, ...below]);
        expect(after, `seed ${start}`).toEqual(before);
      }
      const countIn = inputs.flat().reduce((sum, table) => sum + table.entries, 0);
      const countOut = result.tables.reduce((sum, table) => sum + table.entries, 0);
      expect(result.entriesIn).toBe(countIn);
      expect(result.entriesOut).toBe(countOut);
      for (const meta of result.tables) {
        const table = openTable(disk, meta);
        expect(table.verify()).toEqual({ entries: meta.entries });
        table.release();
      }
    }
  });

  test("cuts its outputs at their size, between keys and never within one", () => {
    const disk = newDisk();
    const operations = Array.from({ length: 2000 }, (_, i) =>
      put(`key ${String(i % 500).padStart(4, "0")}`, `value ${i} ${"x".repeat(40)}`),
    );
    const { offsets } = filled(operations, { firstSequence: 1000 });
    const snapshots = [499, 999, 1499].map((i) => ({ sequence: 1000 + offsets[i]!, time: 0 }));
    const flushed = run(disk, flushJob(operations, { snapshots }));
    expect(flushed.entriesOut).toBe(2000);
    const tableBytes = 20_000;
    const result = run(disk, compactionJob([flushed.tables], { snapshots, tableBytes }));
    expect(result.tables.length).toBeGreaterThan(5);
    for (const [i, table] of result.tables.entries()) {
      // Four versions of a key come to about 300 bytes, and the estimate of the tail is rough.
      expect(table.bytes).toBeLessThan(tableBytes * 1.1);
      if (i === 0) continue;
      const before = result.tables[i - 1]!;
      expect(before.bytes).toBeGreaterThan(tableBytes * 0.9);
      expect(compare(before.largest, table.smallest)).toBeLessThan(0);
    }
    expect(result.tables.map(({ number }) => number)).toEqual(result.tables.map((_, i) => 100 + i));
  });

  test("drops tombstones where nothing lies deeper, and keeps them where something does", () => {
    const disk = newDisk();
    const keys = ["a", "b", "c", "d", "e", "f"];
    const { tables } = run(disk, flushJob(keys.map(del)));
    const deeper = [
      { smallest: text("aa"), largest: text("b") },
      { smallest: text("d"), largest: text("e") },
    ];
    const result = run(disk, compactionJob([tables], { deeper }));
    expect(summary(entriesOf(disk, result.tables[0]!))).toEqual(["-b", "-d", "-e"]);
  });

  test("keeps values whole while megabytes of what it drops pass by in one block", () => {
    const disk = newDisk();
    const names = Array.from({ length: 8000 }, (_, i) => `k${String(i).padStart(5, "0")}`);
    const kept = (i: number): boolean => i % 100 === 7;
    const value = (name: string, i: number): string => name.repeat(kept(i) ? 1 : 60);
    const older = run(disk, flushJob(names.map((name, i) => put(name, value(name, i)))));
    const gone = names.filter((_, i) => !kept(i)).map(del);
    const newer = run(disk, flushJob(gone, { number: 2, firstSequence: 9_000_000 }));
    const result = run(disk, compactionJob([newer.tables, older.tables]));
    expect(older.bytesWritten).toBeGreaterThan(2 << 20);
    expect(result.tables).toHaveLength(1);
    expect(summary(entriesOf(disk, result.tables[0]!))).toEqual(
      names.filter((_, i) => kept(i)).map((name) => `${name}=${name}`),
    );
  });

  test("takes the empty key like any other", () => {
    const disk = newDisk();
    const older = run(disk, flushJob([put("", "old"), put("\0", "zero")]));
    const newer = run(disk, flushJob([put("", "new")], { number: 2, firstSequence: 5000 }));
    const { tables } = run(disk, compactionJob([newer.tables, older.tables]));
    expect(summary(entriesOf(disk, tables[0]!))).toEqual(["=new", "\0=zero"]);
  });

  test("that drops everything makes no table and leaves no file", () => {
    const disk = newDisk();
    const older = run(disk, flushJob([put("a", "1"), put("b", "2")]));
    const newer = run(disk, flushJob([del("a"), del("b")], { number: 2, firstSequence: 5000 }));
    const result = run(disk, compactionJob([newer.tables, older.tables]));
    expect(result).toMatchObject({ tables: [], entriesIn: 4, entriesOut: 0, bytesWritten: 0 });
    expect(disk.files()).toEqual(["/db/000001.sst", "/db/000002.sst"]);
  });

  test("gives its outputs the sequences of its inputs, durable but for their names", () => {
    const disk = newDisk();
    const older = run(disk, flushJob([put("a", "1")]));
    const newer = run(disk, flushJob([put("b", "2")], { number: 2, firstSequence: 5000 }));
    const { tables } = run(disk, compactionJob([newer.tables, older.tables]));
    expect(tables[0]).toMatchObject({
      minSequence: 1000,
      maxSequence: newer.tables[0]!.maxSequence,
    });
    disk.syncDirectorySync("/db");
    expect(entriesOf(disk.crash({ survival: 0 }), tables[0]!)).toHaveLength(2);
  });

  test("holds one table of a run open at a time", () => {
    const disk = newDisk();
    const operations = Array.from({ length: 500 }, (_, i) => put(`key ${1000 + i}`, "value"));
    const flushed = run(disk, flushJob(operations));
    const { tables } = run(disk, compactionJob([flushed.tables], { tableBytes: 1000 }));
    expect(tables.length).toBeGreaterThan(8);
    const numbers = Array.from({ length: 100 }, (_, i) => 500 + i);
    disk.openFilesMost = 0;
    const half = tables.length >> 1;
    run(disk, compactionJob([tables.slice(0, half), tables.slice(half)], { numbers }));
    // One of each run, and the output.
    expect(disk.openFilesMost).toBe(3);
  });
});

/** Ranges in ascending order, overlapping ones joined, as a version gives them. */
function ascending(ranges: readonly KeyRange[]): KeyRange[] {
  const joined: KeyRange[] = [];
  for (const range of [...ranges].sort((a, b) => compare(a.smallest, b.smallest))) {
    const last = joined.at(-1);
    if (last === undefined || compare(last.largest, range.smallest) < 0) {
      joined.push(range);
    } else if (compare(last.largest, range.largest) < 0) {
      joined[joined.length - 1] = { smallest: last.smallest, largest: range.largest };
    }
  }
  return joined;
}
