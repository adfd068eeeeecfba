/**
 * Buckets: named key spaces with properties of their own, part of the ring state and agreed on like
 * membership. The changes are pure functions from one state to the next. A bucket need not be
 * declared: one without a record has the properties of the key space without a name. Records are
 * never removed: the keys would stay, and lose the resolver and the time to live they rely on.
 */
import { failed } from "../failure.ts";
import { bucketBytesMax, bucketsMax, ttlMsMax } from "../limits.ts";
import type { Failed } from "../message.ts";
import { bucketIn, faultOfBucketName, resolverNames } from "../ring/buckets.ts";
import type { BucketRecord, Resolver, RingState } from "../ring/ring-state.ts";

/** What is wanted of a bucket; what is absent stays as it is, or at the default. */
export interface BucketWish {
  readonly name: string;
  readonly r?: number | undefined;
  readonly w?: number | undefined;
  readonly resolver?: Resolver | undefined;
  readonly ttlMs?: number | undefined;
}

/** Of a bucket that has no record, and of what a record's maker does not say. */
const bucketDefaults = { r: 0, w: 0, resolver: "siblings", ttlMs: 0 } as const;

/** Made again as it is, it stays; with other properties it is refused. */
export function createBucket(state: RingState, wish: BucketWish): RingState | Failed {
  const record = recordOf({ name: wish.name, ...bucketDefaults }, wish);
  const refusal = refusalOf(state, record);
  if (refusal !== undefined) return refusal;
  const known = bucketIn(state, wish.name);
  if (known !== undefined) {
    if (isSame(known, record)) return state;
    const name = JSON.stringify(wish.name);
    return failed("BUCKET_EXISTS", `there is a bucket ${name}, with ${propertiesOf(known)}`);
  }
  if (state.buckets.length >= bucketsMax) {
    return failed("INVALID_ARGUMENT", `there are ${bucketsMax} buckets; no more can be`);
  }
  return withBucket(state, record);
}

/** Changes what is named of a bucket that was created. */
export function setBucket(state: RingState, wish: BucketWish): RingState | Failed {
  const known = bucketIn(state, wish.name);
  if (known === undefined) {
    const name = JSON.stringify(wish.name.slice(0, bucketBytesMax));
    return failed("BUCKET_UNKNOWN", `no bucket ${name} was created`);
  }
  const record = recordOf(known, wish);
  const refusal = refusalOf(state, record);
  if (refusal !== undefined) return refusal;
  return isSame(known, record) ? state : withBucket(state, record);
}

function recordOf(record: BucketRecord, wish: BucketWish): BucketRecord {
  const { name, r, w, resolver, ttlMs } = record;
  return {
    name,
    r: wish.r ?? r,
    w: wish.w ?? w,
    resolver: wish.resolver ?? resolver,
    ttlMs: wish.ttlMs ?? ttlMs,
  };
}

function refusalOf({ n }: RingState, record: BucketRecord): Failed | undefined {
  const { name, resolver, ttlMs } = record;
  const fault = faultOfBucketName(name);
  if (fault !== undefined) return failed("INVALID_ARGUMENT", fault);
  for (const quorum of ["r", "w"] as const) {
    const value = record[quorum];
    if (Number.isInteger(value) && value >= 0 && value <= n) continue;
    const bounds = `from 1 to n = ${n}, or 0 for the node's own`;
    return failed("QUORUM_INVALID", `${quorum} of a bucket is ${bounds}, got ${value}`);
  }
  if (!resolverNames.includes(resolver)) {
    const names = resolverNames.join(", ");
    return failed("INVALID_ARGUMENT", `a resolver is one of ${names}, got ${resolver}`);
  }
  if (Number.isInteger(ttlMs) && ttlMs >= 0 && ttlMs <= ttlMsMax) return undefined;
  const bounds = `0 for ever, or at most ${ttlMsMax} ms (ten years)`;
  return failed("TTL_INVALID", `the time to live of a bucket is ${bounds}, got ${ttlMs}`);
}

function withBucket(state: RingState, record: BucketRecord): RingState {
  const others = state.buckets.filter(({ name }) => name !== record.name);
  const buckets = [...others, record].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...state, epoch: state.epoch + 1, buckets };
}

function isSame(a: BucketRecord, b: BucketRecord): boolean {
  return propertiesOf(a) === propertiesOf(b);
}

function propertiesOf({ r, w, resolver, ttlMs }: BucketRecord): string {
  return `r ${r}, w ${w}, resolver ${resolver}, ttl ${ttlMs} ms`;
}
