/**
 * Keys of the engine, by a first byte that says what lies there (RECORDS.md has worked bytes):
 *
 *   1 meta    name
 *   2 actor   index (4)                              the actor behind an index of records
 *   3 data    place                                  what this node holds of a key
 *   4 hint    target (4), place                      what it keeps for a node that was away
 *
 *   place     head of the token (8), bucket length (1), bucket, key
 *
 * Integers are big-endian, so a partition is one range of keys, and so is a leaf of its tree.
 */

import { assert } from "../../native-free-engine/base/assert.ts";
import type { NodeId, Partition } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import { bucketBytesMax, keyBytesMax } from "../core/limits.ts";
import type { Hash } from "../core/message.ts";

export const kindMeta = 1;
export const kindActor = 2;
export const kindData = 3;
export const kindHint = 4;

/** In the place of a hint's target: what the node holds for itself. */
export const own: NodeId = 0;

/** Bounds of a scan of the engine. */
export interface KeyRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
}

const placeBytesMax = 9 + bucketBytesMax + keyBytesMax;
/** Above every length of a bucket's name, so behind every key of a token. */
const behindBuckets = 0xff;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

// One buffer, and a view of it for each length: a fresh array for each key costs more than the
// engine's copy of it. Valid until the next call, which is why nothing here is exported.
const scratch = new Uint8Array(5 + placeBytesMax);
const views: Uint8Array[] = [];

/** The engine's key of one copy. Overwritten by the next call: `slice` what is to be kept. */
export function copyKey(key: Key, target: NodeId): Uint8Array {
  let at = 1;
  if (target === own) scratch[0] = kindData;
  else {
    scratch[0] = kindHint;
    at = putWord(scratch, at, target);
  }
  return viewOf(putPlace(at, key));
}

export function metaKey(name: string): Uint8Array {
  return Uint8Array.of(kindMeta, ...encoder.encode(name));
}

export function actorKey(index: number): Uint8Array {
  const bytes = Uint8Array.of(kindActor, 0, 0, 0, 0);
  putWord(bytes, 1, index);
  return bytes;
}

export function actorIndexIn(bytes: Uint8Array): number {
  return wordAt(bytes, 1);
}

/** The user's key in a key of data or of a hint; nothing when the bytes are no such key. */
export function keyIn(bytes: Uint8Array): Key | undefined {
  const at = bytes[0] === kindData ? 1 : 5;
  const bucketAt = at + 9;
  const keyAt = bucketAt + (bytes[at + 8] ?? 0);
  if (bytes.length <= keyAt) return undefined;
  const bucket = keyAt === bucketAt ? "" : bucketIn(bytes.subarray(bucketAt, keyAt));
  if (bucket === undefined) return undefined;
  return {
    bucket,
    bytes: bytes.subarray(keyAt),
    high: wordAt(bytes, at),
    low: wordAt(bytes, at + 4),
  };
}

export function targetIn(bytes: Uint8Array): NodeId {
  return wordAt(bytes, 1);
}

/** Everything of one kind. */
export function rangeOfKind(kind: number): KeyRange {
  return { gte: Uint8Array.of(kind), lt: Uint8Array.of(kind + 1) };
}

/** The node's own copies of these tokens, both ends included. */
export function rangeOfTokens(first: Hash, last: Hash): KeyRange {
  const gte = new Uint8Array(9);
  const lt = new Uint8Array(10);
  gte[0] = kindData;
  lt[0] = kindData;
  putWord(gte, putWord(gte, 1, first.high), first.low);
  lt[putWord(lt, putWord(lt, 1, last.high), last.low)] = behindBuckets;
  return { gte, lt };
}

export function rangeOfPartition(partition: Partition, partitions: number): KeyRange {
  const width = 4294967296 / partitions;
  return rangeOfTokens(
    { high: partition * width, low: 0 },
    { high: (partition + 1) * width - 1, low: 0xffffffff },
  );
}

/** Members are few, so there is always a next target. */
export function rangeOfHints(target: NodeId): KeyRange {
  const gte = Uint8Array.of(kindHint, 0, 0, 0, 0);
  const lt = gte.slice();
  putWord(gte, 1, target);
  putWord(lt, 1, target + 1);
  return { gte, lt };
}

/** Puts a place into the scratch buffer; returns the offset behind it. */
function putPlace(at: number, key: Key): number {
  const { bytes, bucket } = key;
  assert(bytes.length <= keyBytesMax, "keys are checked where they come in");
  let next = putWord(scratch, putWord(scratch, at, key.high), key.low) + 1;
  if (bucket === "") scratch[next - 1] = 0;
  else {
    const name = encoder.encode(bucket);
    assert(name.length <= bucketBytesMax, "names of buckets are checked where they come in");
    scratch[next - 1] = name.length;
    scratch.set(name, next);
    next += name.length;
  }
  // Short arrays are copied faster by a loop than by a call into the runtime.
  if (bytes.length > 40) scratch.set(bytes, next);
  else for (let i = 0; i < bytes.length; i++) scratch[next + i] = bytes[i]!;
  return next + bytes.length;
}

function viewOf(length: number): Uint8Array {
  views[length] ??= new Uint8Array(scratch.buffer, 0, length);
  return views[length];
}

function bucketIn(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function putWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
  return at + 4;
}

function wordAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16);
  return (high | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0;
}
