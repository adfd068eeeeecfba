/**
 * Fairness: no caller can starve the event loop. Answers found in memory settle as microtasks,
 * and `for (;;) await engine.get(key)` would then never let a timer fire. So after 1 ms of work
 * within one turn of the loop, promises settle on the next turn instead.
 */
import type { Clock } from "./clock.ts";

/** Work within one turn before promises wait for the next. */
const turnMs = 1;
/** The clock is asked once in this many units of work: reading it costs as much as a small get. */
const unitsPerLook = 16;

export class Turn {
  readonly #clock: Clock;
  #watching = false;
  #late = false;
  #startedAt = 0;
  #units = 0;
  #waiting: (() => void)[] = [];
  /** They wait to begin. */
  #queue: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts work (1 for a small call) and tells whether its promise must wait for the next turn. */
  isOver(units: number): boolean {
    if (!this.#watching) this.#watch();
    this.#units += units;
    if (this.#units < unitsPerLook) return this.#late;
    this.#units = 0;
    this.#late = this.#clock.elapsed() - this.#startedAt > turnMs;
    return this.#late;
  }

  /** Calls back on the next turn of the loop, in order of asking. */
  onNext(action: () => void): void {
    if (!this.#watching) this.#watch();
    this.#waiting.push(action);
  }

  /** A promise of that value for the next turn. */
  later<T>(value: T): Promise<T> {
    return new Promise((resolve) => this.onNext(() => resolve(value)));
  }

  /**
   * For work whose outcome is large: it waits before it begins. Once a turn comes, one after the
   * other begins, when the one before has handed over its outcome, until that turn is over too.
   */
  admission(): Promise<void> {
    return new Promise((resolve) => {
      if (!this.#watching) this.#watch();
      this.#queue.push(resolve);
    });
  }

  async #admit(): Promise<void> {
    let admitted = 0;
    for (const begin of this.#queue) {
      if (admitted > 0 && this.isOver(0)) break;
      begin();
      admitted += 1;
      // It works when it is resumed, and then its caller is.
      await undefined;
      await undefined;
      await undefined;
    }
    this.#queue = this.#queue.slice(admitted);
    if (this.#queue.length > 0 && !this.#watching) this.#watch();
  }

  #watch(): void {
    this.#watching = true;
    this.#startedAt = this.#clock.elapsed();
    // The clock never rejects, and the actions only resolve promises.
    void this.#clock.sleep(0).then(() => {
      this.#watching = false;
      this.#late = false;
      this.#units = 0;
      const actions = this.#waiting;
      this.#waiting = [];
      for (const action of actions) action();
      if (this.#queue.length > 0) void this.#admit();
    });
  }
}
