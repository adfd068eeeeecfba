/** The digest of versions: equal exactly where versions are equal, and well spread. */
import { expect, test } from "vitest";
import { digestOf, isSameHash } from "../../src/core/clock/digest.ts";
import { type Dot, noVersions, type Versions } from "../../src/core/clock/versions.ts";

const one = "0192a3b4c5d6e7f8";
const two = "0192a3b4c5d6e7f9";
const bytes = new Uint8Array([1]);

function versionsOf(vector: readonly Dot[], dots: readonly Dot[], siblings: readonly Dot[]) {
  const sibling = { operation: undefined, time: 1, expiresAt: 0, value: bytes };
  return {
    vector: vector.map((dot) => ({ ...dot, time: 0 })),
    dots,
    operations: [],
    siblings: siblings.map((dot) => ({ dot, ...sibling })),
  } satisfies Versions;
}

test("values, times, expiry and operations have no part in it", () => {
  const dot = { actor: one, counter: 7 };
  const versions = versionsOf([dot], [], [dot]);
  const operation = { at: 1, nonce: 2, retried: true };
  const other: Versions = {
    ...versions,
    vector: [{ ...dot, time: 99 }],
    operations: [operation],
    siblings: [{ dot, operation, time: 5, expiresAt: 6, value: new Uint8Array([9, 9]) }],
  };
  expect(digestOf(other)).toEqual(digestOf(versions));
});

test("a dot in another place, another counter, another actor: another digest", () => {
  const dot = { actor: one, counter: 7 };
  const all = [
    noVersions,
    versionsOf([dot], [], []),
    versionsOf([], [dot], []),
    versionsOf([], [], [dot]),
    versionsOf([dot], [], [dot]),
    versionsOf([{ actor: two, counter: 7 }], [], []),
    versionsOf([{ actor: one, counter: 7 + 2 ** 32 }], [], []),
    versionsOf([dot, { actor: two, counter: 1 }], [], []),
    versionsOf([dot], [], [{ actor: two, counter: 1 }]),
  ].map(digestOf);
  expect(new Set(all.map(({ high, low }) => `${high}/${low}`)).size).toBe(all.length);
  expect(all.filter((hash) => isSameHash(hash, all[0] ?? hash))).toHaveLength(1);
});

test("neighbours differ in about half of the bits, and none of 200,000 collide", () => {
  const seen = new Set<string>();
  let changed = 0;
  let before = digestOf(noVersions);
  for (let counter = 1; counter <= 200_000; counter++) {
    const actor = counter % 2 === 0 ? one : two;
    const hash = digestOf(versionsOf([{ actor, counter }], [], [{ actor, counter }]));
    changed += ones(hash.high ^ before.high) + ones(hash.low ^ before.low);
    seen.add(`${hash.high}/${hash.low}`);
    before = hash;
  }
  expect(seen.size).toBe(200_000);
  expect(changed / 200_000).toBeGreaterThan(31.5);
  expect(changed / 200_000).toBeLessThan(32.5);
});

function ones(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest = (rest & (rest - 1)) >>> 0) count += 1;
  return count;
}
