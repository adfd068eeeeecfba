/**
 * The loop around every operation. `callers` of them are in flight: each caller awaits its
 * operation, then takes the next. With one caller this is `for (…) await operate(i)`. Operations
 * that run synchronously go through a loop without awaits.
 */
import { Latencies } from "./latency.ts";

export interface DriveRequest {
  /** At most so many operations … */
  readonly operations: number;
  /** … and none is begun after this long. */
  readonly secondsMax: number;
  readonly callers: number;
  /** One operation in this many is timed. */
  readonly sampleEvery: number;
  readonly operate: (i: number) => unknown;
  /** Told what came of it: here, so that no operation needs a promise of its own around it. */
  readonly answered: (answer: unknown, i: number) => void;
}

export interface Driven {
  readonly operations: number;
  readonly endedAt: number;
  readonly latencies: Latencies;
}

/** So many operations go by between two looks at the clock. */
const clockEvery = 64;

export async function drive(request: DriveRequest): Promise<Driven> {
  const { callers, sampleEvery, operate, answered } = request;
  const latencies = new Latencies();
  const deadline = performance.now() + request.secondsMax * 1000;
  let limit = request.operations;
  let next = 0;
  const call = async (): Promise<void> => {
    while (next < limit) {
      const i = next++;
      if (i % clockEvery === 0 && performance.now() > deadline) limit = next;
      if (i % sampleEvery === 0) {
        const began = performance.now();
        const answer = await operate(i);
        latencies.record(performance.now() - began);
        answered(answer, i);
      } else {
        answered(await operate(i), i);
      }
    }
  };
  const inFlight: Promise<void>[] = [];
  for (let caller = 0; caller < callers; caller++) inFlight.push(call());
  await Promise.all(inFlight);
  return { operations: next, endedAt: performance.now(), latencies };
}

export function driveSync(request: Omit<DriveRequest, "callers">): Driven {
  const { operations, sampleEvery, operate, answered } = request;
  const latencies = new Latencies();
  const deadline = performance.now() + request.secondsMax * 1000;
  let i = 0;
  for (; i < operations; i++) {
    if (i % clockEvery === 0 && performance.now() > deadline) break;
    if (i % sampleEvery === 0) {
      const began = performance.now();
      const answer = operate(i);
      latencies.record(performance.now() - began);
      answered(answer, i);
    } else {
      answered(operate(i), i);
    }
  }
  return { operations: i, endedAt: performance.now(), latencies };
}
