/** What callers pass in, checked before anything is sent; a wrong type is a `TypeError`. */
import { describe, loneSurrogateAt } from "../../native-free-engine/base/text.ts";
import { type Key, keyOf } from "../core/key.ts";
import {
  bucketBytesMax,
  deadlineMsDefault,
  deadlineMsMax,
  deadlineMsMin,
  keyBytesMax,
  ttlMsMax,
} from "../core/limits.ts";
import { ClusterError } from "../errors.ts";
import type { BytesInput } from "./api.ts";

const encoder = new TextEncoder();

/** A copy, so that the caller may reuse the buffer. */
export function bytesOf(input: BytesInput, what: string): Uint8Array {
  if (input instanceof Uint8Array) return input.slice();
  if (typeof input !== "string") {
    throw new TypeError(`a ${what} is a string or a Uint8Array, not ${describe(input)}`);
  }
  if (loneSurrogateAt(input) >= 0) {
    throw new ClusterError(
      "KEY_ENCODING",
      `the ${what} is a string with half of a surrogate pair, which UTF-8 cannot hold; pass bytes`,
    );
  }
  return encoder.encode(input);
}

export function keyFrom(bucket: string, input: BytesInput): Key {
  const bytes = bytesOf(input, "key");
  if (bytes.length === 0) {
    throw new ClusterError("KEY_EMPTY", `a key has 1 to ${keyBytesMax} bytes, this one has none`);
  }
  if (bytes.length > keyBytesMax) {
    const message = `a key has at most ${keyBytesMax} bytes, this one has ${bytes.length}`;
    throw new ClusterError("KEY_TOO_LARGE", message);
  }
  return keyOf(bucket, bytes);
}

export function checkBucket(name: string): void {
  if (typeof name !== "string") throw new TypeError(`a bucket's name is a string`);
  const bytes = encoder.encode(name).length;
  if (bytes === 0 || bytes > bucketBytesMax || name.includes("\0") || loneSurrogateAt(name) >= 0) {
    throw new ClusterError(
      "INVALID_ARGUMENT",
      `a bucket's name has 1 to ${bucketBytesMax} bytes without NUL: ${JSON.stringify(name)}`,
    );
  }
}

export function timeoutFrom(given: number | undefined, fallback = deadlineMsDefault): number {
  const timeoutMs = given ?? fallback;
  if (!(timeoutMs >= deadlineMsMin && timeoutMs <= deadlineMsMax)) {
    const bounds = `${deadlineMsMin} to ${deadlineMsMax} milliseconds`;
    throw new ClusterError("DEADLINE_INVALID", `timeoutMs is ${bounds}, not ${String(timeoutMs)}`);
  }
  return timeoutMs;
}

export function quorumFrom(name: "r" | "w", given: number | undefined): number | undefined {
  if (given === undefined || (Number.isInteger(given) && given >= 1)) return given;
  const message = `${name} is a whole number from 1 to n, not ${String(given)}`;
  throw new ClusterError("QUORUM_INVALID", message);
}

export function ttlFrom(given: number | undefined): number {
  if (given === undefined) return 0;
  if (Number.isFinite(given) && given > 0 && given <= ttlMsMax) return Math.ceil(given);
  const message = `ttlMs is above 0 and at most ten years in milliseconds, not ${String(given)}`;
  throw new ClusterError("TTL_INVALID", message);
}
