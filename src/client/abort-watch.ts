/**
 * Calls that end when their signal is aborted. Those of one signal share one listener: Node warns
 * of a leak from the eleventh listener on, and a getMany may have hundreds.
 */
export class AbortWatch<T> {
  readonly #onAbort: (item: T) => void;
  readonly #watched = new Map<AbortSignal, { items: Set<T>; listener: () => void }>();

  constructor(onAbort: (item: T) => void) {
    this.#onAbort = onAbort;
  }

  add(signal: AbortSignal, item: T): void {
    const known = this.#watched.get(signal);
    if (known !== undefined) {
      known.items.add(item);
      return;
    }
    const items = new Set([item]);
    const listener = (): void => {
      this.#watched.delete(signal);
      for (const each of [...items]) this.#onAbort(each);
    };
    this.#watched.set(signal, { items, listener });
    signal.addEventListener("abort", listener, { once: true });
  }

  delete(signal: AbortSignal, item: T): void {
    const known = this.#watched.get(signal);
    if (known === undefined || !known.items.delete(item) || known.items.size > 0) return;
    this.#watched.delete(signal);
    signal.removeEventListener("abort", known.listener);
  }
}
