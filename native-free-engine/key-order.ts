/** Comparing the keys of entries that stand in two pieces: a block's prefix and a suffix. */
import type { Cursor } from "./cursor.ts";

/** Where a key stands; a cursor is that of its entry. */
export type KeyPlace = Pick<
  Cursor,
  "bytes" | "prefixAt" | "prefixLength" | "suffixAt" | "suffixLength" | "head"
>;

/** A place to keep: the bytes it points to must not be written again. */
export function emptyPlace(): { -readonly [Field in keyof KeyPlace]: KeyPlace[Field] } {
  return {
    bytes: new Uint8Array(0),
    prefixAt: 0,
    prefixLength: 0,
    suffixAt: 0,
    suffixLength: 0,
    head: Number.NaN,
  };
}

/** Orders two keys by their bytes. Compare heads first: they decide most cases in a nanosecond. */
export function compareKeys(a: KeyPlace, b: KeyPlace): number {
  const aLength = a.prefixLength + a.suffixLength;
  const bLength = b.prefixLength + b.suffixLength;
  const aBytes = a.bytes;
  const bBytes = b.bytes;
  // From byte i on, a key continues at this distance: first in the prefix, then in the suffix.
  let aShift = a.prefixAt;
  let bShift = b.prefixAt;
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    if (i === a.prefixLength) aShift = a.suffixAt - i;
    if (i === b.prefixLength) bShift = b.suffixAt - i;
    const difference = aBytes[aShift + i]! - bBytes[bShift + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

export function isSameKey(a: KeyPlace, b: KeyPlace): boolean {
  return a.head === b.head && compareKeys(a, b) === 0;
}
