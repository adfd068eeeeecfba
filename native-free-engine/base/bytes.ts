/**
 * Bytes without ceremony: comparing, and fixed-width little-endian integers in place.
 * Every function takes (bytes, offset) pairs, never a fresh view: a `subarray` costs about 45 ns
 * in V8, more than most of what is done here.
 */

/** Orders two byte ranges as unsigned bytes, shorter first on a tie. */
export function compareBytes(
  a: Uint8Array,
  aAt: number,
  aLength: number,
  b: Uint8Array,
  bAt: number,
  bLength: number,
): number {
  const shared = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < shared; i++) {
    const difference = a[aAt + i]! - b[bAt + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** Orders two whole arrays. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

/** How many leading bytes two ranges have in common. */
export function sharedPrefixBytes(
  a: Uint8Array,
  aAt: number,
  aLength: number,
  b: Uint8Array,
  bAt: number,
  bLength: number,
): number {
  const shared = aLength < bLength ? aLength : bLength;
  let i = 0;
  while (i < shared && a[aAt + i] === b[bAt + i]) i++;
  return i;
}

/**
 * The first six bytes as an exact number whose order is byte order; absent bytes count as zero,
 * so equal heads still need a comparison of the bytes.
 */
export function headOf(bytes: Uint8Array, at: number, length: number): number {
  if (length >= 6) {
    const high = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const low = (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!;
    return high * 16777216 + low;
  }
  let head = 0;
  for (let i = 0; i < 6; i++) head = head * 256 + (i < length ? bytes[at + i]! : 0);
  return head;
}

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function readU32(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  return (low | (bytes[at + 3]! << 24)) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Six bytes: sequences and times, exact in a double. */
export function readU48(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU16(bytes, at + 4) * 4294967296;
}

export function writeU48(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0);
  writeU16(bytes, at + 4, Math.floor(value / 4294967296));
}

/** Eight bytes on disk, of which a number holds 53 bits: the caller checks the bound. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 4294967296;
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value >>> 0);
  writeU32(bytes, at + 4, Math.floor(value / 4294967296));
}

/** How many bytes `writeVarint` takes. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** LEB128 of an unsigned 32-bit integer; returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while (rest >= 0x80) {
    bytes[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[next++] = rest;
  return next;
}
