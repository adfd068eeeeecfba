/** What callers pass in, checked before anything is sent; a wrong type is a `TypeError`. */
import { describe, loneSurrogateAt } from "../../native-free-engine/base/text.ts";
import { type Key, keyOf } from "../core/key.ts";
import {
  bucketBytesMax,
  contextBytesMax,
  deadlineMsDefault,
  deadlineMsMax,
  deadlineMsMin,
  keyBytesMax,
  nMax,
  requestsMax,
  ttlMsMax,
  valueBytesMax,
} from "../core/limits.ts";
import { faultOfBucketName } from "../core/ring/buckets.ts";
import { asciiOf, copyOf } from "../core/slab.ts";
import { ClusterError } from "../errors.ts";
import type { BucketProperties, BytesInput, ConnectOptions } from "./api.ts";
import { Context } from "./context.ts";
import { tlsFrom } from "./tls.ts";

const encoder = new TextEncoder();

/** A copy, so that the caller may reuse the buffer: `slice` of a Buffer would be a view of it. */
export function bytesOf(input: BytesInput, what: string): Uint8Array {
  if (input instanceof Uint8Array) return copyOf(input);
  if (typeof input !== "string") {
    throw new TypeError(`a ${what} is a string or a Uint8Array, not ${describe(input)}`);
  }
  const ascii = asciiOf(input);
  if (ascii !== undefined) return ascii;
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

export function valueFrom(input: BytesInput): Uint8Array {
  const value = bytesOf(input, "value");
  if (value.length <= valueBytesMax) return value;
  const message = `a value has at most ${valueBytesMax} bytes, this one has ${value.length}`;
  throw new ClusterError("VALUE_TOO_LARGE", message);
}

export function prefixFrom(input: BytesInput | undefined): Uint8Array {
  const bytes = input === undefined ? new Uint8Array(0) : bytesOf(input, "prefix");
  if (bytes.length <= keyBytesMax) return bytes;
  const message = `a prefix has at most ${keyBytesMax} bytes, as a key, not ${bytes.length}`;
  throw new ClusterError("KEY_TOO_LARGE", message);
}

/** A longer one would end the connection, and with it the calls of others. */
export function contextFrom(given: Context | undefined): Context | undefined {
  if (given === undefined) return undefined;
  if (!(given instanceof Context)) {
    throw new TypeError(`a context is what get or put returned, or Context.parse made of its text`);
  }
  if (given.bytes.length <= contextBytesMax) return given;
  const message = `a context has at most ${contextBytesMax} bytes, this one ${given.bytes.length}`;
  throw new ClusterError("CONTEXT_TOO_LARGE", `${message}; use the one of a new read`);
}

export function signalFrom(given: AbortSignal | undefined): AbortSignal | undefined {
  if (given === undefined || given instanceof AbortSignal) return given;
  throw new TypeError(`a signal is an AbortSignal, not ${describe(given)}`);
}

export function limitFrom(given: number | undefined): number {
  if (given === undefined) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(given) && given >= 0) return given;
  throw new ClusterError("RANGE_INVALID", `limit is a whole number from 0, not ${String(given)}`);
}

/** What `connect` was given, with the defaults filled in. */
export function settingsFrom(options: ConnectOptions) {
  const { routing, requestsMax: most, token, hedge, dc } = options;
  if (routing !== undefined && routing !== "aware" && routing !== "any") {
    const message = `routing is "aware" or "any", not ${JSON.stringify(routing)}`;
    throw new ClusterError("INVALID_ARGUMENT", message);
  }
  if (most !== undefined && !(Number.isInteger(most) && most >= 1)) {
    const message = `requestsMax is a whole number from 1, not ${String(most)}`;
    throw new ClusterError("INVALID_ARGUMENT", message);
  }
  if (dc !== undefined && typeof dc !== "string") {
    throw new TypeError(`dc is the name of a data centre, not ${describe(dc)}`);
  }
  // Others would end the header, or could not be sent in one.
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    const message = "a token is made of printable ASCII characters without spaces";
    throw new ClusterError("INVALID_ARGUMENT", message);
  }
  return {
    isAware: routing !== "any",
    callsMax: most ?? requestsMax,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    tls: tlsFrom(options.tls),
    hedge: hedge !== false,
    dc,
  };
}

export function checkBucket(name: string): void {
  if (typeof name !== "string") throw new TypeError(`a bucket's name is a string`);
  const fault = faultOfBucketName(name);
  if (fault === undefined) return;
  const shown = JSON.stringify(name.slice(0, bucketBytesMax));
  throw new ClusterError("INVALID_ARGUMENT", `${fault}: ${shown}`);
}

/** Only what is known, so that a misspelt property is not silently dropped. */
export function propertiesFrom(given: BucketProperties): BucketProperties {
  const { r, w, resolver, ttlMs, ...unknown } = given;
  const [other] = Object.keys(unknown);
  const lifeMs = ttlMs === Number.POSITIVE_INFINITY ? 0 : ttlMs;
  if (other === undefined) return { r, w, resolver, ttlMs: lifeMs };
  const message = `a bucket has r, w, resolver and ttlMs, but no ${JSON.stringify(other)}`;
  throw new ClusterError("INVALID_ARGUMENT", message);
}

export function timeoutFrom(given: number | undefined, fallback = deadlineMsDefault): number {
  const timeoutMs = given ?? fallback;
  const isNumber = typeof timeoutMs === "number";
  if (!isNumber || !(timeoutMs >= deadlineMsMin && timeoutMs <= deadlineMsMax)) {
    const bounds = `${deadlineMsMin} to ${deadlineMsMax} milliseconds`;
    throw new ClusterError("DEADLINE_INVALID", `timeoutMs is ${bounds}, not ${String(timeoutMs)}`);
  }
  return timeoutMs;
}

export function quorumFrom(name: "r" | "w", given: number | undefined): number | undefined {
  if (given === undefined || (Number.isInteger(given) && given >= 1 && given <= nMax)) return given;
  const message = `${name} is a whole number from 1 to n (at most ${nMax}), not ${String(given)}`;
  throw new ClusterError("QUORUM_INVALID", message);
}

/** As a command says it: 0 is never. A caller's 0 is none: a time that has run out is no time. */
export function ttlFrom(given: number | undefined): number | undefined {
  if (given === undefined) return undefined;
  if (given === Number.POSITIVE_INFINITY) return 0;
  if (Number.isFinite(given) && given > 0 && given <= ttlMsMax) return Math.ceil(given);
  const message =
    "ttlMs is above 0 and at most ten years in milliseconds, or Infinity for never, not " +
    String(given);
  throw new ClusterError("TTL_INVALID", message);
}
