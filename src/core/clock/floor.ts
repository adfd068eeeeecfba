/**
 * What may be forgotten of the causal past of a partition. A floor says, for each actor, up to
 * which of its events all owners of the partition once had everything: stored or superseded, at
 * every one of them, proven by a clean-up round (cleanup/cleanup.ts).
 *
 * Below the floor a past explains nothing any more, so it is stripped, and of a tombstone nothing
 * is left. What then keeps the deleted from coming back is the floor itself: whatever comes from an
 * older round and is below it, but is not here, was superseded. The floor never removes a sibling
 * that is stored, and never makes anything known: it only keeps the old out, and empties out.
 */
import type { Actor, Millis } from "../ids.ts";
import { counterOf } from "./vector.ts";
import {
  type Dot,
  isEmpty,
  knows,
  noVersions,
  type Sibling,
  siblingAt,
  type Versions,
  vectorBelow,
} from "./versions.ts";

export interface Floor {
  /** Grows with each round; 0 before the first. */
  readonly round: number;
  readonly events: ReadonlyMap<Actor, number>;
  /** Siblings below the floor that had expired by then are superseded. */
  readonly expiredBefore: Millis;
}

/** A floor as it travels: the newest event of each actor, sorted by actor. */
export interface FloorNews {
  readonly round: number;
  readonly events: readonly Dot[];
  readonly expiredBefore: Millis;
}

export const noFloor: Floor = { round: 0, events: new Map(), expiredBefore: 0 };

export function isBelow(floor: Floor, { actor, counter }: Dot): boolean {
  return (floor.events.get(actor) ?? 0) >= counter;
}

/** The floor of a newer round. What was proven once stays so. */
export function raised(floor: Floor, { round, events, expiredBefore }: FloorNews): Floor {
  const all = new Map(floor.events);
  for (const { actor, counter } of events) {
    if ((all.get(actor) ?? 0) < counter) all.set(actor, counter);
  }
  return { round, events: all, expiredBefore: Math.max(floor.expiredBefore, expiredBefore) };
}

export function newsOf({ round, events, expiredBefore }: Floor): FloorNews {
  return { round, events: sortedEvents(events), expiredBefore };
}

export function sortedEvents(events: ReadonlyMap<Actor, number>): readonly Dot[] {
  return [...events]
    .map(([actor, counter]) => ({ actor, counter }))
    .sort((a, b) => (a.actor < b.actor ? -1 : 1));
}

/** Whether there is more than a clean-up leaves of a key: siblings with their dots. */
export function hasPast({ vector, dots, operations, siblings }: Versions): boolean {
  if (vector.length > 0 || dots.length > 0 || operations.length > 0) return true;
  for (const { operation } of siblings) if (operation !== undefined) return true;
  return siblings.length === 0;
}

/**
 * The form that all owners with this floor come to. All of the past goes or none of it: an entry
 * below the floor may still be what an event above it was known by (the mutant `entrystrip` of the
 * model brings the deleted back).
 */
export function stripped(versions: Versions, floor: Floor): Versions {
  if (floor.round === 0 || isEmpty(versions)) return versions;
  const { vector, dots, siblings } = versions;
  for (const entry of vector) if (!isBelow(floor, entry)) return versions;
  for (const dot of dots) if (!isBelow(floor, dot)) return versions;
  let isChanged = hasPast(versions);
  for (const { dot, expiresAt } of siblings) {
    if (!isBelow(floor, dot)) return versions;
    if (expiresAt > 0 && expiresAt <= floor.expiredBefore) isChanged = true;
  }
  if (!isChanged) return versions;
  const left = siblings
    .filter(({ expiresAt }) => expiresAt === 0 || expiresAt > floor.expiredBefore)
    .map((sibling) =>
      sibling.operation === undefined ? sibling : { ...sibling, operation: undefined },
    );
  return left.length === 0 ? noVersions : { ...noVersions, siblings: left };
}

/**
 * What came from an older round, without the siblings that were superseded since: they are below
 * the floor and neither stored nor known here. They are not claimed to be superseded either, lest
 * a store that has lost them makes others lose them.
 */
export function withoutStale(incoming: Versions, held: Versions, floor: Floor): Versions {
  return without(
    incoming,
    ({ dot }) => isBelow(floor, dot) && siblingAt(held, dot) === undefined && !knows(held, dot),
  );
}

/**
 * What may stay of a store that was not there when the floor was proven: nothing below it. Siblings
 * that are well come again from the other owners, all of which have them.
 */
export function withoutUnproven(versions: Versions, floor: Floor): Versions {
  return without(versions, ({ dot }) => isBelow(floor, dot));
}

function without(versions: Versions, isGone: (sibling: Sibling) => boolean): Versions {
  const gone = versions.siblings.filter(isGone);
  if (gone.length === 0) return versions;
  const removed = gone.map(({ dot }) => dot);
  const siblings = versions.siblings.filter((sibling) => !gone.includes(sibling));
  const vector = vectorBelow(versions.vector, removed);
  const dots = versions.dots.filter(({ actor, counter }) => counterOf(vector, actor) < counter);
  return { vector, dots, operations: versions.operations, siblings };
}
