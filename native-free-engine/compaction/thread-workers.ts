/**
 * Workers over Piscina: one pool for the process, shared by all engines, made by the first job and
 * let go of when the last engine closes. Jobs cross as plain data, arenas and table tails as
 * SharedArrayBuffers. The pool never keeps a process alive that has nothing else to do.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Piscina } from "piscina";
import { assert } from "../base/assert.ts";
import { EngineError } from "../errors.ts";
import type { Job, JobResult } from "./job.ts";
import { lookMs, StallGuard } from "./stall-guard.ts";
import type { Reply, Task } from "./thread-entry.ts";
import { restoreError } from "./thread-failure.ts";
import type { Workers } from "./workers.ts";

/** One engine's flush and one compaction of it may run in each thread. */
const tasksPerThread = 4;
/**
 * A core stays free for the caller where there are several; on two cores one thread serves flush
 * and compaction. Whether a second one pays there could not be told from noise.
 */
const threadsMax = Math.max(1, Math.min(2, availableParallelism() - 1));
/** A thread that does not even answer a ping by then never will. */
const pingMs = 20_000;
/** Threads stay this long without work, so that the next job finds one that is warm. */
const idleMs = 5_000;

interface Pool {
  readonly threads: Piscina;
  readonly guard: StallGuard;
  readonly close: () => Promise<void>;
}

let pool: Promise<Pool> | undefined;
let users = 0;

/** A handle for one engine. */
export function threadWorkers(): Workers {
  let open = true;
  users += 1;
  return {
    prepare(): void {
      if (!open) return;
      // Its failure is the rejection of the job that comes.
      sharedPool().catch(() => {});
    },
    async run(job: Job): Promise<JobResult> {
      assert(open, "a closed handle runs no jobs");
      return runIn(await sharedPool(), job);
    },
    async close(): Promise<void> {
      if (!open) return;
      open = false;
      users -= 1;
      if (users > 0 || pool === undefined) return;
      const last = pool;
      pool = undefined;
      // A pool that never started has nothing to close; its failure was some job's rejection.
      await last.then((ended) => ended.close()).catch(() => {});
    },
  };
}

function sharedPool(): Promise<Pool> {
  if (pool !== undefined) return pool;
  const started = startPool();
  pool = started;
  // The next job tries again, unless another pool has taken its place.
  started.catch(() => forget(started));
  return started;
}

function forget(started: Promise<Pool>): void {
  if (pool === started) pool = undefined;
}

async function runIn({ threads, guard }: Pool, job: Job): Promise<JobResult> {
  guard.begin();
  let reply: Reply;
  try {
    reply = await threads.run({ kind: "job", job, beat: guard.beat } satisfies Task);
  } catch (cause) {
    throw threadError(guard.hasGivenUp ? new Error("no job went on for minutes") : cause);
  } finally {
    guard.end();
  }
  if (reply.kind === "failed") throw restoreError(reply.failure);
  assert(reply.kind === "done", "a job is answered with its result");
  return reply.result;
}

async function startPool(): Promise<Pool> {
  const { Piscina } = await import("piscina");
  const threads = new Piscina({
    filename: entryFile(),
    name: "runTask" satisfies keyof typeof import("./thread-entry.ts"),
    minThreads: 1,
    maxThreads: threadsMax,
    idleTimeout: idleMs,
    // A job makes few objects: more room for young ones only makes the thread larger, by 27 MiB.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
    concurrentTasksPerWorker: tasksPerThread,
    // A thread must hear of a flush while it is busy with a compaction.
    atomics: "disabled",
  });
  // What kills a thread also rejects its task; without a listener it would end the process too.
  threads.on("error", () => {});
  try {
    await ping(threads);
  } catch (cause) {
    await threads.destroy().catch(() => {});
    throw threadError(cause);
  }
  return guarded(threads);
}

async function ping(threads: Piscina): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${pingMs} ms`)), pingMs);
  });
  try {
    await Promise.race([threads.run({ kind: "ping" } satisfies Task), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Watches over the jobs. Giving up a pool rejects what it was running; others start anew. */
function guarded(threads: Piscina): Pool {
  const guard = new StallGuard();
  const close = async (): Promise<void> => {
    clearInterval(looks);
    await threads.destroy();
  };
  const looks = setInterval(() => {
    if (!guard.look()) return;
    pool = undefined;
    // Not waited for: a thread that hangs in the operating system may never end.
    close().catch(() => {});
  }, lookMs);
  looks.unref();
  return { threads, guard, close };
}

/** Threads load JavaScript: run from TypeScript sources, the built file stands in dist. */
function entryFile(): string {
  const built = import.meta.url.endsWith(".ts")
    ? new URL("../../dist/native-free-engine/compaction/thread-entry.js", import.meta.url)
    : new URL("./thread-entry.js", import.meta.url);
  return fileURLToPath(built);
}

/** What goes wrong with a thread, as opposed to within a job. */
function threadError(cause: unknown): EngineError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new EngineError("WORKER", `a worker thread failed: ${said}`, { cause });
}
