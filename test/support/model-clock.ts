/**
 * The model test's clock. Wall time moves only when the test says so, because it decides expiry;
 * the other time moves a little with every look and, while somebody sleeps, with every turn of the
 * loop, so sleepers wake in order and nobody really waits.
 */
import type { SteerableClock } from "../../native-free-engine/disk/memory-disk.ts";

/** Each turn of the loop takes that long while there are sleepers. */
const turnMs = 2;

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

export class ModelClock implements SteerableClock {
  /** Each look takes that long. */
  lookMs = 0.02;
  #wall = 1_700_000_000_000;
  #elapsed = 0;
  #sleepers: Sleeper[] = [];
  #isPumping = false;

  now(): number {
    return this.#wall;
  }

  elapsed(): number {
    this.#elapsed += this.lookMs;
    return this.#elapsed;
  }

  /** A disk that is slow holds up everybody. */
  advance(ms: number): void {
    this.#elapsed += ms;
  }

  advanceWall(ms: number): void {
    this.#wall += ms;
  }

  sleep(ms: number): Promise<void> {
    if (ms <= 0) return new Promise((resolve) => setImmediate(resolve));
    return new Promise((wake) => {
      this.#sleepers.push({ until: this.#elapsed + ms, wake });
      if (!this.#isPumping) this.#pump();
    });
  }

  #pump(): void {
    this.#isPumping = true;
    setImmediate(() => {
      this.#elapsed += turnMs;
      const due = this.#sleepers.filter((sleeper) => sleeper.until <= this.#elapsed);
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.until > this.#elapsed);
      for (const sleeper of due.sort((a, b) => a.until - b.until)) sleeper.wake();
      this.#isPumping = false;
      if (this.#sleepers.length > 0) this.#pump();
    });
  }
}
