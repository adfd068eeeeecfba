/**
 * Live snapshots: marks that flush and compaction respect, so that what each may see is kept. A
 * snapshot holds no files and no memtables, only its place in the sequence and its time.
 */
import type { Snapshot } from "./api.ts";
import type { SnapshotMark } from "./compaction/job.ts";
import { EngineError } from "./errors.ts";

export class Snapshots {
  readonly #live = new Set<LiveSnapshot>();

  /** Of everything below `end`, at that time. */
  take(end: number, time: number): Snapshot {
    const snapshot = new LiveSnapshot(this.#live, { sequence: end - 1, time });
    this.#live.add(snapshot);
    return snapshot;
  }

  /** The mark of a snapshot that a caller passed in. */
  markOf(snapshot: Snapshot): SnapshotMark {
    if (!(snapshot instanceof LiveSnapshot) || !snapshot.isOf(this.#live)) {
      throw new TypeError("options.snapshot must come from snapshot() of this engine");
    }
    if (!this.#live.has(snapshot)) throw new EngineError("CLOSED", "the snapshot is closed");
    return snapshot.mark;
  }

  /** Ascending, as jobs want them. */
  marks(): SnapshotMark[] {
    const marks = [...this.#live].map((snapshot) => snapshot.mark);
    return marks.sort((a, b) => a.sequence - b.sequence);
  }

  get count(): number {
    return this.#live.size;
  }
}

class LiveSnapshot implements Snapshot {
  readonly #live: Set<LiveSnapshot>;
  readonly mark: SnapshotMark;

  constructor(live: Set<LiveSnapshot>, mark: SnapshotMark) {
    this.#live = live;
    this.mark = mark;
  }

  isOf(live: ReadonlySet<LiveSnapshot>): boolean {
    return this.#live === live;
  }

  async close(): Promise<void> {
    this.#live.delete(this);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
