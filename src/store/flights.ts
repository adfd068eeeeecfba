/**
 * Writes on their way to the disk. The engine answers all writes of a group by one promise; those
 * who wait for it are gathered here, so that a write costs no promise of its own.
 */

/** Called once, with the failure if there was one. */
export type Landing = (failure: unknown) => void;

export interface Flight {
  /** Called at once when the flight has landed already. */
  onLanding(landing: Landing): void;
}

export class Flights {
  readonly #onFailure: (error: unknown) => void;
  #last: EngineFlight | undefined;

  /** `onFailure` is called once for each group that failed. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** The flight of the write that the engine answers by this promise. Never leaves it unhandled. */
  of(promise: Promise<void>): Flight {
    if (this.#last?.promise !== promise) {
      this.#last = new EngineFlight(promise);
      this.#last.onLanding((failure) => {
        if (failure !== undefined) this.#onFailure(failure);
      });
    }
    return this.#last;
  }
}

class EngineFlight implements Flight {
  readonly promise: Promise<void>;
  #landings: Landing[] | undefined = [];
  #failure: unknown;

  constructor(promise: Promise<void>) {
    this.promise = promise;
    promise.then(
      () => this.#land(undefined),
      (error: unknown) => this.#land(error ?? new Error("a write failed without saying why")),
    );
  }

  onLanding(landing: Landing): void {
    if (this.#landings === undefined) landing(this.#failure);
    else this.#landings.push(landing);
  }

  #land(failure: unknown): void {
    const landings = this.#landings ?? [];
    this.#landings = undefined;
    this.#failure = failure;
    for (const landing of landings) landing(failure);
  }
}
