/**
 * The budget of hedged reads: one in `oneIn` reads may ask one replica more than it needs. When
 * everything is slow, hedging every read would only add load (scylladb#7979).
 */

/** Saved up while all is well, so that a short hiccup is covered whole. */
const savedMax = 16;

export class Hedges {
  readonly #oneIn: number;
  /** In parts of a hedge: `oneIn` of them pay for one. */
  #saved: number;

  constructor(oneIn: number) {
    this.#oneIn = oneIn;
    this.#saved = oneIn;
  }

  /** Each read earns its share. */
  earn(): void {
    if (this.#saved < savedMax * this.#oneIn) this.#saved += 1;
  }

  take(): boolean {
    if (this.#saved < this.#oneIn) return false;
    this.#saved -= this.#oneIn;
    return true;
  }
}
