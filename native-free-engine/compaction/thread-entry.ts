/**
 * What runs inside a worker thread: the same jobs, on the real disk. A flush runs from start to
 * end, because writers wait for it. A compaction lets others have a turn every few milliseconds,
 * so that on a machine with few cores one thread serves both and no flush waits for a merge.
 */
import { setImmediate } from "node:timers/promises";
import { loadHash } from "../base/hash.ts";
import { nodeDisk } from "../disk/node-disk.ts";
import { systemClock } from "../system-clock.ts";
import { loadFilterPackage } from "../table/filter.ts";
import type { Job, JobResult } from "./job.ts";
import { runJob } from "./run-job.ts";
import { describeFailure, type Failure } from "./thread-failure.ts";

/** The ping comes first: a thread that cannot load this file would never answer. */
export type Task =
  | { readonly kind: "ping" }
  /** `beat` is counted up at each step (stall-guard.ts). */
  | { readonly kind: "job"; readonly job: Job; readonly beat: Int32Array };

export type Reply =
  | { readonly kind: "pong" }
  | { readonly kind: "done"; readonly result: JobResult }
  | { readonly kind: "failed"; readonly failure: Failure };

const sliceMs = 4;

/** The pool calls it by this name. */
export async function runTask(task: Task): Promise<Reply> {
  await Promise.all([loadHash(), loadFilterPackage()]);
  if (task.kind === "ping") return { kind: "pong" };
  try {
    return { kind: "done", result: await runSteps(task.job, task.beat) };
  } catch (error) {
    return { kind: "failed", failure: describeFailure(error) };
  }
}

async function runSteps(job: Job, beat: Int32Array): Promise<JobResult> {
  const steps = runJob(nodeDisk(), job);
  for (let began = systemClock.elapsed(); ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
    Atomics.add(beat, 0, 1);
    if (job.kind === "flush" || systemClock.elapsed() - began < sliceMs) continue;
    await setImmediate();
    began = systemClock.elapsed();
  }
}
