/** One put or delete as the commit path takes it, and the way there from a caller's batch. */
import type { BatchOperation } from "./api.ts";
import { batchBytesMax, keyBytesMax, valueBytesMax } from "./base/limits.ts";
import { describe, utf8Bytes } from "./base/text.ts";
import { kindExpiring, kindTombstone, kindValue } from "./cursor.ts";
import { EngineError } from "./errors.ts";
import { expiryOf } from "./expiry.ts";
import { keyTooLarge } from "./key-register.ts";
import { operationBytes } from "./log/operation.ts";

export interface Write {
  readonly kind: number;
  readonly key: string | Uint8Array;
  readonly value: string | Uint8Array;
  /** Absolute, in milliseconds; 0 for never. */
  readonly expiry: number;
}

const nothing = new Uint8Array(0);

/** Checks a batch's operation and turns its time to live, counted from `now`, into an expiry. */
export function writeOf(operation: BatchOperation, now: number): Write {
  if (operation?.type === "del") {
    return { kind: kindTombstone, key: operation.key, value: nothing, expiry: 0 };
  }
  if (operation?.type !== "put") {
    throw new TypeError('a batch operation must have type "put" or "del"');
  }
  const { key, value, ttlMs } = operation;
  if (ttlMs === undefined) return { kind: kindValue, key, value, expiry: 0 };
  return { kind: kindExpiring, key, value, expiry: expiryOf(ttlMs, now) };
}

/** The same with bytes of its own: the caller may change his once the call has returned. */
export function copyOf(write: Write): Write {
  return { ...write, key: ownBytes(write.key), value: ownBytes(write.value) };
}

function ownBytes(input: string | Uint8Array): string | Uint8Array {
  return typeof input === "string" ? input : new Uint8Array(input);
}

/** Bytes that an operation can take at most; refuses what is over a limit or of a wrong type. */
export function boundOf(
  kind: number,
  key: string | Uint8Array,
  value: string | Uint8Array,
): number {
  const keyBytes = bytesOf(key, "key");
  if (keyBytes > keyBytesMax) throw keyTooLarge(keyBytes);
  const valueBytes = bytesOf(value, "value");
  if (valueBytes > valueBytesMax) {
    throw new EngineError(
      "VALUE_TOO_LARGE",
      `value is ${valueBytes} bytes, the limit is ${valueBytesMax}`,
    );
  }
  return operationBytes(kind, keyBytes, valueBytes);
}

/** Refuses a batch that no log could hold in one record. */
export function checkBatch(bytes: number): void {
  if (bytes <= batchBytesMax) return;
  throw new EngineError(
    "BATCH_TOO_LARGE",
    `batch is ${bytes} bytes in the log, the limit is ${batchBytesMax}; split it`,
  );
}

function bytesOf(input: string | Uint8Array, what: string): number {
  if (typeof input === "string") return utf8Bytes(input);
  if (input instanceof Uint8Array) return input.length;
  throw new TypeError(`${what} must be a string or a Uint8Array, got ${describe(input)}`);
}
