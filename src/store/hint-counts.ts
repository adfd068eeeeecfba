/**
 * How many keys are kept as hints for each target, and how many bytes they take: counted once
 * after opening, and kept current by every write since. Both add up whatever comes first, because
 * the count goes over a snapshot that no later write is in.
 */
import type { NodeId, Partition } from "../core/ids.ts";
import { partitionOf } from "../core/key.ts";
import { keyIn } from "./keyspace.ts";

interface Count {
  keys: number;
  bytes: number;
  /** Writes of hints that no scan is sure to see yet, and all of them so far. */
  writing: number;
  written: number;
  /** No hint has a key below this one; absent when nothing is known of that. */
  lowest: Uint8Array | undefined;
}

/** A record that was replaced; a length of 0 is none. */
export interface HintChange {
  readonly engineKey: Uint8Array;
  readonly before: number;
  readonly after: number;
}

export class HintCounts {
  readonly #bytesMax: number;
  readonly #counts = new Map<NodeId, Count>();
  /** Keys by partition, over all targets. */
  readonly #byPartition: Uint32Array;

  constructor(bytesMaxPerTarget: number, partitions: number) {
    this.#bytesMax = bytesMaxPerTarget;
    this.#byPartition = new Uint32Array(partitions);
  }

  changed(target: NodeId, { engineKey, before, after }: HintChange): void {
    const count = this.#of(target);
    const keyBytes = engineKey.length;
    count.keys += Number(after > 0) - Number(before > 0);
    count.bytes += (after > 0 ? keyBytes + after : 0) - (before > 0 ? keyBytes + before : 0);
    if (after > 0 !== before > 0) this.#countIn(engineKey, after > 0 ? 1 : -1);
    if (after === 0) return;
    count.written += 1;
    const { lowest } = count;
    if (lowest !== undefined && Buffer.compare(engineKey, lowest) < 0) {
      count.lowest = engineKey.slice();
    }
  }

  /** A write of a hint was begun, or has ended. */
  writing(target: NodeId, change: 1 | -1): void {
    this.#of(target).writing += change;
  }

  isFull(target: NodeId): boolean {
    return (this.#counts.get(target)?.bytes ?? 0) >= this.#bytesMax;
  }

  list(): { readonly target: NodeId; readonly keys: number }[] {
    return [...this.#counts]
      .filter(([, { keys }]) => keys > 0)
      .map(([target, { keys }]) => ({ target, keys }))
      .sort((a, b) => a.target - b.target);
  }

  /** Whether hints are kept for any key of the partition. */
  holdsIn(partition: Partition): boolean {
    return this.#byPartition[partition] !== 0;
  }

  /** Where a scan of the target's hints may begin: what was handed over need not be passed. */
  lowest(target: NodeId): Uint8Array | undefined {
    return this.#counts.get(target)?.lowest;
  }

  /**
   * To be called where a scan of the target's hints begins; the result, with the first key that
   * it found. Says nothing when a hint was written meanwhile, which the scan may not have seen.
   */
  lowestFinder(target: NodeId): (found: Uint8Array) => void {
    const count = this.#of(target);
    const { written, writing } = count;
    return (found) => {
      if (writing === 0 && count.written === written) count.lowest = found.slice();
    };
  }

  #countIn(engineKey: Uint8Array, change: 1 | -1): void {
    const key = keyIn(engineKey);
    if (key === undefined) return;
    const partition = partitionOf(key, this.#byPartition.length);
    this.#byPartition[partition]! += change;
  }

  #of(target: NodeId): Count {
    let count = this.#counts.get(target);
    if (count === undefined) {
      count = { keys: 0, bytes: 0, writing: 0, written: 0, lowest: undefined };
      this.#counts.set(target, count);
    }
    return count;
  }
}
