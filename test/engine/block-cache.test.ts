/**
 * The block cache: bounded, correct, and fair, whatever its size.
 */
import { describe, expect, test } from "vitest";
import { BlockCache } from "../../native-free-engine/table/block-cache.ts";
import { seeded } from "./table-fixture.ts";

/** The bytes that block `block` of table `table` has. */
function body(table: number, block: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = table * 31 + block * 7 + i;
  return bytes;
}

function put(cache: BlockCache, slots: Int32Array, block: number, length: number): void {
  cache.insert(slots, block, body(0, block, length), 0, length);
}

describe("random use agrees with a map", () => {
  const sizes = [0, 1, 511, 512, 4096, 70_000, 600 << 10, 3 << 20, 11 << 20];
  for (const bytesMax of sizes) {
    test(`${bytesMax} bytes`, () => {
      const random = seeded(bytesMax + 1);
      const cache = new BlockCache(bytesMax);
      const tables = Array.from({ length: 5 }, () => new Int32Array(200));
      const lengths = new Map<string, number>();
      const largest = Math.max(2000, Math.min(bytesMax / 8, 60_000));
      for (let step = 0; step < 1500; step++) {
        const table = random(tables.length);
        const slots = tables[table] ?? new Int32Array(0);
        const block = random(200);
        const slot = slots[block] ?? 0;
        const name = `${table}/${block}`;
        if (slot !== 0) {
          const length = cache.touch(slot);
          expect(length).toBe(lengths.get(name));
          const at = cache.offsetAt(slot);
          const bytes = cache.bytesAt(slot);
          const wanted = body(table, block, length);
          expect(Buffer.compare(bytes.subarray(at, at + length), wanted), name).toBe(0);
        } else if (random(300) === 0) {
          cache.forget(slots);
          expect(slots.every((one) => one === 0)).toBe(true);
        } else {
          const length = 1 + random(random(10) === 0 ? Math.floor(largest) : 5000);
          cache.insert(slots, block, body(table, block, length), 0, length);
          lengths.set(name, length);
        }
        expect(cache.bytes).toBeLessThanOrEqual(bytesMax);
      }
      if (bytesMax < 512)
        expect(tables.flatMap((slots) => [...slots]).some((s) => s > 0)).toBe(false);
      for (const slots of tables) cache.forget(slots);
      expect(cache.bytes).toBe(0);
    });
  }
});

test("blocks that are read stay, blocks that are not make room", () => {
  const cache = new BlockCache(64 << 10);
  const slots = new Int32Array(1000);
  for (let block = 0; block < 16; block++) put(cache, slots, block, 4096);
  expect(cache.bytes).toBe(64 << 10);
  for (let block = 16; block < 1000; block++) {
    for (const hot of [3, 7, 11]) cache.touch(slots[hot] ?? 0);
    put(cache, slots, block, 4096);
  }
  expect([3, 7, 11].map((hot) => (slots[hot] ?? 0) > 0)).toEqual([true, true, true]);
  expect([...slots].filter((slot) => slot > 0).length).toBe(16);
});

test("a block beyond a quarter of the largest chunk is not taken", () => {
  const cache = new BlockCache(64 << 10);
  const slots = new Int32Array(3);
  put(cache, slots, 0, 16 << 10);
  put(cache, slots, 1, (16 << 10) + 1);
  put(cache, slots, 2, 0);
  expect([...slots].map((slot) => slot > 0)).toEqual([true, false, false]);
});

test("it has room until the hand has been round once", () => {
  const cache = new BlockCache(32 << 10);
  const slots = new Int32Array(20);
  expect(cache.hasRoom).toBe(true);
  for (let block = 0; block < 8; block++) put(cache, slots, block, 4096);
  expect(cache.hasRoom).toBe(true);
  put(cache, slots, 8, 4096);
  expect(cache.hasRoom).toBe(false);
  expect(new BlockCache(0).hasRoom).toBe(false);
});
