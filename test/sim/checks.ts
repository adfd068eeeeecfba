/**
 * What must hold once faults have ended and replicas have had time to agree, told only from what
 * clients saw and what every owner holds: nothing acknowledged is lost, nothing superseded comes
 * back, siblings are exactly the writes that did not know of each other.
 */

/** One write as its client saw it. Values are unique. */
export interface WriteSeen {
  readonly key: string;
  /** Absent: a delete. */
  readonly value: string | undefined;
  /** Values that the context of the write covered. */
  readonly knew: readonly string[];
  /** `failed` only when the cluster said that it was surely not applied. */
  outcome: "acked" | "maybe" | "failed";
}

/** What one owner holds of a key at the end: its values, and its versions in canonical text. */
export interface Held {
  readonly values: readonly string[];
  readonly versions: string;
}

/** Everything that is wrong, in words; empty when all is well. */
export function findWrongs(
  history: readonly WriteSeen[],
  held: ReadonlyMap<string, readonly Held[]>,
): string[] {
  const wrongs: string[] = [];
  const byKey = new Map<string, WriteSeen[]>();
  for (const write of history) {
    const writes = byKey.get(write.key) ?? [];
    writes.push(write);
    byKey.set(write.key, writes);
  }
  for (const [key, writes] of byKey) {
    const copies = held.get(key) ?? [];
    const [first] = copies;
    if (first === undefined) continue;
    for (const copy of copies) {
      if (copy.versions !== first.versions) wrongs.push(`${key}: replicas differ`);
    }
    wrongs.push(...judgeKey(key, writes, new Set(first.values)));
  }
  return [...new Set(wrongs)];
}

function judgeKey(
  key: string,
  writes: readonly WriteSeen[],
  values: ReadonlySet<string>,
): string[] {
  const wrongs: string[] = [];
  const surelyGone = new Set<string>();
  const perhapsGone = new Set<string>();
  for (const { outcome, knew } of writes) {
    for (const value of knew) {
      if (outcome === "acked") surelyGone.add(value);
      if (outcome !== "failed") perhapsGone.add(value);
    }
  }
  const known = new Map(writes.map((write) => [write.value, write]));
  for (const value of values) {
    const write = known.get(value);
    if (write === undefined) wrongs.push(`${key}: ${value} was never written`);
    else if (write.outcome === "failed") wrongs.push(`${key}: ${value} was refused, and is there`);
    if (surelyGone.has(value)) wrongs.push(`${key}: ${value} was superseded, and came back`);
  }
  for (const { value, outcome } of writes) {
    if (value === undefined || outcome !== "acked" || values.has(value)) continue;
    if (!perhapsGone.has(value)) wrongs.push(`${key}: ${value} was acknowledged, and is lost`);
  }
  return wrongs;
}
