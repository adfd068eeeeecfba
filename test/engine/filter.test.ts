/**
 * Our inline filter is the package's filter, bit for bit.
 */
import { beforeAll, expect, test } from "vitest";
import { hash32 } from "../../native-free-engine/base/hash.ts";
import {
  buildFilter,
  createPackageFilter,
  filterHeaderBytes,
  loadFilterPackage,
  mayContain,
  readFilter,
  writeFilter,
} from "../../native-free-engine/table/filter.ts";
import { randomBytes, seeded } from "./table-fixture.ts";

const hashSeed = 0xabcdef01;

beforeAll(loadFilterPackage);

test("bits and answers equal those of the package", () => {
  const random = seeded(42);
  for (const count of [1, 2, 3, 10, 257, 3000]) {
    const keys = Array.from({ length: count }, () => randomBytes(random, random(40)));
    const hashes = Int32Array.from(keys, (key) => hash32(key, 0, key.length, hashSeed));
    const ours = buildFilter(hashes, count, hashSeed);
    const theirs = createPackageFilter(count, hashSeed);
    for (const key of keys) theirs.add(Buffer.from(key));
    expect(ours.bits).toEqual(theirs._filter.array);
    expect(ours.bitCount).toBe(theirs.size);
    for (let i = 0; i < 2000; i++) {
      const key = keys[i] ?? randomBytes(random, random(40));
      const hash = hash32(key, 0, key.length, hashSeed);
      const answer = mayContain(ours.bits, ours.bitCount, ours.probes, hash);
      expect(answer).toBe(theirs.has(Buffer.from(key)));
      if (i < count) expect(answer).toBe(true);
    }
  }
});

test("about one absent key in a hundred passes", () => {
  const count = 10_000;
  const key = new Uint8Array(8);
  const hashOf = (i: number): number => {
    key[0] = i;
    key[1] = i >>> 8;
    key[2] = i >>> 16;
    return hash32(key, 0, 8, hashSeed);
  };
  const filter = buildFilter(
    Int32Array.from({ length: count }, (_, i) => hashOf(i)),
    count,
    hashSeed,
  );
  let passed = 0;
  for (let i = count; i < 10 * count; i++) {
    if (mayContain(filter.bits, filter.bitCount, filter.probes, hashOf(i))) passed++;
  }
  expect(passed / (9 * count)).toBeGreaterThan(0.003);
  expect(passed / (9 * count)).toBeLessThan(0.015);
});

test("a filter is read back in place, and one that does not add up is refused", () => {
  const filter = buildFilter(Int32Array.of(1, 2, 3), 3, hashSeed);
  const length = filterHeaderBytes + filter.bits.length;
  const bytes = new Uint8Array(length + 5);
  writeFilter(bytes, 5, filter);
  expect(readFilter(bytes, 5, length)).toEqual(filter);
  for (let short = 0; short < length; short++) {
    expect(readFilter(bytes, 5, short)).toBeTypeOf("string");
  }
  bytes[5 + 4] = 0;
  expect(readFilter(bytes, 5, length)).toBeTypeOf("string");
});
