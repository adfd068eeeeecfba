/** Times to live: checked, and turned into the absolute time at which an entry disappears. */
import { describe } from "./base/text.ts";
import { EngineError } from "./errors.ts";

/** Ten years: a longer one is a mistake in the unit. */
export const ttlMsMax = 10 * 365 * 24 * 3600 * 1000;

export function expiryOf(ttlMs: number, now: number): number {
  if (typeof ttlMs !== "number") {
    throw new TypeError(`ttlMs must be a number of milliseconds, got ${describe(ttlMs)}`);
  }
  if (!(ttlMs > 0 && ttlMs <= ttlMsMax)) {
    throw new EngineError(
      "TTL_INVALID",
      `ttlMs is ${ttlMs}, it must be above 0 and at most ${ttlMsMax} (ten years)`,
    );
  }
  return Math.ceil(now + ttlMs);
}
