/**
 * The keys and values that every engine gets, made the same way for all of them: keys of 16
 * digits as db_bench writes them, values that compress to about half, and the orders in which
 * keys come. Everything is seeded, so that each engine and each round does the same work.
 */
export const keyBytes = 16;
/** Keys are multiples of this, so that an absent key lies between two that are present. */
const stride = 10;
/** So that the digits fit in the integers that V8 is quick with. */
export const keysMax = 200_000_000;

/** The key with this number. */
export function keyOf(index: number): Buffer {
  return digits(index * stride);
}

/** A key that was never written, between two that may have been. */
export function missingKeyOf(index: number): Buffer {
  return digits(index * stride + 5);
}

function digits(number: number): Buffer {
  const key = Buffer.allocUnsafe(keyBytes);
  let rest = number | 0;
  for (let at = keyBytes - 1; at >= 0; at--) {
    const tenth = (rest / 10) | 0;
    key[at] = 48 + rest - tenth * 10;
    rest = tenth;
  }
  return key;
}

/** A small generator (xorshift32): chance must cost the driver little. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  }

  /** A whole number from 0 up to `bound`, without it. */
  below(bound: number): number {
    return this.#next() % bound;
  }

  /** From 0 up to 1, without it. */
  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }
}

/** Every number below n once, in random order, without a list of them: a small Feistel network. */
export class Shuffle {
  readonly #n: number;
  readonly #half: number;
  readonly #mask: number;
  readonly #seed: number;

  constructor(n: number, seed: number) {
    this.#n = n;
    this.#half = Math.max(1, Math.ceil(Math.log2(Math.max(2, n)) / 2));
    this.#mask = 2 ** this.#half - 1;
    this.#seed = seed;
  }

  /** What comes at this place. */
  at(place: number): number {
    let x = place;
    do x = this.#mix(x);
    while (x >= this.#n);
    return x;
  }

  #mix(x: number): number {
    let left = x >>> this.#half;
    let right = x & this.#mask;
    for (let round = 1; round <= 4; round++) {
      const hash = Math.imul(right + round * 0x85ebca77 + this.#seed, 0x9e3779b1);
      const next = left ^ ((hash ^ (hash >>> 15)) & this.#mask);
      left = right;
      right = next;
    }
    return ((left << this.#half) | right) >>> 0;
  }
}

/** A number below n for each number, as if by chance: the same each time it is asked. */
export function scattered(number: number, n: number): number {
  let hash = Math.imul(number + 1, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca77);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % n;
}

const zipfConstant = 0.99;

/** Ranks by Zipf's law, as YCSB draws them (Gray et al., SIGMOD 1994). */
export class Zipf {
  readonly #n: number;
  readonly #zeta: number;
  readonly #alpha = 1 / (1 - zipfConstant);
  readonly #eta: number;
  readonly #chance: Chance;

  constructor(n: number, chance: Chance) {
    let zeta = 0;
    for (let i = 1; i <= n; i++) zeta += 1 / i ** zipfConstant;
    const zetaOfTwo = 1 + 1 / 2 ** zipfConstant;
    this.#n = n;
    this.#zeta = zeta;
    this.#eta = (1 - (2 / n) ** (1 - zipfConstant)) / (1 - zetaOfTwo / zeta);
    this.#chance = chance;
  }

  /** 0 is the most popular. */
  rank(): number {
    const u = this.#chance.fraction();
    const uz = u * this.#zeta;
    if (uz < 1) return 0;
    if (uz < 1 + 0.5 ** zipfConstant) return 1;
    const rank = Math.floor(this.#n * (this.#eta * u - this.#eta + 1) ** this.#alpha);
    return Math.min(rank, this.#n - 1);
  }
}

/** Values of one size, cut from one megabyte that compresses to about half, as in db_bench. */
export class Values {
  readonly bytes: number;
  readonly #pool: Buffer;

  constructor(bytes: number) {
    this.bytes = bytes;
    const chance = new Chance(301);
    this.#pool = Buffer.alloc((1 << 20) + bytes);
    for (let at = 0; at < this.#pool.length; at += 100) {
      for (let i = 0; i < 50 && at + i < this.#pool.length; i++) {
        this.#pool[at + i] = 32 + chance.below(95);
        if (at + 50 + i < this.#pool.length) this.#pool[at + 50 + i] = this.#pool[at + i]!;
      }
    }
  }

  /** The value that belongs to a key: the same each time, so that what is read can be checked.
   *  Versions differ, so that no engine can save itself the writing of one over another. */
  of(index: number, version = 0): Buffer {
    const at = (Math.imul(index, 0x61c88647) + version) & 0xfffff;
    return this.#pool.subarray(at, at + this.bytes);
  }
}
