/** What the answers to one read amount to: whose word counts, and who is behind. Pure. */
import { digestOf, isSameHash } from "../clock/digest.ts";
import { merge, noVersions, type Versions } from "../clock/versions.ts";
import type { Millis, NodeId } from "../ids.ts";
import type { Hash, Standing } from "../message.ts";

/** One replica that was asked. The read in flight changes what is not `readonly`. */
export interface Asked {
  readonly node: NodeId;
  readonly isOwner: boolean;
  /** An owner of another data centre, where no near one lives. */
  readonly isFar: boolean;
  sentAt: Millis;
  /** The whole was asked for, not only a digest. */
  wantsFull: boolean;
  /** `starting`: it cannot say anything yet, and is asked again. */
  state: "waiting" | "answered" | "starting" | "failed";
  /** It takes so long that another was asked in its place; its answer still counts. */
  isOverdue: boolean;
  standing: Standing;
  digest: Hash;
  versions: Versions | undefined;
  failure: string | undefined;
}

export const emptyDigest = digestOf(noVersions);

/**
 * `strong`: the replica has all that it ever acknowledged. `weak`: what it has counts in need, but
 * it may lack what was written while it was away, or was never told. `none`: it may not say
 * "absent", for it has lost what it held (riak_cs#170).
 */
export type Vote = "strong" | "weak" | "none";

export function voteOf({ isOwner, isFar, standing, digest }: Asked): Vote {
  const hasSomething = !isSameHash(digest, emptyDigest);
  if (!isOwner) return hasSomething ? "strong" : "weak";
  // What was acknowledged here may not have come there yet.
  if (isFar && !hasSomething) return standing === "rebuilding" ? "none" : "weak";
  if (standing === "current") return "strong";
  if (standing === "catching-up") return hasSomething ? "strong" : "weak";
  return hasSomething ? "weak" : "none";
}

export function askedOf(
  node: NodeId,
  { isOwner, isFar, wantsFull }: Pick<Asked, "isOwner" | "isFar" | "wantsFull">,
  now: Millis,
): Asked {
  return {
    node,
    isOwner,
    isFar,
    wantsFull,
    sentAt: now,
    state: "waiting",
    isOverdue: false,
    standing: "current",
    digest: emptyDigest,
    versions: undefined,
    failure: undefined,
  };
}

export interface Count {
  readonly strong: number;
  readonly weak: number;
  /** Strong votes that may still come, from those overdue none; and all that were not heard. */
  readonly expected: number;
  readonly waiting: number;
}

export function countVotes(asked: readonly Asked[]): Count {
  let strong = 0;
  let weak = 0;
  let expected = 0;
  let waiting = 0;
  for (const each of asked) {
    if (each.state === "waiting") {
      waiting += 1;
      if (!each.isOverdue) expected += 1;
    } else if (each.state === "starting") {
      waiting += 1;
    } else if (each.state === "answered") {
      const vote = voteOf(each);
      // A digest counts once someone has sent what it stands for.
      if (!isKnown(each, asked)) expected += Number(vote === "strong");
      else if (vote === "strong") strong += 1;
      else if (vote === "weak") weak += 1;
    }
  }
  return { strong, weak, expected, waiting };
}

/** Some replica has sent the versions that this digest stands for. */
export function isKnown({ versions, digest }: Asked, asked: readonly Asked[]): boolean {
  if (versions !== undefined || isSameHash(digest, emptyDigest)) return true;
  for (const other of asked) {
    if (other.versions !== undefined && isSameHash(other.digest, digest)) return true;
  }
  return false;
}

/** Everything that anybody answered, whether its word counts or not. */
export function mergeAll(asked: readonly Asked[]): Versions {
  let merged = noVersions;
  for (const { versions } of asked) if (versions !== undefined) merged = merge(merged, versions);
  return merged;
}

/** The digest of what they amount to: mostly what one of them answered, who told it as well. */
export function digestIn(asked: readonly Asked[], merged: Versions): Hash {
  for (const { versions, digest } of asked) if (versions === merged) return digest;
  return digestOf(merged);
}

/** An owner that answered something else than what is known now. */
export function isBehind({ state, isOwner, digest }: Asked, merged: Hash): boolean {
  return state === "answered" && isOwner && !isSameHash(digest, merged);
}
