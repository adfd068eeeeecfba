/**
 * All that a node keeps of one key: the siblings, each with the dot of the write that made it, and
 * what is known to be superseded. Dotted version vectors: a sibling goes exactly when a write that
 * saw it is known, so concurrent writes are never lost and never multiply.
 *
 * An event is known when the vector reaches it, when it is among the extra dots, or when it is the
 * dot of a sibling. `merge` is a join: commutative, associative, idempotent.
 */
import type { Actor, Millis } from "../ids.ts";
import {
  holds,
  isSame,
  joinOperations,
  noOperations,
  type Operation,
  type Operations,
} from "./operations.ts";
import {
  counterOf,
  emptyVector,
  includes,
  join,
  type Vector,
  type VectorEntry,
  withEvent,
} from "./vector.ts";

/** One write: the counter runs per (actor, partition), never per key. */
export interface Dot {
  readonly actor: Actor;
  readonly counter: number;
}

export interface Sibling {
  readonly dot: Dot;
  /** Absent once stripped, when no late duplicate can come any more. */
  readonly operation: Operation | undefined;
  /** The coordinator's clock at the write: what `lww` goes by, and people read. */
  readonly time: Millis;
  /** From then on the value is hidden; 0 means never. Changes neither version nor hash. */
  readonly expiresAt: Millis;
  readonly value: Uint8Array;
}

/** What a reader saw, and so what a write that carries it supersedes. Opaque to clients. */
export interface CausalContext {
  readonly vector: Vector;
  /** Events beyond the vector, sorted by actor, then counter. */
  readonly dots: readonly Dot[];
  readonly operations: Operations;
}

/** A key without siblings but with a context is deleted: a tombstone. */
export interface Versions extends CausalContext {
  /** Sorted by actor, then counter. */
  readonly siblings: readonly Sibling[];
}

/** A write as its coordinator makes it. Without a value it is a delete. */
export interface Change {
  readonly operation: Operation;
  readonly time: Millis;
  readonly expiresAt: Millis;
  readonly value: Uint8Array | undefined;
}

export const emptyContext: CausalContext = {
  vector: emptyVector,
  dots: [],
  operations: noOperations,
};

export const noVersions: Versions = { ...emptyContext, siblings: [] };

/** Whether the event is known to the context. */
export function knows(context: CausalContext, dot: Dot): boolean {
  return reaches(context.vector, dot) || hasDot(context.dots, dot);
}

/** Everything that both know: what every replica comes to, in whatever order news arrives. */
export function merge(a: Versions, b: Versions): Versions {
  if (a === b || isEmpty(b)) return a;
  if (isEmpty(a)) return b;
  const operations = joinOperations(a.operations, b.operations);
  const kept: Sibling[] = [];
  for (const sibling of a.siblings) {
    if (!knows(b, sibling.dot) || siblingAt(b, sibling.dot) !== undefined) kept.push(sibling);
  }
  for (const sibling of b.siblings) {
    const twin = siblingAt(a, sibling.dot);
    if (twin === undefined && !knows(a, sibling.dot)) kept.push(sibling);
    else if (twin !== undefined) settleTwin(kept, twin, sibling);
  }
  return settled(join(a.vector, b.vector), [...a.dots, ...b.dots], operations, kept);
}

/** The outcome of a write: a duplicate is an operation that is already there, or was. */
export interface Written {
  readonly versions: Versions;
  readonly isDuplicate: boolean;
  /** What the writer knows afterwards: what it named, and its own write. */
  readonly context: CausalContext;
}

/**
 * One write over what the coordinator holds: what the context names goes, all else stays beside
 * the new sibling. The actor must hold all that it ever wrote of this key, which is why its new
 * event may enter the vector.
 */
export function write(
  current: Versions,
  context: CausalContext,
  dot: Dot,
  change: Change,
): Written {
  const { operation, time, expiresAt, value } = change;
  const earlier = current.siblings.find((s) => isOperationOf(s, operation));
  if (earlier !== undefined || holds(current.operations, operation)) {
    const seen = contextAfter(context, current, { dot: earlier?.dot, operation });
    return { versions: current, isDuplicate: true, context: seen };
  }
  const kept: Sibling[] = [];
  const gone: Dot[] = [];
  const superseded: Operation[] = value === undefined ? [operation] : [];
  for (const sibling of current.siblings) {
    const isSeen =
      knows(context, sibling.dot) ||
      (sibling.operation !== undefined && holds(context.operations, sibling.operation));
    if (!isSeen) kept.push(sibling);
    else {
      gone.push(sibling.dot);
      if (isNews(context, sibling.operation)) superseded.push(sibling.operation);
    }
  }
  const vector = withEvent(join(current.vector, context.vector), {
    ...dot,
    time,
  });
  if (value !== undefined) kept.push({ dot, operation, time, expiresAt, value });
  const operations = joinOperations(
    current.operations,
    superseded.length === 0 ? context.operations : [...superseded, ...context.operations],
  );
  const versions = settled(
    vector,
    [...current.dots, ...context.dots, ...gone],
    value === undefined ? operations : without(operations, operation),
    kept,
  );
  const seen = contextAfter(context, versions, { dot, operation });
  return { versions, isDuplicate: false, context: seen };
}

/** What a reader of these versions has seen. */
export function contextOf(versions: Versions): CausalContext {
  const { vector, siblings } = versions;
  const dots = siblings.map(({ dot }) => dot).filter((dot) => !reaches(vector, dot));
  const operations = siblings.flatMap(({ operation }) => (operation ? [operation] : []));
  return {
    vector,
    dots: dots.length === 0 ? versions.dots : uniqueDots([...versions.dots, ...dots]),
    operations: joinOperations(versions.operations, operations),
  };
}

/** Whether every event that `part` knows is known to `whole` too. */
export function includesContext(whole: CausalContext, part: CausalContext): boolean {
  return includes(whole.vector, part.vector) && part.dots.every((dot) => knows(whole, dot));
}

/** Whether `versions` lacks something that `other` knows, so that a merge would change it. */
export function lacks(versions: Versions, other: Versions): boolean {
  return !isEqual(merge(versions, other), versions);
}

/** Same vector, same dots, same siblings. Remembered operations may differ. */
export function isEqual(a: Versions, b: Versions): boolean {
  if (a === b) return true;
  const { vector, dots, siblings } = a;
  if (vector.length !== b.vector.length || dots.length !== b.dots.length) return false;
  if (siblings.length !== b.siblings.length) return false;
  return (
    vector.every((entry, i) => {
      const twin = b.vector[i];
      return twin?.actor === entry.actor && twin.counter === entry.counter;
    }) &&
    dots.every((dot, i) => isSameDot(dot, b.dots[i])) &&
    siblings.every(({ dot }, i) => isSameDot(dot, b.siblings[i]?.dot))
  );
}

export function isEmpty({ vector, dots, siblings }: Versions): boolean {
  return vector.length === 0 && dots.length === 0 && siblings.length === 0;
}

export function isTombstone(versions: Versions): boolean {
  return versions.siblings.length === 0 && !isEmpty(versions);
}

export function compareDots(a: Dot, b: Dot): number {
  if (a.actor !== b.actor) return a.actor < b.actor ? -1 : 1;
  return a.counter - b.counter;
}

/** One form for one content: dots below the vector are implied, duplicates of an operation go. */
function settled(
  vector: Vector,
  dots: readonly Dot[],
  operations: Operations,
  found: readonly Sibling[],
): Versions {
  const siblings: Sibling[] = [];
  const gone: Dot[] = [];
  const sorted = found.length < 2 ? found : [...found].sort((a, b) => compareDots(a.dot, b.dot));
  for (const sibling of sorted) {
    const { operation } = sibling;
    const isGone = operation !== undefined && holds(operations, operation);
    // Of two copies of one operation the smaller dot stays, on every replica.
    const twin = operation ? siblings.findIndex((s) => isOperationOf(s, operation)) : -1;
    if (isGone || twin >= 0) gone.push(sibling.dot);
    else siblings.push(sibling);
    const first = siblings[twin];
    if (first !== undefined && operation?.retried) siblings[twin] = { ...first, operation };
  }
  const extra = dots.length + gone.length === 0 ? dots : [...dots, ...gone];
  const beyond = extra.filter(
    (dot) => !reaches(vector, dot) && !siblings.some((s) => isSameDot(s.dot, dot)),
  );
  return { vector, dots: uniqueDots(beyond), operations, siblings };
}

/** Mostly a context names what was seen with it; that it was retried may be known here alone. */
function isNews(context: CausalContext, operation: Operation | undefined): operation is Operation {
  if (operation === undefined) return false;
  return operation.retried || !holds(context.operations, operation);
}

/** Mostly it is not there: a client's context names no operation that is to come. */
function without(operations: Operations, operation: Operation): Operations {
  if (!holds(operations, operation)) return operations;
  return operations.filter((known) => !isSame(known, operation));
}

/**
 * What a writer knows after its write: what it named, its write as one more dot, and what is
 * superseded here, but no sibling that it has not seen. Without the superseded the context would
 * grow by a dot with every write.
 */
function contextAfter(
  context: CausalContext,
  versions: Versions,
  own: { readonly dot: Dot | undefined; readonly operation: Operation },
): CausalContext {
  const mine = own.dot === undefined ? [] : [own.dot];
  const unseen = versions.siblings.filter(
    ({ dot }) => !isSameDot(dot, own.dot) && !knows(context, dot),
  );
  // Another copy of a retried write is known here as superseded, but elsewhere it is the write.
  const mayHaveCopy = unseen.some(({ operation }) => operation?.retried);
  const beyond = [...mine, ...unseen.map(({ dot }) => dot)];
  const vector = mayHaveCopy
    ? context.vector
    : join(context.vector, vectorBelow(versions.vector, beyond));
  const dots = [...context.dots, ...mine].filter((dot) => !reaches(vector, dot));
  const operations = joinOperations(context.operations, [own.operation]);
  return { vector, dots: uniqueDots(dots), operations };
}

/** As much of the vector as does not reach any of the dots. */
export function vectorBelow(vector: Vector, dots: readonly Dot[]): Vector {
  const below: VectorEntry[] = [];
  for (const entry of vector) {
    let { counter } = entry;
    for (const dot of dots) {
      if (dot.actor === entry.actor && dot.counter <= counter) counter = dot.counter - 1;
    }
    if (counter > 0) below.push(counter === entry.counter ? entry : { ...entry, counter });
  }
  return below;
}

function reaches(vector: Vector, dot: Dot): boolean {
  return counterOf(vector, dot.actor) >= dot.counter;
}

/** Two replicas hold the same write; one of them may know that it was retried. */
function settleTwin(kept: Sibling[], twin: Sibling, other: Sibling): void {
  if (twin.operation === undefined || other.operation === undefined) {
    if (twin.operation === undefined) return;
    // Stripped on one side: stripped on both, or replicas would not come to the same form.
    kept[kept.indexOf(twin)] = other;
  } else if (other.operation.retried && !twin.operation.retried) {
    kept[kept.indexOf(twin)] = other;
  }
}

function isOperationOf(sibling: Sibling, operation: Operation): boolean {
  return sibling.operation !== undefined && isSame(sibling.operation, operation);
}

export function siblingAt(versions: Versions, dot: Dot): Sibling | undefined {
  for (const sibling of versions.siblings) if (isSameDot(sibling.dot, dot)) return sibling;
  return undefined;
}

function hasDot(dots: readonly Dot[], dot: Dot): boolean {
  for (const known of dots) if (isSameDot(known, dot)) return true;
  return false;
}

function isSameDot(a: Dot, b: Dot | undefined): boolean {
  return b !== undefined && a.counter === b.counter && a.actor === b.actor;
}

function uniqueDots(dots: readonly Dot[]): readonly Dot[] {
  if (dots.length < 2) return dots;
  const sorted = [...dots].sort(compareDots);
  return sorted.filter((dot, i) => !isSameDot(dot, sorted[i - 1]));
}
