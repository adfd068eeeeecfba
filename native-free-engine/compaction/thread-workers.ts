/**
 * Workers over Piscina: one pool for the process, shared by all engines, made by the first job and
 * let go of when the last engine closes. Jobs cross as plain data, arenas and table tails as
 * SharedArrayBuffers. The pool never keeps a process alive that has nothing else to do.
 */
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Piscina } from "piscina";
import { type EngineCode, EngineError, engineCodes, type Place } from "../errors.ts";
import type { Job, JobResult } from "./job.ts";
import type { Task } from "./thread-entry.ts";
import type { Workers } from "./workers.ts";

/** One engine's flush and one compaction of it may run in each thread. */
const tasksPerThread = 4;
/**
 * A core stays free for the caller. Measured on two cores: with a second thread, loading is a
 * fifth slower, because three threads then share them.
 */
const threadsMax = Math.max(1, Math.min(2, availableParallelism() - 1));
/** A thread that does not even answer a ping by then never will. */
const pingMs = 20_000;
/** Threads stay this long without work: starting one costs some 60 ms. */
const idleMs = 5_000;

let pool: Promise<Piscina> | undefined;
let users = 0;

/** A handle for one engine. */
export function threadWorkers(): Workers {
  let open = true;
  users += 1;
  return {
    prepare(): void {
      pool ??= startPool();
      // Its failure is the rejection of the job that comes.
      pool.catch(() => {});
    },
    async run(job: Job): Promise<JobResult> {
      pool ??= startPool();
      const started = pool;
      try {
        return (await (await started).run(job satisfies Task)) as JobResult;
      } catch (error) {
        throw asEngineError(error);
      }
    },
    async close(): Promise<void> {
      if (!open) return;
      open = false;
      users -= 1;
      if (users > 0 || pool === undefined) return;
      const last = pool;
      pool = undefined;
      // A pool that never started has nothing to destroy; its failure was some job's rejection.
      await last.then((threads) => threads.destroy()).catch(() => {});
    },
  };
}

async function startPool(): Promise<Piscina> {
  const { Piscina } = await import("piscina");
  const threads = new Piscina({
    filename: entryFile(),
    minThreads: 1,
    maxThreads: threadsMax,
    idleTimeout: idleMs,
    concurrentTasksPerWorker: tasksPerThread,
    // A thread must hear of a flush while it is busy with a compaction.
    atomics: "disabled",
  });
  // What kills a thread also rejects its task; without a listener it would end the process too.
  threads.on("error", () => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new EngineError("WORKER", `no worker thread answered within ${pingMs} ms`));
    }, pingMs);
  });
  try {
    await Promise.race([threads.run({ kind: "ping" } satisfies Task), late]);
    return threads;
  } catch (error) {
    pool = undefined;
    await threads.destroy().catch(() => {});
    throw asEngineError(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Threads load JavaScript: run from TypeScript sources, the built file stands in dist. */
function entryFile(): string {
  const built = import.meta.url.endsWith(".ts")
    ? new URL("../../dist/native-free-engine/compaction/thread-entry.js", import.meta.url)
    : new URL("./thread-entry.js", import.meta.url);
  return fileURLToPath(built);
}

/** Errors lose their class on the way out of a thread; code and place come along. */
function asEngineError(error: unknown): unknown {
  if (error instanceof EngineError) return error;
  if (!(error instanceof Error)) return error;
  const { code, place } = error as Error & { code?: unknown; place?: Place };
  if (typeof code === "string" && code in engineCodes) {
    const known = code as EngineCode;
    if (known === "CORRUPTION" && place !== undefined) {
      return new EngineError(known, error.message, { cause: error, place });
    }
    return new EngineError(known, error.message, { cause: error });
  }
  // System errors keep their code: who runs the job tells a full disk from a broken one by it.
  if (typeof code === "string" && code.startsWith("E") && !code.startsWith("ERR_")) return error;
  return new EngineError("WORKER", `a worker thread failed: ${error.message}`, { cause: error });
}
