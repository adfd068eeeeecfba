/**
 * The clocks of one machine, driven by virtual time: a wall clock that may be wrong, leap and run
 * at a pace of its own, and the time since some start, which never goes back. They go on when a
 * process ends.
 */
import type { Clock } from "../../native-free-engine/clock.ts";
import type { Timeline } from "./timeline.ts";

export class MachineClock {
  readonly #timeline: Timeline;
  #aheadMs = 0;
  /** What its pace has added until `#since`, and adds for each millisecond from then on. */
  #gainedMs = 0;
  #gain = 0;
  #since = 0;

  constructor(timeline: Timeline) {
    this.#timeline = timeline;
  }

  /** Milliseconds since 1970, as this machine has it. */
  wall(): number {
    return this.elapsed() + this.#aheadMs;
  }

  elapsed(): number {
    return this.#timeline.now + this.#gained();
  }

  set(aheadMs: number): void {
    this.#aheadMs = aheadMs;
  }

  leap(byMs: number): void {
    this.#aheadMs += byMs;
  }

  /** From now on it gains so many milliseconds in a thousand seconds; negative: it loses them. */
  drift(partsPerMillion: number): void {
    this.#gainedMs = this.#gained();
    this.#since = this.#timeline.now;
    this.#gain = partsPerMillion / 1e6;
  }

  #gained(): number {
    return this.#gainedMs + (this.#timeline.now - this.#since) * this.#gain;
  }
}

/** What the engine of one process sees of them: it sleeps on the timeline. */
export class EngineClock implements Clock {
  readonly #timeline: Timeline;
  readonly #machine: MachineClock;
  /** Each look takes a little, so that paces and turns have something to measure. */
  #looks = 0;
  /** Once the process is gone, nothing that slept ever wakes. */
  isStopped = false;

  constructor(timeline: Timeline, machine: MachineClock) {
    this.#timeline = timeline;
    this.#machine = machine;
  }

  now(): number {
    return Math.floor(this.#machine.wall());
  }

  elapsed(): number {
    this.#looks += 1;
    return this.#machine.elapsed() + this.#looks * 1e-6;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        if (!this.isStopped) resolve();
      };
      // Each happening is a turn of the loop.
      if (ms <= 0) this.#timeline.afterTurn(wake);
      else this.#timeline.after(ms, wake);
    });
  }
}
