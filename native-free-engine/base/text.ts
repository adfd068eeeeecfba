/**
 * Strings as bytes: a string stands for its UTF-8 form, and one that has none (a lone surrogate)
 * is refused, because replacing it would let two different keys become one.
 */
import { EngineError } from "../errors.ts";

/** UTF-8 length of a string that may be written; refuses strings without a UTF-8 form. */
export function utf8Bytes(text: string): number {
  const bytes = Buffer.byteLength(text, "utf8");
  if (bytes !== text.length) refuseLoneSurrogates(text);
  return bytes;
}

/** Where the first lone surrogate stands, or -1. */
export function loneSurrogateAt(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    const next = text.charCodeAt(i + 1);
    if (unit > 0xdbff || !(next >= 0xdc00 && next <= 0xdfff)) return i;
    i++;
  }
  return -1;
}

export function refuseLoneSurrogates(text: string): void {
  const at = loneSurrogateAt(text);
  if (at === -1) return;
  throw new EngineError(
    "KEY_ENCODING",
    `string contains a lone surrogate at index ${at} and has no UTF-8 form; pass bytes instead`,
  );
}

/** What a caller passed, for a TypeError that says so. */
export function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return value.constructor?.name ?? "object";
}
