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

/** Asked before the first job: a thread that cannot load this file would never answer. */
export type Task = { readonly kind: "ping" } | Job;

const sliceMs = 4;

export default async function runTask(task: Task): Promise<JobResult | undefined> {
  await Promise.all([loadHash(), loadFilterPackage()]);
  if (task.kind === "ping") return undefined;
  const steps = runJob(nodeDisk(), task);
  for (let began = systemClock.elapsed(); ; ) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (task.kind === "flush" || systemClock.elapsed() - began < sliceMs) continue;
    await setImmediate();
    began = systemClock.elapsed();
  }
}
