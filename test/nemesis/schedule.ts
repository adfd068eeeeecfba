/**
 * When which fault strikes, from a seed. Each kind has a stream of chance of its own, and each
 * strike another, so that with one kind switched off the others strike at the same times and draw
 * the same.
 */
import { type Random, seededRandom } from "../../src/core/random.ts";

export interface Strike {
  readonly atMs: number;
  readonly kind: string;
  readonly random: Random;
}

export interface Scheduled {
  readonly name: string;
  /** From one to the next it takes up to twice so long. */
  readonly everyMs: number;
}

/** In the order of time. */
export function scheduleOf(
  seed: number,
  { ms, kinds }: { readonly ms: number; readonly kinds: readonly Scheduled[] },
): Strike[] {
  const strikes = kinds.flatMap(({ name, everyMs }): Strike[] => {
    const stream = streamOf(seed, name);
    const own: Strike[] = [];
    for (let atMs = stream.below(2 * everyMs); atMs < ms; atMs += 1 + stream.below(2 * everyMs)) {
      own.push({ atMs, kind: name, random: seededRandom(stream.below(2 ** 32)) });
    }
    return own;
  });
  return strikes.sort((a, b) => a.atMs - b.atMs);
}

/** The chance of one part of a run. */
export function streamOf(seed: number, name: string): Random {
  const hash = [...name].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7);
  return seededRandom(Math.imul(seed + 1, 0x9e3779b1) ^ hash);
}

/** One of them; undefined where there is none. Draws in any case. */
export function pick<T>(from: readonly T[], random: Random): T | undefined {
  const at = random.below(2 ** 32);
  return from.length === 0 ? undefined : from[at % from.length];
}

export function between(random: Random, low: number, high: number): number {
  return low + random.below(high - low + 1);
}
