/**
 * What of a partition is here already, leaf by leaf of its tree: so a transfer that was cut off
 * goes on where it was, without a record of its own, and sends no key a second time.
 */
import type { Partition } from "../ids.ts";
import type { Hash } from "../message.ts";
import { leavesPerTree } from "../sync/merkle.ts";

export const leafMapBytes = leavesPerTree / 8;

/** One bit a leaf, the lowest first: set where there is something. */
export function occupiedLeaves(leaves: readonly Hash[]): Uint8Array {
  const map = new Uint8Array(leafMapBytes);
  leaves.forEach(({ high, low }, leaf) => {
    if (high !== 0 || low !== 0) map[leaf >> 3]! |= 1 << (leaf & 7);
  });
  return map;
}

export function isMarked(map: Uint8Array, leaf: number): boolean {
  return (((map[leaf >> 3] ?? 0) >> (leaf & 7)) & 1) === 1;
}

export function countMarked(map: Uint8Array): number {
  let count = 0;
  for (let leaf = 0; leaf < leavesPerTree; leaf++) count += Number(isMarked(map, leaf));
  return count;
}

/** The part of a partition that lies before a token, from 0 to 1: tokens are spread evenly. */
export function partBefore(token: Hash, partition: Partition, partitions: number): number {
  const width = 2 ** 32 / partitions;
  const place = token.high + token.low / 2 ** 32;
  return Math.min(1, Math.max(0, (place - partition * width) / width));
}
