/**
 * The answering half of waiting until an epoch is in force everywhere: a node that is asked answers
 * once it has the epoch, and whoever asked has all answers as soon as the last of them has it.
 */
import type { RingView } from "../views.ts";

/** So many questions wait at a time; beyond it they are answered at once. */
const waitingMax = 64;

interface Waiting {
  readonly epoch: number;
  readonly then: (answer: { readonly epoch: number }) => void;
}

export class EpochWaits {
  readonly #ring: () => RingView;
  #waiting: Waiting[] = [];

  constructor(ring: () => RingView) {
    this.#ring = ring;
  }

  ask(epoch: number, then: Waiting["then"]): void {
    this.#waiting.push({ epoch, then });
    if (this.#waiting.length > waitingMax) this.#waiting.shift()?.then({ epoch: this.#epoch });
    this.tick();
  }

  tick(): void {
    if (this.#waiting.length === 0) return;
    const epoch = this.#epoch;
    const reached = this.#waiting.filter((one) => one.epoch <= epoch);
    this.#waiting = this.#waiting.filter((one) => one.epoch > epoch);
    for (const { then } of reached) then({ epoch });
  }

  get #epoch(): number {
    return this.#ring().state.epoch;
  }
}
