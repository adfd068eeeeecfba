/** What a request gets that does not say: its bucket's, else the node's own. */
import type { Millis } from "../ids.ts";
import { bucketIn } from "../ring/buckets.ts";
import type { RingView } from "../views.ts";

export interface Defaults {
  readonly r: number;
  readonly w: number;
  /** 0: never expires. */
  readonly ttlMs: Millis;
}

export function defaultsOf(
  own: { readonly r: number; readonly w: number; ring(): RingView },
  bucket: string,
): Defaults {
  const { r, w } = own;
  const record = bucketIn(own.ring().state, bucket);
  if (record === undefined) return { r, w, ttlMs: 0 };
  return { r: record.r || r, w: record.w || w, ttlMs: record.ttlMs };
}
