/** One put or delete as the commit path takes it, and the way there from a caller's batch. */
import type { BatchOperation } from "./api.ts";
import { kindExpiring, kindTombstone, kindValue } from "./cursor.ts";
import { expiryOf } from "./expiry.ts";

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
