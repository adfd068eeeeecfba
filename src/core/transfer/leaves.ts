/**
 * What of a partition is here already, leaf by leaf of its tree: so a transfer that was cut off
 * goes on where it was, without a record of its own, and sends no key a second time.
 */
import type { Partition } from "../ids.ts";
import type { Hash } from "../message.ts";
import { leavesPerTree } from "../sync/merkle.ts";

/** Of a map with one bit a leaf, the lowest first. */
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
