/** The order of keys within a partition: by token, then bucket, then key; as stores keep them. */
import type { Key } from "../key.ts";

const encoder = new TextEncoder();

export function compareKeys(a: Key, b: Key): number {
  if (a.high !== b.high) return a.high - b.high;
  if (a.low !== b.low) return a.low - b.low;
  if (a.bucket !== b.bucket) {
    const [left, right] = [encoder.encode(a.bucket), encoder.encode(b.bucket)];
    return left.length - right.length || compareBytes(left, right);
  }
  return compareBytes(a.bytes, b.bytes);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
