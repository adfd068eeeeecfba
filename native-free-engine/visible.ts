/**
 * Visibility as pure rules: what a reader sees of an entry, and which versions of a key a flush or
 * compaction must keep so that every reader goes on seeing the same.
 *
 * Live snapshots cut the sequence into stripes: two versions in one stripe are seen by the same
 * readers, so of each stripe only the newest version counts. The oldest stripe, up to the first
 * snapshot, is special: everything older than a version in it is shadowed for every reader.
 */
import type { SnapshotMark } from "./compaction/job.ts";
import { kindExpiring, kindTombstone } from "./cursor.ts";

/** Whether a reader at that time sees nothing where this entry is the newest. */
export function isHidden(kind: number, expiry: number, time: number): boolean {
  return kind === kindTombstone || (kind === kindExpiring && expiry <= time);
}

export type Verdict = "keep" | "drop" | "tombstone";

/** Judges the versions of one key after the other, each key from its newest version down. */
export class Retention {
  readonly #snapshots: readonly SnapshotMark[];
  readonly #now: number;
  /** The stripe of the last version that was kept or stood for the key; one above all at first. */
  #newerStripe = 0;

  /** Snapshots ascending by sequence. */
  constructor(snapshots: readonly SnapshotMark[], now: number) {
    this.#snapshots = snapshots;
    this.#now = now;
    this.startKey();
  }

  startKey(): void {
    this.#newerStripe = this.#snapshots.length + 1;
  }

  /**
   * What becomes of the next older version. `deeper` says that a table outside of the job may
   * hold an older version still, which a tombstone must go on hiding.
   */
  judge(kind: number, sequence: number, expiry: number, deeper: boolean): Verdict {
    const stripe = this.#stripeOf(sequence);
    const newer = this.#newerStripe;
    if (stripe >= newer) return "drop";
    this.#newerStripe = stripe;
    const gone = kind === kindTombstone || this.#isExpiredFor(kind, expiry, stripe, newer);
    if (!gone) return "keep";
    if (stripe === 0 && !deeper) return "drop";
    return kind === kindTombstone ? "keep" : "tombstone";
  }

  /** What a table stores: 0 where no live snapshot is below. */
  storedSequence(sequence: number): number {
    return this.#stripeOf(sequence) === 0 ? 0 : sequence;
  }

  /** How many snapshots are too old to see this sequence. */
  #stripeOf(sequence: number): number {
    const snapshots = this.#snapshots;
    let stripe = 0;
    while (stripe < snapshots.length && snapshots[stripe]!.sequence < sequence) stripe++;
    return stripe;
  }

  /** Whether each reader in stripes [from, to) that sees this version judges it expired. */
  #isExpiredFor(kind: number, expiry: number, from: number, to: number): boolean {
    if (kind !== kindExpiring) return false;
    for (let viewer = from; viewer < to; viewer++) {
      // The viewer behind the last snapshot is everyone who reads from now on.
      const time = this.#snapshots[viewer]?.time ?? this.#now;
      if (expiry > time) return false;
    }
    return true;
  }
}
