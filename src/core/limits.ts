/** Protocol ceilings and defaults, and how they relate. Configuration may lower a ceiling. */
import { assert } from "../../native-free-engine/base/assert.ts";

/** Equal parts of the ring; a power of two, at most 2^12. */
export const partitionsDefault = 256;
/** Copies of each partition in a data centre. */
export const nDefault = 3;
export const nMax = 7;
export const keyBytesMax = 1 << 10;
export const bucketBytesMax = 64;
export const valueBytesMax = 1 << 20;
/** A client's write that would make a sibling beyond this is refused; replication never is. */
export const siblingsMax = 64;
/**
 * Nor may a client's write bring the siblings of a key beyond this together: what two sides of a
 * cut make apart must still fit into one record of the engine (16 MiB) when they meet.
 */
export const siblingBytesMax = 4 << 20;
export const contextBytesMax = 8 << 10;
/** One frame on the wire, also a batch of messages. */
export const frameBytesMax = 80 << 20;
/** Messages are gathered into one frame up to about this size. */
export const frameBytesAim = 64 << 10;
/** One batch of hints, or one page of a scan or an exchange. */
export const pageBytesAim = 64 << 10;
export const membersMax = 1000;
/** Named key spaces with properties of their own: every node and client knows all of them. */
export const bucketsMax = 1000;
/** Changes of membership that wait to be committed together. */
export const stagedMax = 100;
/**
 * Epochs of a forced generation are numbered from so much higher on that those it fences off never
 * get there: a higher number always says more.
 */
export const generationEpochs = 1_000_000;
/** Processes of itself, and of each other member, that a node remembers. */
export const ownLivesMax = 64;
export const seenLivesMax = 16;
export const deadlineMsDefault = 5_000;
export const deadlineMsMin = 10;
export const deadlineMsMax = 60_000;
/** Ten years. */
export const ttlMsMax = 10 * 365 * 86_400_000;
/** Requests that one node coordinates at a time; beyond it a client is told to come back. */
export const requestsMax = 4_096;
/**
 * Superseded operations remembered beside a vector: retried ones, and the newest of all. A late
 * copy of an operation that is not remembered any more comes back as a sibling, never as a loss.
 */
export const retriedOperationsMax = 64;
export const recentOperationsMax = 32;
/** Hedged reads as a share of all reads: one in so many. */
export const hedgeOneIn = 20;

assert(3 * (siblingBytesMax + valueBytesMax) < 16 << 20, "three sides must fit in one record");
assert(
  siblingsMax * (valueBytesMax + 256) + keyBytesMax < frameBytesMax,
  "one key with all its siblings must fit in one frame",
);
