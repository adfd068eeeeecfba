/**
 * The table in FORMAT.md is the table that the code writes, byte for byte, and reads.
 */
import { beforeAll, expect, test } from "vitest";
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { kindExpiring, kindTombstone, kindValue } from "../../native-free-engine/cursor.ts";
import { BlockCache } from "../../native-free-engine/table/block-cache.ts";
import { loadFilterPackage } from "../../native-free-engine/table/filter.ts";
import { emptyFound, present, Table } from "../../native-free-engine/table/table.ts";
import { describeTable } from "../../native-free-engine/table/tail.ts";
import { TableWriter } from "../../native-free-engine/table/writer.ts";
import { bytesInPage, hex } from "../support/format-page.ts";
import { type Entry, everything, newDisk, text } from "./table-fixture.ts";

const path = "/db/000033.sst";
const number = 33;
const hashSeed = 7;

beforeAll(async () => {
  await loadHash();
  await loadFilterPackage();
});

const entries: Entry[] = [
  { key: text("cart"), value: text("milk"), kind: kindValue, sequence: 0, expiry: 0 },
  { key: text("cat"), value: text(""), kind: kindTombstone, sequence: 0, expiry: 0 },
  { key: text("dog"), value: text("rex"), kind: kindExpiring, sequence: 0x105, expiry: 1.7e12 },
  { key: text("dog"), value: text("max"), kind: kindValue, sequence: 0x101, expiry: 0 },
];

test("the code writes the table of the page", () => {
  const disk = newDisk();
  const shape = { hashSeed, blockBytes: 64, compression: "none" } as const;
  const writer = new TableWriter({ disk, path, number, shape });
  for (const { key, value, kind, sequence, expiry } of entries) {
    writer.addParts(key, 0, key.length, value, 0, value.length, kind, sequence, expiry);
  }
  writer.finish({ min: 0x100, max: 0x105 });
  expect(hex(disk.bytesOf(path))).toBe(hex(bytesInPage("table-33")));
});

test("the code reads the table of the page", () => {
  const disk = newDisk();
  disk.replace(path, bytesInPage("table-33"));
  const { meta, hashSeed: seed } = describeTable({ disk, path, number });
  expect(seed).toBe(hashSeed);
  expect(meta).toMatchObject({ entries: 4, tombstones: 1, minSequence: 0x100, maxSequence: 0x105 });
  const table = Table.open({ disk, path, meta, hashSeed, cache: new BlockCache(0) });
  expect(table.verify()).toEqual({ entries: 4 });
  const found = emptyFound();
  for (const { key, kind, sequence, expiry } of entries) {
    const hash = hash32(key, 0, key.length, hashSeed);
    const limit = sequence === 0 ? everything : sequence;
    expect(table.find(key, 0, key.length, hash, limit, found, true)).toBe(present);
    expect(found).toMatchObject({ kind, sequence, expiry });
  }
  table.release();
});
