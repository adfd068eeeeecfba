/**
 * Ends connections over which nothing comes any more (a cut cable, a frozen node), which would
 * otherwise look alive for minutes. When this process itself stood still, nobody is accused for it.
 */

interface Probed {
  /** False when nothing was heard since the last time. */
  probe(): boolean;
  terminate(): void;
}

const everyMs = 2_000;
const missesMax = 2;

export class Probes {
  readonly #misses = new Map<Probed, number>();
  readonly #timer = setInterval(() => this.#sweep(), everyMs);
  #sweptAt = performance.now();

  constructor() {
    // A program that only waits for this may end.
    this.#timer.unref();
  }

  add(probed: Probed): void {
    this.#misses.set(probed, 0);
  }

  delete(probed: Probed): void {
    this.#misses.delete(probed);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#misses.clear();
  }

  #sweep(): void {
    const now = performance.now();
    const stoodStill = now - this.#sweptAt > 1.5 * everyMs;
    this.#sweptAt = now;
    for (const [probed, misses] of this.#misses) {
      const isHeard = probed.probe();
      if (isHeard || stoodStill) this.#misses.set(probed, 0);
      else if (misses + 1 < missesMax) this.#misses.set(probed, misses + 1);
      else probed.terminate();
    }
  }
}
