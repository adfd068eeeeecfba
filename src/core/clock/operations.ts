/**
 * The identities of client operations that were superseded, kept beside a vector. A retried
 * write may have been coordinated twice, under two dots: its identity tells that both are one,
 * also when the second copy arrives after the first was overwritten.
 */

import type { Millis } from "../ids.ts";
import { recentOperationsMax, retriedOperationsMax } from "../limits.ts";

export interface Operation {
  /** When the client began it, by the client's clock; 48 bits. */
  readonly at: Millis;
  /** 32 random bits of the client. */
  readonly nonce: number;
  /** Some attempt was not the first. Those are remembered longest. */
  readonly retried: boolean;
}

/** Newest first. */
export type Operations = readonly Operation[];

export const noOperations: Operations = [];

export function isSame(a: Operation, b: Operation): boolean {
  return a.nonce === b.nonce && a.at === b.at;
}

export function holds(operations: Operations, operation: Operation): boolean {
  for (const known of operations) if (isSame(known, operation)) return true;
  return false;
}

/**
 * The union, bounded: a join, whatever was dropped on either side before. `a` is in order; `b` may
 * be in any, with repetitions.
 */
export function joinOperations(a: Operations, b: readonly Operation[]): Operations {
  if (a === b || b.length === 0) return a;
  const others = isSorted(b) ? b : [...b].sort(newestFirst);
  const union: Operation[] = [];
  let last: Operation | undefined;
  let i = 0;
  for (const right of others) {
    for (let left = a[i]; left !== undefined && newestFirst(left, right) <= 0; left = a[++i]) {
      if (last === undefined || !isSame(last, left)) union.push(left);
      last = left;
    }
    if (last === undefined || !isSame(last, right)) union.push(right);
    last = right;
  }
  for (let left = a[i]; left !== undefined; left = a[++i]) {
    if (last === undefined || !isSame(last, left)) union.push(left);
    last = left;
  }
  return union.length <= recentOperationsMax ? union : bounded(union);
}

function isSorted(operations: readonly Operation[]): boolean {
  let before: Operation | undefined;
  for (const operation of operations) {
    if (before !== undefined && newestFirst(before, operation) > 0) return false;
    before = operation;
  }
  return true;
}

/**
 * The newest of all, and far more of the retried ones. The first rule looks at all alike: if it
 * looked at the others only, one that turns out as retried would have pushed another out for
 * nothing, and the order in which replicas meet would matter.
 */
function bounded(sorted: readonly Operation[]): Operations {
  let retried = 0;
  return sorted.filter((operation, rank) => {
    if (operation.retried) retried += 1;
    return rank < recentOperationsMax || (operation.retried && retried <= retriedOperationsMax);
  });
}

/** A retried mention comes before one that is not, so that it is the one that stays. */
function newestFirst(a: Operation, b: Operation): number {
  return b.at - a.at || b.nonce - a.nonce || Number(b.retried) - Number(a.retried);
}
