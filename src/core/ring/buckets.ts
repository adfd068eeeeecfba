/** What everybody who meets a bucket needs: its record, and whether a name may be one's. */
import { bucketBytesMax } from "../limits.ts";
import type { BucketRecord, Resolver, RingState } from "./ring-state.ts";

export const resolverNames: readonly Resolver[] = ["siblings", "lww", "union", "counter"];

/** The record of the bucket; undefined where it has none, as the key space without a name. */
export function bucketIn(
  { buckets }: Pick<RingState, "buckets">,
  name: string,
): BucketRecord | undefined {
  let low = 0;
  let high = name === "" ? 0 : buckets.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const record = buckets[middle];
    if (record === undefined || record.name === name) return record;
    if (record.name < name) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

/** What is wrong with the name, in words; undefined when nothing is. */
export function faultOfBucketName(name: string): string | undefined {
  const { length } = new TextEncoder().encode(name);
  if (length < 1 || length > bucketBytesMax) {
    return `a bucket's name has 1 to ${bucketBytesMax} bytes, this one has ${length}`;
  }
  if (/\p{Cc}/u.test(name)) return "a bucket's name has no control characters";
  return /\p{Cs}/u.test(name) ? "a bucket's name has no half of a surrogate pair" : undefined;
}
