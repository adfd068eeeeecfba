/**
 * Which bits tell keys apart. A bit that is the same in every key can be left out without changing
 * their order: of decimal digits four bits in eight remain. Together with all that the keys share
 * at their beginning, this lets a few bits say much.
 */
import { keyLengthMask, keyOffset } from "./operation.ts";

/** Bits in all. Sums of their worths are whole numbers, exact in a double. */
const bitsMax = 40;
/** So many bytes behind the shared prefix are looked at. */
const bytesMax = 16;
/** After so many keys it is seen whether anything can be left out at all. */
const triedFirst = 256;

export interface TellingBits {
  /** Bytes of a key that tell something, from the first on. */
  readonly positions: Int32Array;
  /** What a byte adds to the 40 bits: 256 values for each position. Behind a key's end is 0. */
  readonly worth: Float64Array;
}

/**
 * Of the operations at these offsets, whose keys all share their first `skip` bytes. None when no
 * bit of the first 40 can be left out, which shows after a few dozens of random keys.
 */
export function tellingBits(
  arena: Uint8Array,
  words: Int32Array,
  offsets: Int32Array,
  skip: number,
): TellingBits | undefined {
  const differing = differingBits(arena, words, offsets, skip);
  if (differing === undefined) return undefined;
  const positions: number[] = [];
  const widths: number[] = [];
  let left = bitsMax;
  for (let p = 0; p < bytesMax && left > 0; p++) {
    const bits = bitCount(differing[p]!);
    if (bits === 0) continue;
    positions.push(p);
    widths.push(Math.min(bits, left));
    left -= Math.min(bits, left);
  }
  const worth = new Float64Array(positions.length << 8);
  let above = bitsMax;
  positions.forEach((position, p) => {
    const width = widths[p]!;
    above -= width;
    const mask = differing[position]!;
    const dropped = bitCount(mask) - width;
    for (let byte = 0; byte < 256; byte++) {
      worth[(p << 8) | byte] = (gathered(byte, mask) >>> dropped) * 2 ** above;
    }
  });
  return { positions: Int32Array.from(positions, (position) => position + skip), worth };
}

/**
 * For each byte behind the shared prefix, the bits in which not all keys are the same; undefined
 * when those are all bits of the first bytes.
 */
function differingBits(
  arena: Uint8Array,
  words: Int32Array,
  offsets: Int32Array,
  skip: number,
): Uint8Array | undefined {
  const differing = new Uint8Array(bytesMax);
  const first = new Uint8Array(bytesMax);
  for (let i = 0; i < offsets.length; i++) {
    if (i === triedFirst && differing.subarray(0, bitsMax / 8).every((bits) => bits === 0xff)) {
      return undefined;
    }
    const operation = offsets[i]!;
    const kindAndKey = words[(operation >>> 2) + 1]!;
    const length = (kindAndKey & keyLengthMask) - skip;
    const at = keyOffset(operation, kindAndKey >>> 24) + skip;
    for (let p = 0; p < bytesMax; p++) {
      const byte = p < length ? arena[at + p]! : 0;
      if (i === 0) first[p] = byte;
      differing[p]! |= byte ^ first[p]!;
    }
  }
  return differing;
}

/** The bits of a byte that stand in the mask, moved together. */
function gathered(byte: number, mask: number): number {
  let bits = 0;
  for (let bit = 7; bit >= 0; bit--) {
    if ((mask & (1 << bit)) !== 0) bits = (bits << 1) | ((byte >>> bit) & 1);
  }
  return bits;
}

function bitCount(mask: number): number {
  let bits = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
