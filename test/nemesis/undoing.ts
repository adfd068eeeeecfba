/**
 * What a run has to leave behind as it found it: processes, mounts, namespaces, directories. Each
 * step is undone once, the last first, and without waiting, so that this works while the process
 * exits too.
 */

interface Step {
  readonly what: string;
  undo(): void;
}

export class Undoing {
  readonly #steps = new Set<Step>();
  /** What could not be undone, in words. */
  readonly failures: string[] = [];
  readonly #atExit = (): void => this.all();

  constructor() {
    process.on("exit", this.#atExit);
  }

  /** Gives a function that undoes it now. */
  add(what: string, undo: () => void): () => void {
    const step: Step = { what, undo };
    this.#steps.add(step);
    return () => this.#undo(step);
  }

  all(): void {
    for (const step of [...this.#steps].reverse()) this.#undo(step);
    process.off("exit", this.#atExit);
  }

  #undo(step: Step): void {
    if (!this.#steps.delete(step)) return;
    try {
      step.undo();
    } catch (error) {
      this.failures.push(`${step.what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
