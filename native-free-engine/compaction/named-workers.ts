/**
 * Workers whose jobs are framed by syncs of the directory. Before a flush, so that a log's name is
 * durable before there is a table from it: a table whose log is nowhere is then proof that the
 * manifest once knew of it (lost-edits.ts). After each job, so that its tables have durable names
 * before the manifest relies on them. The syncs are made here and not by the jobs, because the
 * disk given must be the one that remembers failed syncs (final-syncs.ts), and threads have none.
 */
import type { Disk } from "../disk/disk.ts";
import type { Workers } from "./workers.ts";

export function namedWorkers(disk: Disk, workers: Workers): Workers {
  return {
    prepare: () => workers.prepare(),
    close: () => workers.close(),
    async run(job) {
      if (job.kind === "flush") await disk.syncDirectory(job.directory);
      const result = await workers.run(job);
      if (result.tables.length > 0) await disk.syncDirectory(job.directory);
      return result;
    },
  };
}
