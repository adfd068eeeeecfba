import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Hash } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import { fanOut, leavesPerTree, MerkleTree } from "../../src/core/sync/merkle.ts";
import { seed } from "../support/random.ts";

const word = fc.integer({ min: 0, max: 0xffffffff });
const hash = fc.record({ high: word, low: word });

/** A token inside a partition, whose leaf is one of a few: so that leaves hold several keys. */
function tokenIn(partition: number, partitions: number): fc.Arbitrary<Hash> {
  const width = 2 ** 32 / partitions;
  const few = fc.integer({ min: 0, max: 40 }).map((i) => (i * width) / 41);
  return fc.record({ high: few.map((at) => Math.floor(partition * width + at)), low: word });
}

function nameOf({ high, low }: Hash): string {
  return `${high}/${low}`;
}

function xorOf(hashes: readonly Hash[]): Hash {
  let [high, low] = [0, 0];
  for (const each of hashes) {
    high ^= each.high;
    low ^= each.low;
  }
  return { high: high >>> 0, low: low >>> 0 };
}

describe("a Merkle tree", () => {
  test("equals one built afresh from what the keys are now, however it came about", () => {
    const run = fc.constantFrom(2, 16, 256, 4096).chain((partitions) =>
      fc.integer({ min: 0, max: partitions - 1 }).chain((partition) =>
        fc.record({
          place: fc.constant({ partition, partitions }),
          steps: fc.array(
            fc.record({ token: tokenIn(partition, partitions), to: fc.option(hash) }),
            { maxLength: 60 },
          ),
        }),
      ),
    );
    fc.assert(
      fc.property(run, ({ place, steps }) => {
        const tree = new MerkleTree(place);
        const keys = new Map<string, { token: Hash; digest: Hash }>();
        for (const { token, to } of steps) {
          const before = keys.get(nameOf(token))?.digest;
          tree.replace(token, before, to ?? undefined);
          if (to === null) keys.delete(nameOf(token));
          else keys.set(nameOf(token), { token, digest: to });
        }
        const fresh = new MerkleTree(place);
        for (const { token, digest } of keys.values()) fresh.replace(token, undefined, digest);
        expect(tree.root()).toEqual(fresh.root());
        expect(tree.children()).toEqual(fresh.children());
        const all = Array.from({ length: fanOut }, (_, i) => i);
        expect(tree.leaves(all)).toEqual(fresh.leaves(all));
        expect(xorOf(tree.children())).toEqual(tree.root());
        expect(all.map((parent) => xorOf(tree.leaves([parent])))).toEqual(tree.children());
      }),
      { seed },
    );
  });

  test("a key that changes, comes or goes changes its leaf and nothing beside", () => {
    const random = seededRandom(seed);
    const token = (): Hash => ({
      high: 0x40000000 + random.below(2 ** 28),
      low: random.below(2 ** 32),
    });
    const digest = (): Hash => ({ high: random.below(2 ** 32), low: random.below(2 ** 32) });
    const tree = new MerkleTree({ partition: 4, partitions: 16 });
    const parents = Array.from({ length: fanOut }, (_, i) => i);
    for (let i = 0; i < 200; i++) {
      const key = token();
      const before = tree.leaves(parents);
      tree.replace(key, undefined, digest());
      const after = tree.leaves(parents);
      const changed = after.flatMap((leaf, at) =>
        nameOf(leaf) === nameOf(before[at]!) ? [] : [at],
      );
      expect(changed, `seed ${seed}`).toEqual([tree.leafOf(key)]);
    }
  });

  test("tells keys apart that trade their versions", () => {
    const [a, b] = [
      { high: 1, low: 2 },
      { high: 1, low: 3 },
    ];
    const [x, y] = [
      { high: 7, low: 8 },
      { high: 8, low: 7 },
    ];
    const trees = [0, 1].map(() => new MerkleTree({ partition: 0, partitions: 2 }));
    trees[0]!.replace(a, undefined, x);
    trees[0]!.replace(b, undefined, y);
    trees[1]!.replace(a, undefined, y);
    trees[1]!.replace(b, undefined, x);
    expect(trees[0]!.root()).not.toEqual(trees[1]!.root());
  });

  test.each([2, 256, 4096])(
    "of %i partitions: its leaves cover the partition once",
    (partitions) => {
      for (const partition of [0, 1, partitions - 1]) {
        const tree = new MerkleTree({ partition, partitions });
        let next = partition * (2 ** 32 / partitions);
        for (let leaf = 0; leaf < leavesPerTree; leaf++) {
          const { first, last } = tree.rangeOf(leaf);
          expect(first).toEqual({ high: next, low: 0 });
          expect([tree.leafOf(first), tree.leafOf(last)]).toEqual([leaf, leaf]);
          next = last.high + 1;
        }
        expect(next).toBe((partition + 1) * (2 ** 32 / partitions));
      }
    },
  );

  test("without a key is all zeros", () => {
    const tree = new MerkleTree({ partition: 0, partitions: 256 });
    expect(tree.root()).toEqual({ high: 0, low: 0 });
    expect(tree.leaves([0, 31])).toEqual(Array.from({ length: 64 }, () => ({ high: 0, low: 0 })));
  });
});
