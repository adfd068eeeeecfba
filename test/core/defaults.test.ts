/** What holds for a request that does not say: its bucket's word, then the node's. */
import { expect, test } from "vitest";
import { defaultsOf } from "../../src/core/quorum/defaults.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { memberOf } from "../support/replica-town.ts";

const bucket = { name: "carts", resolver: "siblings", r: 0, w: 0, ttlMs: 0 } as const;

function withBucket(more: { readonly r?: number; readonly w?: number; readonly ttlMs?: number }) {
  const state: RingState = {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 3 },
    ...{ members: [memberOf(1)], owners: [[1], [1]], moves: [], staged: [] },
    buckets: [{ ...bucket, ...more }],
  };
  return { r: 2, w: 2, ring: () => new Ring(state, 1) };
}

test("a bucket's quorums and time to live hold where they are given", () => {
  const own = withBucket({ r: 1, w: 3, ttlMs: 5_000 });
  expect(defaultsOf(own, "carts")).toEqual({ r: 1, w: 3, ttlMs: 5_000 });
  expect(defaultsOf(withBucket({ w: 1 }), "carts")).toEqual({ r: 2, w: 1, ttlMs: 0 });
});

test("elsewhere the node's hold", () => {
  const own = withBucket({ r: 1, w: 3, ttlMs: 5_000 });
  for (const name of ["", "other"]) {
    expect(defaultsOf(own, name)).toEqual({ r: 2, w: 2, ttlMs: 0 });
  }
  expect(defaultsOf(withBucket({}), "carts")).toEqual({ r: 2, w: 2, ttlMs: 0 });
});
