/**
 * How late timers fire while something runs. The machine may be busy with other things: what this
 * thread waited for a processor is not counted, where the system tells it, and a load gets several
 * tries, since a loop that is starved is late in every one of them.
 */
import { readFileSync } from "node:fs";

/** Timers ask for this delay. */
const everyMs = 10;

/**
 * Runs the load, which must end by itself, and tells by how many milliseconds the latest timer was
 * late. A load that never lets the loop turn counts as late for as long as it ran.
 */
export async function latenessDuring(load: () => Promise<void>): Promise<number> {
  let worst = 0;
  let running = true;
  let due = performance.now() + everyMs;
  let waited = waitedMs();
  const late = (): number => performance.now() - due - (waitedMs() - waited);
  const tick = (): void => {
    worst = Math.max(worst, late());
    due = performance.now() + everyMs;
    waited = waitedMs();
    if (running) setTimeout(tick, everyMs);
  };
  setTimeout(tick, everyMs);
  await load();
  running = false;
  return Math.max(worst, late());
}

/** So long this thread was ready to run, and others ran; the second number, as Linux has it. */
function waitedMs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

/** The best of several tries; stops at the first that is within the bound. */
export async function bestLateness(
  load: () => Promise<void>,
  bound: { readonly ms: number; readonly tries: number },
): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let left = bound.tries; left > 0 && best > bound.ms; left--) {
    best = Math.min(best, await latenessDuring(load));
  }
  return best;
}
