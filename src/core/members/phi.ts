/**
 * The phi accrual failure detector (Hayashibara and others, 2004): how surprising a silence is,
 * given how regularly answers came before. Phi 1 errs once in ten times, phi 8 once in 10^8.
 */

const windowLength = 64;
/** Regular traffic must not make a short delay look like death. */
const deviationMsMin = 100;

export class Phi {
  readonly #intervals: number[] = [];
  #next = 0;
  #sum = 0;
  #squares = 0;
  #last: number | undefined;

  /** An answer came. */
  arrived(now: number): void {
    if (this.#last !== undefined) this.#add(now - this.#last);
    this.#last = now;
  }

  /** Forgets the present silence, not what was learnt: after a pause of one's own. */
  forgive(now: number): void {
    if (this.#last !== undefined) this.#last = now;
  }

  /** Whether it can judge a silence at all. */
  get hasLearnt(): boolean {
    return this.#intervals.length >= 2;
  }

  /** 0 while nothing is known. */
  at(now: number): number {
    const count = this.#intervals.length;
    if (this.#last === undefined || count < 2) return 0;
    const mean = this.#sum / count;
    const variance = Math.max(0, this.#squares / count - mean * mean);
    const deviation = Math.max(deviationMsMin, Math.sqrt(variance));
    return phiOf((now - this.#last - mean) / deviation);
  }

  #add(interval: number): void {
    const old = this.#intervals[this.#next];
    if (old !== undefined) {
      this.#sum -= old;
      this.#squares -= old * old;
    }
    this.#intervals[this.#next] = interval;
    this.#next = (this.#next + 1) % windowLength;
    this.#sum += interval;
    this.#squares += interval * interval;
  }
}

/** -log10 of the chance that a normal variable lies beyond so many deviations above its mean. */
function phiOf(deviations: number): number {
  // The logistic approximation of the normal distribution, kept apart where exp would overflow.
  const exponent = -deviations * (1.5976 + 0.070566 * deviations * deviations);
  if (exponent < -200) return -exponent / Math.LN10;
  const e = Math.exp(exponent);
  const beyond = deviations > 0 ? e / (1 + e) : 1 - 1 / (1 + e);
  return -Math.log10(Math.max(beyond, Number.MIN_VALUE));
}
