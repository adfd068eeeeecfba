/** What runs inside a worker thread: the same jobs, on the real disk, from start to end. */
import { loadHash } from "../base/hash.ts";
import { nodeDisk } from "../disk/node-disk.ts";
import { loadFilterPackage } from "../table/filter.ts";
import type { Job, JobResult } from "./job.ts";
import { runJob } from "./run-job.ts";

/** Asked before the first job: a thread that cannot load this file would never answer. */
export type Task = { readonly kind: "ping" } | Job;

export default async function runTask(task: Task): Promise<JobResult | undefined> {
  await Promise.all([loadHash(), loadFilterPackage()]);
  if (task.kind === "ping") return undefined;
  const steps = runJob(nodeDisk(), task);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
