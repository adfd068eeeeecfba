/** Which resolver a bucket has, as far as the client knows the ring. */
import { bucketIn } from "../../core/ring/buckets.ts";
import type { RingState } from "../../core/ring/ring-state.ts";
import { resolvers } from "./resolver.ts";
import type { Resolver } from "./sibling.ts";

/** Undefined where siblings stay siblings. */
export function resolverOf(ring: RingState | undefined, bucket: string): Resolver | undefined {
  const name = ring === undefined ? undefined : bucketIn(ring, bucket)?.resolver;
  return name === undefined || name === "siblings" ? undefined : resolvers[name];
}
