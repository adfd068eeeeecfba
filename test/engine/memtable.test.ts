import { beforeAll, describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import {
  atEntry,
  kindExpiring,
  kindTombstone,
  kindValue,
} from "../../native-free-engine/cursor.ts";
import { forEachOperation } from "../../native-free-engine/log/operation.ts";
import { sealRecord, typeGroup } from "../../native-free-engine/log/record.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { MemtableCursor } from "../../native-free-engine/memtable-cursor.ts";
import { emptyFound } from "../../native-free-engine/table/found.ts";
import { boundOf } from "../../native-free-engine/write.ts";
import { pick, randomBytes, randomFrom, seed } from "../support/random.ts";

beforeAll(loadHash);

const hashSeed = 7;

function memtableOf(bytesMax: number): Memtable {
  return new Memtable({
    logNumber: 3,
    firstSequence: 1024,
    previous: { number: 0, end: 0 },
    hashSeed,
    bytesMax,
    full: false,
  });
}

/** Writes one record with one operation; returns the offset behind it. */
function write(
  memtable: Memtable,
  kind: number,
  key: string | Uint8Array,
  value: string | Uint8Array,
  expiry = 0,
): number {
  expect(memtable.fits(boundOf(kind, key, value))).toBe(true);
  const at = memtable.beginRecord();
  memtable.index(memtable.encode(kind, key, value, expiry));
  const payloadBytes = memtable.endRecord(at);
  const fields = { type: typeGroup, payloadBytes, operations: 1, durableSequence: 0 };
  sealRecord(memtable.arena, at, memtable.logNumber, fields);
  return memtable.end;
}

function read(memtable: Memtable, key: Uint8Array, limit = memtable.end) {
  const found = emptyFound();
  const hash = hash32(key, 0, key.length, hashSeed);
  if (!memtable.find(key, key.length, hash, limit, found)) return undefined;
  const { bytes, at, length, kind, expiry, sequence } = found;
  return { value: bytes.slice(at, at + length), kind, expiry, sequence };
}

describe("a memtable", () => {
  test("answers with the newest version below the limit", () => {
    const memtable = memtableOf(1 << 20);
    const key = new TextEncoder().encode("k");
    const one = write(memtable, kindValue, "k", "one");
    const two = write(memtable, kindTombstone, "k", "");
    write(memtable, kindExpiring, "k", "three", 99);
    expect(read(memtable, key)).toMatchObject({ kind: kindExpiring, expiry: 99 });
    expect(read(memtable, key, two)).toMatchObject({ kind: kindTombstone });
    expect(Buffer.from(read(memtable, key, one)!.value).toString()).toBe("one");
    expect(read(memtable, key, 64)).toBeUndefined();
    expect(read(memtable, key, 0)).toBeUndefined();
    expect(read(memtable, key, -1)).toBeUndefined();
    expect(memtable.keyCount).toBe(1);
  });

  test("keeps any bytes, in strings and arrays of any length", () => {
    const memtable = memtableOf(64 << 20);
    const random = randomFrom(seed);
    const lengths = [0, 1, 5, 23, 24, 25, 39, 40, 41, 1000, 65536];
    for (const length of lengths) {
      const key = randomBytes(random, length);
      write(memtable, kindValue, key, key);
      expect(compare(read(memtable, key)!.value, key)).toBe(0);
    }
    for (const text of ["ä", "aä", "a".repeat(50), "é".repeat(30), "😀".repeat(9)]) {
      write(memtable, kindValue, text, text);
      expect(Buffer.from(read(memtable, Buffer.from(text))!.value).toString()).toBe(text);
    }
  });

  test("grows to its ceiling and then says that it is full", () => {
    const memtable = memtableOf(256 << 10);
    let count = 0;
    while (memtable.fits(boundOf(kindValue, `key-${count}`, "v".repeat(100)))) {
      write(memtable, kindValue, `key-${count++}`, "v".repeat(100));
    }
    expect(memtable.end).toBeGreaterThan(255 << 10);
    expect(memtable.arena.length).toBe(256 << 10);
    for (let i = 0; i < count; i++) {
      expect(read(memtable, Buffer.from(`key-${i}`))).toBeDefined();
    }
  });

  test("shows its keys in byte order, as of an instant, whatever comes after", () => {
    const random = randomFrom(seed + 1);
    const memtable = memtableOf(4 << 20);
    const model = new Map<string, string>();
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 40; i++) {
        const key = randomBytes(random, pick(random, 4));
        const value = randomBytes(random, pick(random, 8));
        write(memtable, kindValue, key, value);
        model.set(hex(key), hex(value));
      }
      const cursor = new MemtableCursor(memtable, { limit: memtable.end, skip: 0 });
      const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      write(memtable, kindValue, randomBytes(random, 5), "later");
      write(memtable, kindValue, Buffer.from(sorted[0]![0], "hex"), "overwritten later");
      const seen: [string, string][] = [];
      for (cursor.first(); cursor.state === atEntry; cursor.next()) {
        const { bytes, suffixAt, suffixLength, valueAt, valueLength } = cursor;
        const key = hex(bytes.slice(suffixAt, suffixAt + suffixLength));
        seen.push([key, hex(bytes.slice(valueAt, valueAt + valueLength))]);
      }
      expect(seen).toEqual(sorted);
      forEachOperation(memtable.arena, memtable.end, () => {});
      model.clear();
      forEachOperation(memtable.arena, memtable.end, (at) => {
        const found = emptyFound();
        memtable.describe(at, found);
        const value = hex(found.bytes.slice(found.at, found.at + found.length));
        const keyAt = at + 12;
        model.set(hex(memtable.arena.slice(keyAt, found.at)), value);
      });
    }
  });

  test("refuses what is over a limit or no bytes, naming value and bound", () => {
    expect(() => boundOf(kindValue, "k".repeat(65537), "")).toThrow(/65537 bytes.*65536/);
    expect(() => boundOf(kindValue, "k", new Uint8Array((16 << 20) + 1))).toThrow(/16777217/);
    expect(() => boundOf(kindValue, 5 as unknown as string, "")).toThrow(TypeError);
    expect(() => boundOf(kindValue, "k", null as unknown as string)).toThrow(/got null/);
    expect(() => boundOf(kindValue, "a\ud800b", "")).toThrow(/lone surrogate at index 1/);
  });

  test("indexes the image of a log like the writes that made it", () => {
    const memtable = memtableOf(1 << 20);
    for (let i = 0; i < 500; i++) write(memtable, kindValue, `key-${i % 100}`, `value-${i}`);
    const arena = new Uint8Array(new SharedArrayBuffer(memtable.arena.length));
    arena.set(memtable.arena);
    const identity = { logNumber: 3, firstSequence: 1024, hashSeed };
    const adopted = Memtable.adopt(identity, { arena, end: memtable.end });
    expect(adopted.keyCount).toBe(100);
    for (let i = 0; i < 100; i++) {
      const key = Buffer.from(`key-${i}`);
      expect(read(adopted, key)).toEqual(read(memtable, key));
    }
    expect(Buffer.from(adopted.arena.slice(0, adopted.end))).toEqual(
      Buffer.from(memtable.arena.slice(0, memtable.end)),
    );
  });
});
