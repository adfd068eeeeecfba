/**
 * Virtual time: everything that happens, in the order of (time, number). Asynchronous code runs
 * between two happenings, until nothing is left to run; then time leaps to the next one. Most
 * happenings of a node at rest wake nobody, and to wait after those would be most of the cost: a
 * quiet one says so, unless `stir` was called in it.
 */

interface Happening {
  readonly at: number;
  readonly number: number;
  readonly run: () => void;
  readonly isQuiet: boolean;
}

/** Thrown where a run was to stop. */
export class EventLimit extends Error {
  override readonly name = "EventLimit";
}

export class Timeline {
  readonly start: number;
  now: number;
  happened = 0;
  happenedMax = Number.POSITIVE_INFINITY;
  #number = 0;
  #isStirred = false;
  /** A binary heap. */
  readonly #heap: Happening[] = [];

  constructor(start = 0) {
    this.start = start;
    this.now = start;
  }

  after(ms: number, run: () => void): void {
    this.#add(ms, run, false);
  }

  /** As `after`, for what wakes no promise unless it calls `stir`. */
  afterQuietly(ms: number, run: () => void): void {
    this.#add(ms, run, true);
  }

  /** Asynchronous code has something to do before time goes on. */
  stir(): void {
    this.#isStirred = true;
  }

  /** Until that time, or until `isDone` says so after some happening. */
  async runUntil(end: number, isDone: () => boolean = () => false): Promise<void> {
    await settle();
    for (;;) {
      if (isDone()) return;
      const next = this.#heap[0];
      if (next === undefined || next.at > end) break;
      if (this.happened >= this.happenedMax) throw new EventLimit(`event ${this.happened}`);
      this.#pop();
      this.now = Math.max(this.now, next.at);
      this.happened += 1;
      next.run();
      if (next.isQuiet && !this.#isStirred) continue;
      this.#isStirred = false;
      await settle();
    }
    this.now = Math.max(this.now, end);
  }

  #add(ms: number, run: () => void, isQuiet: boolean): void {
    this.#push({ at: this.now + Math.max(0, ms), number: ++this.#number, run, isQuiet });
  }

  #push(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.push(happening) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(happening, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = happening;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at !== b.at ? a.at < b.at : a.number < b.number;
}

/**
 * The real one, from before any tripwire: the end of a turn of the real loop is how the simulator
 * knows that all promises have run, and no simulated code ever sees it.
 */
const nextTurn = setImmediate;

/** All microtasks: whatever promises lead to without time going by. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    nextTurn(resolve);
  });
}
