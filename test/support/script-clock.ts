/**
 * A clock for scripts on a disk in memory: it moves a little with every look, and leaps to the end
 * of a sleep on the next turn of the loop. So idle compactions and delays happen, and no test
 * waits for them. A sleep that is meant to last for ever does.
 */
import type { Clock } from "../../native-free-engine/clock.ts";

/** Each look takes that long: syncs then count as quick, as on a good disk. */
const lookMs = 0.01;
const foreverMs = 1e9;

export class ScriptClock implements Clock {
  #elapsed = 0;

  now(): number {
    return 1_700_000_000_000 + Math.floor(this.#elapsed);
  }

  elapsed(): number {
    this.#elapsed += lookMs;
    return this.#elapsed;
  }

  async sleep(ms: number): Promise<void> {
    if (ms >= foreverMs) return new Promise(() => {});
    const until = this.#elapsed + ms;
    await new Promise((resolve) => setImmediate(resolve));
    this.#elapsed = Math.max(this.#elapsed, until);
  }
}
