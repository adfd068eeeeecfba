/**
 * Virtual time: everything that happens, in the order of (time, number). Asynchronous code runs
 * between two happenings, until nothing is left to run; then time leaps to the next one. Most
 * happenings of a node at rest wake nobody: a quiet one says so, unless `stir` was called in it.
 *
 * What promises lead to is run in place, by the very call with which Node ends each of its own
 * callbacks. Where that cannot be had, turns of the real loop do the same, at many times the cost:
 * timeline.test.ts compares the two.
 */

type RunPromises = () => void;

interface Run {
  readonly end: number;
  readonly isDone: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

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
  #turnEnds: (() => void)[] = [];
  readonly #runPromises: RunPromises | undefined;

  constructor(start = 0, promises: "in place" | "turns" = "in place") {
    this.start = start;
    this.#runPromises = promises === "in place" ? promisesInPlace() : undefined;
    this.now = start;
  }

  after(ms: number, run: () => void): void {
    this.#add(ms, run, false);
  }

  /** As `after`, for what wakes no promise unless it calls `stir`. */
  afterQuietly(ms: number, run: () => void): void {
    this.#add(ms, run, true);
  }

  /** Once all promises have run that this happening has set going; before anything else does. */
  afterTurn(run: () => void): void {
    this.#isStirred = true;
    this.#turnEnds.push(run);
  }

  /** Asynchronous code has something to do before time goes on. */
  stir(): void {
    this.#isStirred = true;
  }

  /** Until that time, or until `isDone` says so after some happening. */
  runUntil(end: number, isDone: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#goOn({ end, isDone, resolve, reject });
    });
  }

  /** In a turn of the real loop, as only there promises can be run in place. */
  #goOn(run: Run): void {
    nextTurn(() => {
      try {
        this.#turned();
        if (this.#advance(run)) run.resolve();
        else this.#goOn(run);
      } catch (error) {
        run.reject(error);
      }
    });
  }

  /** True when the run is over; otherwise the real loop has a turn first. */
  #advance({ end, isDone }: Run): boolean {
    for (let left = happeningsPerTurn; left > 0; left--) {
      while (this.#isStirred) {
        if (this.#runPromises === undefined) return false;
        this.#runPromises();
        this.#turned();
      }
      if (isDone()) return true;
      const next = this.#heap[0];
      if (next === undefined || next.at > end) {
        this.now = Math.max(this.now, end);
        return true;
      }
      if (this.happened >= this.happenedMax) throw new EventLimit(`event ${this.happened}`);
      this.#pop();
      this.now = Math.max(this.now, next.at);
      this.happened += 1;
      next.run();
      if (!next.isQuiet) this.#isStirred = true;
    }
    return false;
  }

  /** All promises have run. What waits for that may set others going. */
  #turned(): void {
    const ends = this.#turnEnds;
    this.#isStirred = ends.length > 0;
    if (!this.#isStirred) return;
    this.#turnEnds = [];
    for (const run of ends) run();
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

/** The real one, from before any tripwire. No simulated code ever sees it. */
const nextTurn = setImmediate;

/** Whoever waits on the real loop, the runner of tests above all, must not wait for long. */
const happeningsPerTurn = 4_096;

/**
 * All microtasks: whatever promises lead to without time going by. Node ends its own callbacks with
 * it, and does not promise that it stays.
 */
function promisesInPlace(): RunPromises | undefined {
  const { _tickCallback: run } = process as { _tickCallback?: RunPromises };
  return typeof run === "function" ? run : undefined;
}
