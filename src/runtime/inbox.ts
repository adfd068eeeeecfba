/**
 * The order in which things happen to a node: one event after the other, each with all that follows
 * from it at once. Whoever pushes while an event is in hand only leaves it here.
 */
import type { Event } from "../core/event.ts";

export class Inbox {
  readonly #handle: (event: Event) => void;
  #events: Event[] = [];
  #next = 0;
  #isHandling = false;

  constructor(handle: (event: Event) => void) {
    this.#handle = handle;
  }

  /** Begins with something that is no event; what it leaves here follows. */
  open(begin: () => void): void {
    this.#isHandling = true;
    begin();
    this.#drain();
  }

  /** `handle` must not throw. */
  push(event: Event): void {
    if (this.#isHandling) {
      this.#events.push(event);
      return;
    }
    this.#isHandling = true;
    this.#handle(event);
    this.#drain();
  }

  #drain(): void {
    while (this.#next < this.#events.length) {
      const event = this.#events[this.#next];
      this.#next += 1;
      if (event !== undefined) this.#handle(event);
    }
    this.#isHandling = false;
    // Most events leave nothing behind.
    if (this.#next === 0) return;
    this.#events.length = 0;
    this.#next = 0;
  }
}
