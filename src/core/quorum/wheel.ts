/**
 * What is to be woken when: slots of a few milliseconds in a circle, instead of a timer for each
 * request. Adding costs a push, and nothing is ever removed: what is over when its slot comes is
 * dropped by whoever is woken. What lies further ahead than the circle reaches is woken early.
 */
import type { Millis } from "../ids.ts";

const slotMs = 2;
/** A power of two: the circle reaches about two seconds ahead. */
const slotsCount = 1024;

export class Wheel<T> {
  readonly #slots: T[][] = Array.from({ length: slotsCount }, () => []);
  /** The newest slot that was drained, counted from time 0. */
  #current = 0;

  add(item: T, at: Millis): void {
    const wanted = Math.max(Math.ceil(at / slotMs), this.#current + 1);
    const slot = Math.min(wanted, this.#current + slotsCount - 1);
    this.#slots[slot & (slotsCount - 1)]?.push(item);
  }

  /** Wakes everything that is due. What wakes may add again. */
  advance(now: Millis, wake: (item: T) => void): void {
    const last = Math.floor(now / slotMs);
    if (last <= this.#current) return;
    // After a long pause each slot of the circle is drained once.
    const first = Math.max(this.#current + 1, last - slotsCount + 1);
    for (let slot = first; slot <= last; slot++) {
      const at = slot & (slotsCount - 1);
      const due = this.#slots[at];
      this.#current = slot;
      if (due === undefined || due.length === 0) continue;
      this.#slots[at] = [];
      for (const item of due) wake(item);
    }
  }
}
