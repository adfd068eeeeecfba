/** The commit log in FORMAT.md is the log that the code writes, byte for byte, and reads. */
import { beforeAll, expect, test } from "vitest";
import { hash32, loadHash } from "../../native-free-engine/base/hash.ts";
import { kindExpiring, kindTombstone, kindValue } from "../../native-free-engine/cursor.ts";
import { Log } from "../../native-free-engine/log/log.ts";
import { forEachOperation } from "../../native-free-engine/log/operation.ts";
import { sealRecord, typeGroup, typeSeal } from "../../native-free-engine/log/record.ts";
import { replayLogs } from "../../native-free-engine/log/replay.ts";
import { Memtable } from "../../native-free-engine/memtable.ts";
import { emptyFound } from "../../native-free-engine/table/found.ts";
import { bytesInPage, hex } from "../support/format-page.ts";
import { newDisk, text } from "./table-fixture.ts";

const number = 34;
const path = "/db/000034.log";
const shape = { logNumber: number, firstSequence: 4096, hashSeed: 7 };

type Write = readonly [kind: number, key: string, value: string, expiry: number];

const first: readonly Write[] = [
  [kindValue, "cart", "milk", 0],
  [kindTombstone, "cat", "", 0],
];
const second: readonly Write[] = [
  [kindExpiring, "dog", "rex", 1_700_000_000_000],
  [kindValue, "cart", "eggs", 0],
];

beforeAll(loadHash);

test("the code writes the log of the page", () => {
  const disk = newDisk();
  const previous = { number: 31, end: 1016 };
  const memtable = new Memtable({ ...shape, previous, bytesMax: 4096, full: false });
  group(memtable, first, 4096);
  group(memtable, second, 4096 + 0x80);
  record(memtable, memtable.beginRecord(), { type: typeSeal, operations: 0, durable: 4096 + 0x80 });
  const log = new Log({ disk, directory: "/db", name: "000034.log" });
  log.writeSync(memtable.arena, memtable.end, false);
  expect(hex(bytesInPage("log-34"))).toBe(hex(disk.bytesOf(path)));
});

test("the code reads the log of the page", () => {
  const disk = newDisk();
  disk.replace(path, bytesInPage("log-34"));
  const { logs, nextSequence, droppedBytes } = replayLogs({
    disk,
    directory: "/db",
    numbers: [number],
    oldestNeeded: number,
    sealed: [],
    nextSequence: 4096,
  });
  const [log] = logs;
  if (log === undefined) throw new Error("no log was read");
  expect(log).toMatchObject({ records: 3, operations: 4, firstSequence: 4096 });
  expect([nextSequence, droppedBytes]).toEqual([4096 + log.end, 0]);
  const places: number[] = [];
  forEachOperation(log.arena, log.end, (at) => places.push(at));
  expect(places).toEqual([0x58, 0x6c, 0x98, 0xb4]);
  const memtable = Memtable.adopt(shape, log);
  const found = emptyFound();
  const valueAt = (key: string, limit: number) => {
    const hash = hash32(text(key), 0, key.length, shape.hashSeed);
    expect(memtable.find(text(key), key.length, hash, limit, found)).toBe(true);
    return Buffer.from(found.bytes).toString("latin1", found.at, found.at + found.length);
  };
  expect(valueAt("cart", log.end)).toBe("eggs");
  expect(valueAt("cart", 0xb4)).toBe("milk");
  expect(valueAt("dog", log.end)).toBe("rex");
  expect(found).toMatchObject({ kind: kindExpiring, expiry: 1_700_000_000_000 });
});

function group(memtable: Memtable, writes: readonly Write[], durable: number): void {
  const at = memtable.beginRecord();
  for (const [kind, key, value, expiry] of writes) {
    memtable.index(memtable.encode(kind, key, value, expiry));
  }
  record(memtable, at, { type: typeGroup, operations: writes.length, durable });
}

function record(
  memtable: Memtable,
  at: number,
  fields: { readonly type: number; readonly operations: number; readonly durable: number },
): void {
  const { type, operations, durable: durableSequence } = fields;
  const payloadBytes = memtable.endRecord(at);
  sealRecord(memtable.arena, at, number, { type, operations, payloadBytes, durableSequence });
}
