/**
 * Version vectors: for each actor the newest of its events that is known, and with it every
 * earlier one on the same key. Entries are sorted by actor. (Dynamo, section 4.4, calls them
 * vector clocks.)
 */
import type { Actor, Millis } from "../ids.ts";

export interface VectorEntry {
  readonly actor: Actor;
  readonly counter: number;
  /** When the entry last grew; 0 unless vectors are truncated by age (see truncate). */
  readonly time: Millis;
}

export type Vector = readonly VectorEntry[];

/** How one vector stands to another. `before`: all of its events are among the other's. */
export type Order = "equal" | "before" | "after" | "concurrent";

export const emptyVector: Vector = [];

/** The counter of an actor; 0 when the vector does not know it. */
export function counterOf(vector: Vector, actor: Actor): number {
  for (const entry of vector) if (entry.actor === actor) return entry.counter;
  return 0;
}

/** The vector with this event, and so all earlier ones of the actor. */
export function withEvent(vector: Vector, event: VectorEntry): Vector {
  const next: VectorEntry[] = [];
  let isPlaced = false;
  for (const entry of vector) {
    if (entry.actor < event.actor) next.push(entry);
    else if (entry.actor === event.actor) {
      next.push(newer(entry, event));
      isPlaced = true;
    } else {
      if (!isPlaced) next.push(event);
      isPlaced = true;
      next.push(entry);
    }
  }
  if (!isPlaced) next.push(event);
  return next;
}

/** The events of both: the least vector that is after or equal to each. */
export function join(a: Vector, b: Vector): Vector {
  if (a === b || b.length === 0) return a;
  if (a.length === 0) return b;
  const joined: VectorEntry[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = a[i];
    const right = b[j];
    if (right === undefined || (left !== undefined && left.actor < right.actor)) {
      if (left !== undefined) joined.push(left);
      i += 1;
    } else if (left === undefined || right.actor < left.actor) {
      joined.push(right);
      j += 1;
    } else {
      joined.push(newer(left, right));
      i += 1;
      j += 1;
    }
  }
  return joined;
}

export function compareVectors(a: Vector, b: Vector): Order {
  const isIn = includes(b, a);
  const holds = includes(a, b);
  if (isIn) return holds ? "equal" : "before";
  return holds ? "after" : "concurrent";
}

/** Every event of `part` is an event of `whole`: part is an ancestor of whole, or equal. */
export function includes(whole: Vector, part: Vector): boolean {
  for (const { actor, counter } of part) if (counterOf(whole, actor) < counter) return false;
  return true;
}

/**
 * The mitigation of the paper (section 4.4): beyond the threshold the oldest entries are dropped.
 * It can forge conflicts, because an ancestor may no longer be known as one; off by default.
 */
export function truncate(vector: Vector, threshold: number): Vector {
  if (vector.length <= threshold) return vector;
  const byAge = [...vector].sort((a, b) => b.time - a.time || (a.actor < b.actor ? -1 : 1));
  return byAge.slice(0, threshold).sort((a, b) => (a.actor < b.actor ? -1 : 1));
}

function newer(a: VectorEntry, b: VectorEntry): VectorEntry {
  if (a.counter !== b.counter) return a.counter > b.counter ? a : b;
  return a.time >= b.time ? a : b;
}
