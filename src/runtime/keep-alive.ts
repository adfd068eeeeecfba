/**
 * Ends connections whose other side is gone without a word (a cut cable, a frozen machine): each
 * is probed regularly and must have said something since the time before last. When this process
 * itself stood still, nobody is accused for it.
 */
/** All that it needs of a connection. */
export interface Probed {
  /** False when nothing was heard since the last time. */
  probe(): boolean;
  terminate(): void;
}

const missesMax = 2;

export class KeepAlive {
  readonly #everyMs: number;
  readonly #misses = new Map<Probed, number>();
  readonly #timer: NodeJS.Timeout;
  #lastAt = performance.now();

  constructor(everyMs = 5_000) {
    this.#everyMs = everyMs;
    this.#timer = setInterval(() => this.#sweep(), everyMs);
    this.#timer.unref();
  }

  add(socket: Probed): void {
    this.#misses.set(socket, 0);
  }

  delete(socket: Probed): void {
    this.#misses.delete(socket);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#misses.clear();
  }

  #sweep(): void {
    const now = performance.now();
    const stoodStill = now - this.#lastAt > 1.5 * this.#everyMs;
    this.#lastAt = now;
    for (const [socket, misses] of this.#misses) {
      const isHeard = socket.probe();
      if (isHeard || stoodStill) this.#misses.set(socket, 0);
      else if (misses + 1 >= missesMax) socket.terminate();
      else this.#misses.set(socket, misses + 1);
    }
  }
}
