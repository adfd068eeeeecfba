/**
 * The machine's clock. Its timers keep the process alive: whoever sleeps owes somebody an answer,
 * and a process that exits meanwhile would leave that promise unsettled for ever. So sleep only
 * while there is work to come back to.
 */
import type { Clock } from "./clock.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: (ms) => (ms <= 0 ? nextTurn() : sleepUntil(performance.now() + ms)),
};

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Node's timers count whole milliseconds and may fire a fraction early: then they go again. */
function sleepUntil(until: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      const left = until - performance.now();
      if (left <= 0) resolve();
      else setTimeout(wake, Math.min(Math.ceil(left), timerMsMax));
    };
    wake();
  });
}

/** A longer delay would overflow the timer and fire at once. */
const timerMsMax = 2 ** 31 - 1;
