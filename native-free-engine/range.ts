/** Ranges at the door: gt, gte, lt and lte become [low, high) in bytes. */
import type { BytesInput, Range } from "./api.ts";
import { copyOfKey, register, takeKey } from "./key-register.ts";
import type { ScanBounds } from "./scan.ts";

/** Checks and copies the bounds. Where gt and gte (or lt and lte) are given, gte (lte) holds. */
export function boundsOf(range: Range): ScanBounds {
  return {
    low: bound(range.gte, range.gt),
    high: range.lte === undefined ? bound(range.lt, undefined) : bound(undefined, range.lte),
  };
}

/** The key itself, or the smallest key above it. */
function bound(
  from: BytesInput | undefined,
  above: BytesInput | undefined,
): Uint8Array | undefined {
  if (from !== undefined) return copyOfKey(from);
  if (above === undefined) return undefined;
  const length = takeKey(above);
  const successor = new Uint8Array(length + 1);
  successor.set(register.subarray(0, length));
  return successor;
}
