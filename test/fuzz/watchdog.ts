/**
 * Ends the process when one input never ends. A loop that runs for ever lets no timer fire, so it
 * takes another thread to see it.
 */
import { Worker } from "node:worker_threads";

export interface Watchdog {
  /** This input is next. */
  touch(input: number): void;
  close(): Promise<void>;
}

const patienceMs = 60_000;

/** The thread's own source: it shares nothing with the sources but the counter. */
const source = `
const { workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const { shared, what, patienceMs } = workerData;
const state = new Int32Array(shared);
let last = -1;
let since = Date.now();
setInterval(() => {
  const input = Atomics.load(state, 0);
  if (input !== last) {
    last = input;
    since = Date.now();
  } else if (Date.now() - since > patienceMs) {
    writeSync(2, what + " --input " + input + ": this input never ends\\n");
    process.kill(process.pid, "SIGKILL");
  }
}, 1000);
`;

/** `what` is the command that fuzzes this decoder. */
export function startWatchdog(what: string): Watchdog {
  const shared = new SharedArrayBuffer(4);
  const state = new Int32Array(shared);
  const worker = new Worker(source, { eval: true, workerData: { shared, what, patienceMs } });
  worker.unref();
  return {
    touch: (input) => {
      state[0] = input;
    },
    close: async () => {
      await worker.terminate();
    },
  };
}
