/** The one place that knows which function does which job. */
import { unreachable } from "../base/assert.ts";
import type { Disk } from "../disk/disk.ts";
import { compact } from "./compact.ts";
import { flush } from "./flush.ts";
import type { Job, JobResult } from "./job.ts";

/** Yields where the caller may pause. Needs `loadHash` and `loadFilterPackage` done before. */
export function runJob(disk: Disk, job: Job): Generator<void, JobResult> {
  switch (job.kind) {
    case "flush":
      return flush(disk, job);
    case "compaction":
      return compact(disk, job);
    default:
      return unreachable(job);
  }
}
