/** Sorting an arena's operations: by key, newest first, whatever bits tell the keys apart. */
import { expect, test } from "vitest";
import { operationHeaderBytes } from "../../native-free-engine/log/operation.ts";
import { sortOperations } from "../../native-free-engine/log/sort-operations.ts";
import { pick, randomFrom, seed } from "../support/random.ts";

const random = randomFrom(seed);
const below = (bound: number) => pick(random, bound);
const bytes = (length: number, of: () => number) => Buffer.from(Array.from({ length }, of));

test.each<[string, (i: number) => Buffer]>([
  ["decimal digits", (i) => Buffer.from(String((i * 7919) % 100_003).padStart(16, "0"))],
  ["hexadecimal digits", () => Buffer.from(below(2 ** 31).toString(16))],
  ["random bytes", () => bytes(1 + below(20), () => below(256))],
  ["bytes of one or two values", () => bytes(below(24) + 1, () => 0x80 * below(2))],
  // A key that ends is below the same key with more, be that zeros.
  ["zeros of any number", () => Buffer.concat([Buffer.from("k"), bytes(below(60), () => 0)])],
  ["zeros and ones", () => bytes(1 + below(12), () => below(2))],
  ["one key", () => Buffer.from("the same")],
  [
    "words before and after",
    (i) => Buffer.from(`user:${(i * 31) % 977}:${i % 13 ? "name" : "mail"}`),
  ],
])(`%s (SEED=${seed})`, (_, keyOf) => {
  for (const count of [2, 100, 4095, 4096, 9000]) {
    const keys = Array.from({ length: count }, (__, i) => keyOf(i));
    const { arena, offsets, keyAt } = arenaOf(keys);
    const expected = [...offsets].sort((a, b) => Buffer.compare(keyAt(a), keyAt(b)) || b - a);
    sortOperations(arena, offsets);
    expect([...offsets]).toEqual(expected);
  }
});

/** Operations without values, in the layout of FORMAT.md as far as sorting looks at it. */
function arenaOf(keys: readonly Buffer[]) {
  const room = keys.reduce((sum, key) => sum + operationHeaderBytes + key.length + 8, 64);
  const arena = new Uint8Array((room + 7) & ~7);
  const words = new Int32Array(arena.buffer);
  const offsets = new Int32Array(keys.length);
  const byOffset = new Map<number, Buffer>();
  let at = 32;
  keys.forEach((key, i) => {
    offsets[i] = at;
    words[(at >>> 2) + 1] = (1 << 24) | key.length;
    arena.set(key, at + operationHeaderBytes);
    byOffset.set(at, key);
    at += (operationHeaderBytes + key.length + 3) & ~3;
  });
  return { arena, offsets, keyAt: (offset: number) => byOffset.get(offset)! };
}
