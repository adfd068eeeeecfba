/**
 * Ways to make one value of several without asking the application. Pure functions: whoever
 * resolves the same siblings comes to the same bytes, so that it does not matter who does it.
 */
import { bucketIn } from "../../core/members/buckets.ts";
import type { RingState } from "../../core/ring/ring-state.ts";
import { counter } from "./counter.ts";
import { lww } from "./lww.ts";
import type { Resolver } from "./sibling.ts";
import { union } from "./union.ts";

export const resolvers = { lww, union, counter } as const satisfies Record<string, Resolver>;

export type ResolverName = keyof typeof resolvers;

/** That of the bucket, as far as the ring is known; undefined where siblings stay siblings. */
export function resolverOf(ring: RingState | undefined, bucket: string): Resolver | undefined {
  const name = ring === undefined ? undefined : bucketIn(ring, bucket)?.resolver;
  return name === undefined || name === "siblings" ? undefined : resolvers[name];
}
