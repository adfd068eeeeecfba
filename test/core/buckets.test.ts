/** Changes of buckets: each leaves a sound ring, one epoch on, or says why not. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ttlMsMax } from "../../src/core/limits.ts";
import { type BucketWish, createBucket, setBucket } from "../../src/core/members/buckets.ts";
import { foundRing } from "../../src/core/members/founding.ts";
import { bucketIn, faultOfBucketName } from "../../src/core/ring/buckets.ts";
import { checkRing, checkSuccessor } from "../../src/core/ring/check-ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";

const seed = 20261121;
const member = {
  ...{ id: 1, address: "n1:7400", dc: "dc1", rack: "r1", weight: 1 },
  state: "member" as const,
};
const empty = foundRing({ clusterId: "5eed".repeat(8), member, n: 3, partitions: 2 });

function stateAfter(outcome: ReturnType<typeof createBucket>): RingState {
  if ("kind" in outcome) throw new Error(outcome.message);
  return outcome;
}

describe("a bucket", () => {
  test("is created with defaults, and changed in what is named", () => {
    const created = stateAfter(createBucket(empty, { name: "carts", resolver: "union" }));
    expect(created).toMatchObject({ epoch: empty.epoch + 1 });
    expect(bucketIn(created, "carts")).toEqual({
      ...{ name: "carts", r: 0, w: 0, resolver: "union", ttlMs: 0 },
    });
    const changed = stateAfter(setBucket(created, { name: "carts", w: 1, ttlMs: 5 }));
    expect(bucketIn(changed, "carts")).toEqual({
      ...{ name: "carts", r: 0, w: 1, resolver: "union", ttlMs: 5 },
    });
    expect(checkSuccessor(created, changed)).toEqual([]);
  });

  test("that is there as it is wanted takes no epoch", () => {
    const created = stateAfter(createBucket(empty, { name: "a", r: 2 }));
    expect(createBucket(created, { name: "a", r: 2 })).toBe(created);
    expect(setBucket(created, { name: "a", r: 2 })).toBe(created);
    expect(setBucket(created, { name: "a" })).toBe(created);
  });

  test("is not made twice with different properties, nor changed before it is made", () => {
    const created = stateAfter(createBucket(empty, { name: "a", r: 2 }));
    expect(createBucket(created, { name: "a" })).toMatchObject({ code: "BUCKET_EXISTS" });
    expect(setBucket(created, { name: "b", r: 1 })).toMatchObject({ code: "BUCKET_UNKNOWN" });
  });

  const refused: readonly [string, BucketWish][] = [
    ["INVALID_ARGUMENT", { name: "" }],
    ["INVALID_ARGUMENT", { name: "é".repeat(33) }],
    ["INVALID_ARGUMENT", { name: "a\nb" }],
    ["INVALID_ARGUMENT", { name: "a\u0085" }],
    ["INVALID_ARGUMENT", { name: "\ud800" }],
    ["QUORUM_INVALID", { name: "a", r: 4 }],
    ["QUORUM_INVALID", { name: "a", w: -1 }],
    ["QUORUM_INVALID", { name: "a", w: 1.5 }],
    ["TTL_INVALID", { name: "a", ttlMs: -1 }],
    ["TTL_INVALID", { name: "a", ttlMs: ttlMsMax + 1 }],
    ["INVALID_ARGUMENT", { name: "a", resolver: "newest" as never }],
  ];
  test.each(refused)("is refused with %s: %j", (code, wish) => {
    expect(createBucket(empty, wish)).toMatchObject({ kind: "failed", code, applied: "no" });
  });

  test("may have any other name of 1 to 64 bytes", () => {
    for (const name of ["a", "é".repeat(32), "with space", "a/b:c", "𝔘"]) {
      expect(faultOfBucketName(name)).toBeUndefined();
      expect(checkRing(stateAfter(createBucket(empty, { name })))).toEqual([]);
    }
  });
});

test("any changes leave a sound ring that crosses the wire and finds each bucket", () => {
  const name = fc.constantFrom("a", "b", "Z", "é", "𝔘", "\uffff", "a b", "aa");
  const wish = fc.record(
    {
      name,
      r: fc.nat({ max: 3 }),
      w: fc.nat({ max: 3 }),
      resolver: fc.constantFrom("siblings", "lww", "union", "counter"),
      ttlMs: fc.nat(),
    },
    { requiredKeys: ["name"] },
  );
  const change = fc.tuple(fc.constantFrom(createBucket, setBucket), wish);
  const property = fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
    let state: RingState = empty;
    const names = new Set<string>();
    for (const [make, wanted] of changes) {
      const outcome = make(state, wanted);
      if ("kind" in outcome) continue;
      if (outcome !== state) expect(checkSuccessor(state, outcome)).toEqual([]);
      expect(checkRing(outcome)).toEqual([]);
      names.add(wanted.name);
      state = outcome;
      expect(bucketIn(state, wanted.name)).toMatchObject({ ...wanted });
    }
    expect(decodeRing(encodeRing(state))).toEqual(state);
    for (const one of ["a", "b", "Z", "é", "𝔘", "\uffff", "a b", "aa", ""]) {
      expect(bucketIn(state, one)?.name).toBe(names.has(one) ? one : undefined);
    }
  });
  fc.assert(property, { seed, numRuns: 300 });
});
