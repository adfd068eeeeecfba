/**
 * Whether an fdatasync may block the loop. Where one takes 150 µs, a trip through the thread pool
 * costs a quarter on top; where it takes milliseconds, blocking would hold up everyone else.
 */

/** Blocking is allowed while syncs stay under this on average. */
const quickMs = 1;
/** Weight of the newest sample. */
const weight = 0.2;

export class SyncPace {
  /** Unknown disks count as slow until they have shown otherwise. */
  #averageMs = 2 * quickMs;

  isQuick(): boolean {
    return this.#averageMs < quickMs;
  }

  note(ms: number): void {
    // One outlier of 20 ms must not be averaged away: it sends the next syncs to the pool.
    this.#averageMs += (ms - this.#averageMs) * weight;
  }
}
