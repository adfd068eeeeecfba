/**
 * How late timers fire in this process, and how much of that the machine is to blame for: on Linux
 * the scheduler tells how long the main thread was ready to run and another process had the core.
 */
import { readFileSync } from "node:fs";

const everyMs = 1;

/** Starts measuring; `stop` returns milliseconds: as felt, and without the waits for a core. */
export function measureLoopDelay() {
  const felt = [];
  const own = [];
  let waitedMs = 0;
  let running = true;
  let asked = performance.now();
  let waitBefore = waitForCoreMs();
  const tick = () => {
    const now = performance.now();
    const wait = waitForCoreMs();
    const delay = Math.max(0, now - asked - everyMs);
    felt.push(delay);
    own.push(Math.max(0, delay - (wait - waitBefore)));
    waitedMs += wait - waitBefore;
    asked = now;
    waitBefore = wait;
    if (running) setTimeout(tick, everyMs);
  };
  setTimeout(tick, everyMs);
  return {
    stop() {
      running = false;
      return { felt: summaryOf(felt), own: summaryOf(own), waitedMs };
    },
  };
}

function summaryOf(samples) {
  const sorted = Float64Array.from(samples).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

/** Of the main thread, since it began; 0 where nobody tells. */
function waitForCoreMs() {
  try {
    const path = `/proc/self/task/${process.pid}/schedstat`;
    return Number(readFileSync(path, "latin1").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}
