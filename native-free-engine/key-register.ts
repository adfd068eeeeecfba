/**
 * One buffer into which each key that is looked up is copied (about 10 ns), so that everything
 * behind it sees one kind of array: a call site that meets both Buffer and Uint8Array runs 1.7
 * times slower. Nothing may hold on to it across a turn or an await: the next call overwrites it.
 */
import { keyBytesMax } from "./base/limits.ts";
import { describe, refuseLoneSurrogates, utf8Bytes } from "./base/text.ts";
import { EngineError } from "./errors.ts";

export const register = new Uint8Array(keyBytesMax);
const registerBuffer = Buffer.from(register.buffer);
/** Up to this length a loop over char codes beats a call into the runtime. */
const loopMax = 40;

/** Copies a key into the register and returns its length; throws on anything that is no key. */
export function takeKey(key: string | Uint8Array): number {
  return typeof key === "string" ? takeText(key) : takeBytes(key);
}

/** The bytes of a key that must outlive this call. */
export function copyOfKey(key: string | Uint8Array): Uint8Array {
  return register.slice(0, takeKey(key));
}

export function keyTooLarge(bytes: number): EngineError {
  return new EngineError("KEY_TOO_LARGE", `key is ${bytes} bytes, the limit is ${keyBytesMax}`);
}

function takeText(key: string): number {
  const length = key.length;
  if (length <= loopMax) {
    let i = 0;
    for (; i < length; i++) {
      const unit = key.charCodeAt(i);
      if (unit > 0x7f) break;
      register[i] = unit;
    }
    if (i === length) return length;
    refuseLoneSurrogates(key);
    return registerBuffer.write(key, 0, "utf8");
  }
  const bytes = utf8Bytes(key);
  if (bytes > keyBytesMax) throw keyTooLarge(bytes);
  return registerBuffer.write(key, 0, "utf8");
}

function takeBytes(key: Uint8Array): number {
  if (!(key instanceof Uint8Array)) {
    throw new TypeError(`key must be a string or a Uint8Array, got ${describe(key)}`);
  }
  const length = key.length;
  if (length > keyBytesMax) throw keyTooLarge(length);
  if (length <= loopMax) {
    for (let i = 0; i < length; i++) register[i] = key[i]!;
  } else {
    register.set(key);
  }
  return length;
}
