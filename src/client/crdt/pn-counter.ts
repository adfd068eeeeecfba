/**
 * A counter that goes up and down: each writer keeps what it alone has added and taken away, and
 * the value is the sum over all writers. Merge takes the larger number of each writer.
 *
 *     {"type":"pn-counter","up":{"web-1":8},"down":{"web-1":2}}
 *
 * A writer is whoever does one update at a time: two that add at once under one name count as one.
 */
import { type Crdt, encodeJson, fieldsOf, sorted } from "./crdt.ts";

type Counts = ReadonlyMap<string, number>;

export interface PnCounter {
  readonly up: Counts;
  readonly down: Counts;
}

interface PnCounterType extends Crdt<PnCounter> {
  /** By any whole number, also a negative one. Throws a RangeError for any other. */
  add(counter: PnCounter, change: { readonly by: number; readonly writer: string }): PnCounter;
  value(counter: PnCounter): number;
}

export const pnCounter: PnCounterType = {
  empty: { up: new Map(), down: new Map() },
  add: ({ up, down }, { by, writer }) =>
    by < 0 ? { up, down: raised(down, writer, -by) } : { up: raised(up, writer, by), down },
  value: ({ up, down }) => sum(up) - sum(down),
  merge: (a, b) => ({ up: larger(a.up, b.up), down: larger(a.down, b.down) }),
  encode: ({ up, down }) =>
    encodeJson({ type: "pn-counter", up: objectOf(up), down: objectOf(down) }),
  decode: (bytes) => {
    const fields = fieldsOf(bytes, "pn-counter", ["up", "down"]);
    const up = countsOf(fields?.["up"]);
    const down = countsOf(fields?.["down"]);
    return up === undefined || down === undefined ? undefined : { up, down };
  },
};

function raised(counts: Counts, writer: string, by: number): Counts {
  const count = (counts.get(writer) ?? 0) + by;
  if (!Number.isSafeInteger(by) || !Number.isSafeInteger(count)) {
    throw new RangeError(`a counter counts in whole numbers up to 2^53, not by ${by}`);
  }
  return by === 0 ? counts : new Map(counts).set(writer, count);
}

function larger(a: Counts, b: Counts): Counts {
  const counts = new Map(a);
  for (const [writer, count] of b) counts.set(writer, Math.max(count, counts.get(writer) ?? 0));
  return counts;
}

function sum(counts: Counts): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}

function objectOf(counts: Counts): Readonly<Record<string, number>> {
  return Object.fromEntries(sorted(counts.keys()).map((name) => [name, counts.get(name) ?? 0]));
}

function countsOf(value: unknown): Counts | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const counts = new Map<string, number>();
  for (const [writer, count] of Object.entries(value)) {
    if (!Number.isSafeInteger(count) || count < 1) return undefined;
    counts.set(writer, count);
  }
  return counts;
}
