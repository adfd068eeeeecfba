/**
 * The two ways to load a store. Closed: so many callers, each of which asks again when it has its
 * answer; this shows how much a store can do. Open: requests come at a rate, whatever the store
 * does, and each counts from when it was due; this shows what a request waits, also behind others
 * that the store kept waiting (the error of leaving those out has a name: coordinated omission).
 */
import type { Percentiles } from "../latency.ts";
import { Histogram } from "./histogram.ts";

export interface Driven {
  readonly operations: number;
  readonly seconds: number;
  readonly latency: Percentiles;
  readonly failures: number;
  /** What the first few of them said. */
  readonly said: readonly string[];
}

export interface ClosedLoad {
  readonly callers: number;
  readonly seconds: number;
  readonly operate: (caller: number) => unknown;
  /** Throws when the answer is wrong. */
  readonly answered: (answer: unknown) => void;
}

export interface OpenLoad {
  /** Requests a second. */
  readonly rate: number;
  /** Ends it: called before each grain of the clock. */
  readonly goesOn: (elapsedMs: number) => boolean;
  readonly operate: (i: number) => unknown;
  readonly answered: (answer: unknown) => void;
  /** Told when each request was due, how long it took since, and whether it was answered. */
  readonly onEnd?: (dueMs: number, tookMs: number, isAnswered: boolean) => void;
}

/** A store that answers nothing any more is not asked for ever. */
const failuresMax = 10_000;
const saidMax = 4;
/** Timers fire in whole milliseconds, so requests are due on this grid. */
const grainMs = 1;
/** Requests that wait for an answer at a time; a store that is so far behind is not keeping up. */
const pendingMax = 8_192;

export async function closedLoop(load: ClosedLoad): Promise<Driven> {
  const { callers, seconds, operate, answered } = load;
  const histogram = new Histogram();
  const failures = new Failures();
  let operations = 0;
  const began = performance.now();
  const until = began + seconds * 1000;
  const call = async (caller: number): Promise<void> => {
    let since = performance.now();
    while (since < until) {
      try {
        answered(await operate(caller));
        operations += 1;
      } catch (error) {
        failures.add(error);
      }
      const now = performance.now();
      histogram.record(now - since);
      since = now;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)));
  const tookSeconds = (performance.now() - began) / 1000;
  return {
    ...{ operations, seconds: tookSeconds, latency: histogram.percentiles() },
    ...{ failures: failures.count, said: failures.said },
  };
}

export async function openLoop(load: OpenLoad): Promise<Driven> {
  const { rate, goesOn, operate, answered, onEnd } = load;
  const histogram = new Histogram();
  const failures = new Failures();
  let operations = 0;
  let pending = 0;
  let asked = 0;
  const began = performance.now();
  const ask = async (dueMs: number): Promise<void> => {
    pending += 1;
    let isAnswered = false;
    try {
      answered(await operate(asked++));
      operations += 1;
      isAnswered = true;
    } catch (error) {
      failures.add(error);
    }
    pending -= 1;
    const tookMs = performance.now() - began - dueMs;
    histogram.record(tookMs);
    onEnd?.(dueMs, tookMs, isAnswered);
  };
  let grain = 0;
  for (;;) {
    const elapsedMs = performance.now() - began;
    if (!goesOn(elapsedMs)) break;
    for (; grain * grainMs <= elapsedMs; grain++) {
      const due = Math.floor(((grain + 1) * grainMs * rate) / 1000);
      if (pending > pendingMax) throw new Error(`it cannot keep up with ${rate} a second`);
      // Owned by `pending`, and `ask` never rejects.
      while (asked < due) void ask(grain * grainMs);
    }
    await new Promise((resolve) => setTimeout(resolve, grainMs));
  }
  while (pending > 0) await new Promise((resolve) => setTimeout(resolve, grainMs));
  const seconds = (performance.now() - began) / 1000;
  return {
    ...{ operations, seconds, latency: histogram.percentiles() },
    ...{ failures: failures.count, said: failures.said },
  };
}

class Failures {
  readonly #said = new Set<string>();
  count = 0;

  get said(): readonly string[] {
    return [...this.#said];
  }

  add(error: unknown): void {
    this.count += 1;
    const text = error instanceof Error ? error.message : String(error);
    if (this.#said.size < saidMax) this.#said.add(text);
    if (this.count > failuresMax) throw new Error(`too much fails: ${text}`);
  }
}
