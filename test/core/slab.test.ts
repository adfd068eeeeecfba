/** Copies that share memory, and nothing else. */
import { expect, test } from "vitest";
import { asciiOf, copyOf } from "../../src/core/slab.ts";

test("a copy stays what it was, whatever becomes of its source and of other copies", () => {
  const made = Array.from({ length: 600 }, (_, i) => {
    const source = Buffer.alloc(i % 150, i & 0xff);
    const copy = copyOf(source);
    source.fill(0xee);
    return copy;
  });
  for (const [i, copy] of made.entries()) {
    expect([...copy]).toEqual(Array(i % 150).fill(i & 0xff));
    copy.fill(0xdd);
  }
  expect(made.every((copy) => copy.every((byte) => byte === 0xdd))).toBe(true);
});

test("as many bytes as asked for, from where the source begins, also many", () => {
  const source = new Uint8Array(10_000).map((_, i) => i).subarray(7);
  for (const length of [0, 1, 2_048, 2_049, 9_000]) {
    const copy = copyOf(source, length);
    expect(Buffer.compare(copy, source.slice(0, length))).toBe(0);
    expect(copy.buffer === source.buffer).toBe(false);
  }
});

test("text is its bytes where all of it is ASCII and not long", () => {
  expect(asciiOf("cart:7\u007f")).toEqual(new TextEncoder().encode("cart:7\u007f"));
  expect(asciiOf("")).toHaveLength(0);
  for (const text of ["\u0080", "größe", "cart:\ud83d", "a".repeat(3_000)]) {
    expect(asciiOf(text)).toBeUndefined();
  }
});
