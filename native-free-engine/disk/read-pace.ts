/**
 * Decides whether reads may block the event loop. A page-cached read takes about 1 µs on this
 * thread and 40 µs through the thread pool, a cold one milliseconds either way. So reads are
 * synchronous until one was slow, then asynchronous until a few of those were quick: one slow read
 * blocks the loop per episode, no more.
 */
import type { Clock } from "../clock.ts";

/** A synchronous read beyond this ends the fast episode. */
export const slowReadMs = 2;
/** An asynchronous read below this, with nothing queued before it, counts as quick. */
export const quickReadMs = 1;
/** So many quick reads in a row make reads synchronous again. */
export const quickReadsNeeded = 3;
/** Threads that serve Node's file reads: what queues behind them says nothing of the disk. */
const poolThreads = 4;

export class ReadPace {
  readonly #clock: Clock;
  #fast: boolean;
  #quickLeft: number;
  /** Asynchronous reads begun and not ended. */
  #underWay = 0;

  /** `startsSlow`: nothing is known of the disk yet; the first quick read settles it. */
  constructor(clock: Clock, options: { readonly startsSlow: boolean } = { startsSlow: false }) {
    this.#clock = clock;
    this.#fast = !options.startsSlow;
    this.#quickLeft = 1;
  }

  /** Whether a read may block now. */
  synchronous(): boolean {
    return this.#fast;
  }

  /** Before a synchronous read; hand the result to `end`. */
  begin(): number {
    return this.#clock.elapsed();
  }

  /** After a synchronous read, failed or not. */
  end(begun: number): void {
    if (this.#clock.elapsed() - begun <= slowReadMs) return;
    this.#fast = false;
    this.#quickLeft = quickReadsNeeded;
  }

  /** Times an asynchronous read. A failed one says nothing of the pace. */
  async timed<T>(read: () => Promise<T>): Promise<T> {
    const begun = this.#clock.elapsed();
    const waves = 1 + Math.floor(this.#underWay / poolThreads);
    this.#underWay++;
    try {
      const result = await read();
      this.#note(this.#clock.elapsed() - begun < quickReadMs * waves);
      return result;
    } finally {
      this.#underWay--;
    }
  }

  #note(quick: boolean): void {
    if (this.#fast) return;
    this.#quickLeft = quick ? this.#quickLeft - 1 : quickReadsNeeded;
    if (this.#quickLeft <= 0) this.#fast = true;
  }
}
