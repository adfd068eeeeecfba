/**
 * What faults broke and will mend: each mend is due after a while, and at once when the run heals.
 * A mend runs once.
 */

interface Due {
  readonly timer: NodeJS.Timeout;
  mend(): unknown;
}

export class Mending {
  readonly #due = new Set<Due>();
  readonly #running = new Set<Promise<void>>();
  readonly #failed: (error: unknown) => void;
  #isOver = false;

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  /** `mend` may be a promise; what it rejects with is told. */
  later(ms: number, mend: () => unknown): void {
    const due: Due = { mend, timer: setTimeout(() => this.#run(due), this.#isOver ? 0 : ms) };
    this.#due.add(due);
  }

  /** Everything now, and resolves when it is done. */
  async all(): Promise<void> {
    this.#isOver = true;
    while (this.#due.size + this.#running.size > 0) {
      for (const due of [...this.#due]) this.#run(due);
      await Promise.all(this.#running);
    }
  }

  #run(due: Due): void {
    if (!this.#due.delete(due)) return;
    clearTimeout(due.timer);
    const running: Promise<void> = Promise.resolve()
      .then(due.mend)
      .then(() => undefined, this.#failed)
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}
