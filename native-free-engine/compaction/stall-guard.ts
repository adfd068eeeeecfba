/**
 * Tells threads that hang from threads that are slow. Each step of a job counts up one number in
 * shared memory; jobs that run while the number stands still for many looks in a row hang. Looks
 * are counted rather than time, so that a machine that was asleep is not taken for a thread that
 * is stuck.
 */

/** With a look each 30 s, five minutes: the longest step is one fdatasync of a whole table. */
export const lookMs = 30_000;
export const silentLooksMax = 10;

export class StallGuard {
  /** Counted up by the threads. */
  readonly beat = new Int32Array(new SharedArrayBuffer(4));
  #jobs = 0;
  #seen = 0;
  #silentLooks = 0;

  begin(): void {
    this.#jobs += 1;
  }

  end(): void {
    this.#jobs -= 1;
  }

  /** The threads hang: their jobs are to be given up. */
  get hasGivenUp(): boolean {
    return this.#silentLooks >= silentLooksMax;
  }

  /** To be called every `lookMs`; true once the threads hang, from then on. */
  look(): boolean {
    if (this.hasGivenUp) return true;
    const now = Atomics.load(this.beat, 0);
    const isSilent = this.#jobs > 0 && now === this.#seen;
    this.#seen = now;
    this.#silentLooks = isSilent ? this.#silentLooks + 1 : 0;
    return this.hasGivenUp;
  }
}
