/**
 * Loaded into a process by `node --import`: says on its standard error, one line of JSON each, when
 * its event loop stood still, with the processor time that went by, and when garbage was collected
 * for long. Costs a timer of 5 ms. On a busy machine a process stands still although it does
 * nothing: then it is the processor time that says what the process itself made others wait for.
 */
import { PerformanceObserver } from "node:perf_hooks";

const everyMs = 5;
/** Shorter ones are nobody's trouble. */
const toldMs = 8;
const major = 4;

// Of this thread alone where Node can tell, else of the process, with its workers.
const usage = (process.threadCpuUsage ?? process.cpuUsage).bind(process);

let due = performance.now() + everyMs;
let used = usage();
setInterval(() => {
  const now = performance.now();
  const { user, system } = usage(used);
  if (now - due >= toldMs) say({ pauseMs: now - due, workMs: (user + system) / 1000 });
  due = now + everyMs;
  used = usage();
}, everyMs).unref();

new PerformanceObserver((list) => {
  for (const { duration, detail } of list.getEntries()) {
    if (duration >= toldMs) say({ gcMs: duration, isMajor: detail.kind === major });
  }
}).observe({ entryTypes: ["gc"] });

function say(what) {
  process.stderr.write(`${JSON.stringify(what)}\n`);
}
