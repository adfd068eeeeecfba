/** Chance as a port: the core draws from a seeded generator, so that a run can be repeated. */

export interface Random {
  /** An integer from 0 up to `bound`, without it. `bound` is at most 2^32. */
  below(bound: number): number;
}

/** The generator mulberry32: small, seeded, and good enough to choose peers and jitter. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(bound) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * bound);
    },
  };
}
