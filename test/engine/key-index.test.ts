/**
 * The key index against the obvious linear search.
 */
import { describe, expect, test } from "vitest";
import { compare } from "../../native-free-engine/base/bytes.ts";
import { encodeKeyIndex, KeyIndex } from "../../native-free-engine/table/key-index.ts";
import { randomBytes, seeded, text } from "./table-fixture.ts";

describe("floor is the last key that is not above", () => {
  for (let seed = 1; seed <= 30; seed++) {
    test(`seed ${seed}`, () => {
      const random = seeded(seed);
      const prefix = ["", "k", "common/prefix/"][seed % 3] ?? "";
      const count = [0, 1, 2, 40][seed % 4] ?? 0;
      const keys: Uint8Array[] = [];
      for (let i = 0; i < count; i++) {
        // Runs of equal first bytes and of zeros make ties of heads.
        const rest = random(2) === 0 ? new Uint8Array(random(9)) : randomBytes(random, random(9));
        keys.push(new Uint8Array([...text(prefix), ...rest]));
      }
      keys.sort(compare);
      const index = KeyIndex.of(keys);
      expect(index.count).toBe(keys.length);
      for (let i = 0; i < keys.length; i++) expect(index.key(i)).toEqual(keys[i]);
      for (let probe = 0; probe < 300; probe++) {
        const base = keys[random(Math.max(1, count))] ?? text(prefix);
        const cut = base.slice(0, random(base.length + 1));
        const key = new Uint8Array([...cut, ...randomBytes(random, random(3))]);
        const padded = new Uint8Array([7, 7, ...key, 7]);
        const wanted = keys.findLastIndex((one) => compare(one, key) <= 0);
        expect(index.floor(padded, 2, key.length)).toBe(wanted);
      }
    });
  }
});

test("an encoded index that does not add up is refused", () => {
  const good = encodeKeyIndex([text("aa"), text("ab"), text("b")]);
  expect(KeyIndex.read(good, 0, good.length)).toBeInstanceOf(KeyIndex);
  for (let length = 0; length < good.length; length++) {
    expect(KeyIndex.read(good, 0, length)).toBeTypeOf("string");
  }
  const bad = good.slice();
  bad[12] = 200;
  expect(KeyIndex.read(bad, 0, bad.length)).toBeTypeOf("string");
});
