/**
 * The answer of a lookup in one source: how it went, and where the entry is.
 */

/** How a lookup went. `needsDisk`: the answer is not in memory, and reading was not allowed. */
export const absent = 0;
export const present = 1;
export const needsDisk = 2;

/**
 * Where a lookup left its answer. The value is `bytes[at, +length]`, in a buffer that the next
 * lookup may overwrite: copy it first. Reused between lookups, because a hit should allocate
 * nothing but the copy.
 */
export interface Found {
  bytes: Uint8Array;
  at: number;
  length: number;
  kind: number;
  /** Absolute expiry in milliseconds, 0 for never. */
  expiry: number;
  /** 0 where the table does not keep it, because no snapshot could tell. */
  sequence: number;
}

const nothing = new Uint8Array(0);

export function emptyFound(): Found {
  return { bytes: nothing, at: 0, length: 0, kind: 0, expiry: 0, sequence: 0 };
}
