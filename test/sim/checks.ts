/**
 * What must hold once faults have ended and replicas have had time to agree, told only from what
 * clients saw and what every owner holds: nothing acknowledged is lost, nothing superseded comes
 * back, siblings are exactly the writes that did not know of each other. No version vectors here:
 * a write knows the values that its client had read, and what their writers knew.
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
  /** Names it to whoever saw what stores took up. */
  operation?: string | undefined;
}

/** Whether any store took the operation up; where nobody looks, each may have been. */
export type IsApplied = (operation: string) => boolean;

/** What one owner holds of a key at the end: its values, and its versions in canonical text. */
export interface Held {
  readonly values: readonly string[];
  readonly versions: string;
}

/** Everything that is wrong, in words; empty when all is well. */
export function findWrongs(
  history: readonly WriteSeen[],
  held: ReadonlyMap<string, readonly Held[]>,
  isApplied: IsApplied = () => true,
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
    wrongs.push(...new CausalKey(writes, new Set(first.values), isApplied).wrongs(key));
  }
  return [...new Set(wrongs)];
}

/** The history of one key, in which each write has all that it descends from. */
class CausalKey {
  readonly #writes: readonly WriteSeen[];
  readonly #values: ReadonlySet<string>;
  readonly #isApplied: IsApplied;
  readonly #byValue: ReadonlyMap<string, WriteSeen>;
  readonly #pasts = new Map<WriteSeen, ReadonlySet<string>>();
  readonly #explained = new Map<string, boolean>();

  constructor(writes: readonly WriteSeen[], values: ReadonlySet<string>, isApplied: IsApplied) {
    this.#writes = writes;
    this.#values = values;
    this.#isApplied = isApplied;
    this.#byValue = new Map(
      writes.flatMap((write) => (write.value === undefined ? [] : [[write.value, write] as const])),
    );
  }

  wrongs(key: string): string[] {
    const wrongs: string[] = [];
    for (const value of this.#values) {
      const write = this.#byValue.get(value);
      if (write === undefined) wrongs.push(`${key}: ${value} was never written`);
      else if (write.outcome === "failed")
        wrongs.push(`${key}: ${value} was refused, and is there`);
      if (this.#isSuperseded(value)) wrongs.push(`${key}: ${value} was superseded, and came back`);
      for (const other of write === undefined ? [] : this.#pastOf(write)) {
        if (this.#values.has(other))
          wrongs.push(`${key}: ${value} knew ${other}, and both are there`);
      }
    }
    for (const { value, outcome } of this.#writes) {
      if (value === undefined || outcome !== "acked" || this.#isExplained(value)) continue;
      wrongs.push(`${key}: ${value} was acknowledged, and is lost`);
    }
    return wrongs;
  }

  /** By a write that is surely everywhere, or one that descends from it. */
  #isSuperseded(value: string): boolean {
    return this.#writes.some(
      (write) => write.outcome === "acked" && this.#pastOf(write).has(value),
    );
  }

  /** It is there, or some write that knew it is, or was a delete: down to the last one. */
  #isExplained(value: string): boolean {
    const known = this.#explained.get(value);
    if (known !== undefined) return known;
    this.#explained.set(value, false);
    const isExplained =
      this.#values.has(value) ||
      this.#writes.some(
        (write) =>
          this.#mayBeThere(write) &&
          this.#pastOf(write).has(value) &&
          (write.value === undefined || this.#isExplained(write.value)),
      );
    this.#explained.set(value, isExplained);
    return isExplained;
  }

  #pastOf(write: WriteSeen): ReadonlySet<string> {
    const known = this.#pasts.get(write);
    if (known !== undefined) return known;
    const past = new Set<string>();
    // No write knows itself: what it knew was read before.
    this.#pasts.set(write, past);
    for (const value of write.knew) {
      past.add(value);
      const earlier = this.#byValue.get(value);
      for (const older of earlier === undefined ? [] : this.#pastOf(earlier)) past.add(older);
    }
    return past;
  }

  #mayBeThere({ outcome, operation }: WriteSeen): boolean {
    if (outcome !== "maybe") return outcome === "acked";
    return operation === undefined || this.#isApplied(operation);
  }
}
