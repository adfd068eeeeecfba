/**
 * A key with its place on the ring. The token is the MD5 of the key (of the bucket's name, a zero
 * byte and the key in a named bucket); its first bits are the partition, so a partition is one
 * contiguous range of tokens.
 */

import type { Partition } from "./ids.ts";
import { md5Head } from "./ring/md5.ts";

export interface Key {
  /** "" is the bucket without a name. */
  readonly bucket: string;
  readonly bytes: Uint8Array;
  /** The first 64 bits of the token, as two unsigned 32-bit integers. */
  readonly high: number;
  readonly low: number;
}

const encoder = new TextEncoder();
const none = new Uint8Array(0);

export function keyOf(bucket: string, bytes: Uint8Array): Key {
  const prefix = bucket === "" ? none : encoder.encode(`${bucket}\0`);
  const { high, low } = md5Head(prefix, bytes);
  return { bucket, bytes, high, low };
}

/** `partitions` is a power of two of at least 2 and at most 2^12. */
export function partitionOf(key: Pick<Key, "high">, partitions: number): Partition {
  return Math.floor(key.high / (4294967296 / partitions));
}

/** Names a key in a map, exactly: latin-1 keeps bytes apart. */
export function nameOf(key: Key): string {
  return `${key.bucket}\0${String.fromCharCode(...key.bytes)}`;
}
