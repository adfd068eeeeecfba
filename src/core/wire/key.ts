/** Keys, with their tokens between nodes and without them from clients. */

import type { Key } from "../key.ts";
import { keyOf } from "../key.ts";
import { bucketBytesMax, keyBytesMax } from "../limits.ts";
import type { Hash } from "../message.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/** A bucket's length, a key's length, a byte of key, a token. */
export const keyBytesMin = 11;

/** Between nodes: the token travels along, so that it is computed once for each request. */
export function writeKey(writer: Writer, key: Key): void {
  writer.text(key.bucket);
  writer.block(key.bytes);
  writer.words(key.high, key.low);
}

export function readKey(reader: Reader): Key {
  const bucket = readBucket(reader);
  const start = reader.place;
  const bytes = reader.block();
  if (bytes.length === 0 || bytes.length > keyBytesMax) {
    reader.fail(`a key of ${bytes.length} bytes`, start);
  }
  return { bucket, bytes, high: reader.word(), low: reader.word() };
}

/** From a client: whoever may send anything does not get to choose where a key lies. */
export function writeNamedKey(writer: Writer, key: Key): void {
  writer.text(key.bucket);
  writer.block(key.bytes);
}

/** A key of the wrong length is answered in words by the coordinator, not refused here. */
export function readNamedKey(reader: Reader): Key {
  const bucket = readBucket(reader);
  return keyOf(bucket, reader.block());
}

export function readBucket(reader: Reader): string {
  const start = reader.place;
  const bucket = reader.text();
  if (reader.place - start <= bucketBytesMax + 1 && !bucket.includes("\0")) return bucket;
  return reader.fail("a bucket's name that is too long or has a zero byte", start);
}

export function writeHash(writer: Writer, { high, low }: Hash): void {
  writer.words(high, low);
}

export function readHash(reader: Reader): Hash {
  return { high: reader.word(), low: reader.word() };
}
