/**
 * The Workers port: who runs flush and compaction jobs. Here is the one that runs them on the
 * calling thread, in slices, for tests, for `workers: false`, and where threads cannot be had.
 */
import { loadHash } from "../base/hash.ts";
import type { Clock } from "../clock.ts";
import type { Disk } from "../disk/disk.ts";
import { loadFilterPackage } from "../table/filter.ts";
import type { Job, JobResult } from "./job.ts";
import { runJob } from "./run-job.ts";

export interface Workers {
  /** A job will come soon: what takes long to start may start now. Never throws. */
  prepare(): void;
  /** Rejects with what the job threw. */
  run(job: Job): Promise<JobResult>;
  /** No more jobs will come from this engine. Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds of work between two turns of the event loop. */
const sliceMs = 4;

export function inlineWorkers(disk: Disk, clock: Clock): Workers {
  return {
    prepare: () => {},
    async run(job) {
      await Promise.all([loadHash(), loadFilterPackage()]);
      const steps = runJob(disk, job);
      for (let began = clock.elapsed(); ; ) {
        const step = steps.next();
        if (step.done === true) return step.value;
        if (clock.elapsed() - began < sliceMs) continue;
        await clock.sleep(0);
        began = clock.elapsed();
      }
    },
    close: () => Promise.resolve(),
  };
}
