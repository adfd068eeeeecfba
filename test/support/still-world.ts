/**
 * A world for one engine that a test can reason about: a disk in memory, a clock that stands still
 * at one moment, and jobs that run on the calling thread, or wait until they are told.
 */
import type { EngineOptions } from "../../native-free-engine/api.ts";
import type { Clock } from "../../native-free-engine/clock.ts";
import { inlineWorkers, type Workers } from "../../native-free-engine/compaction/workers.ts";
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { LsmEngine } from "../../native-free-engine/engine.ts";
import { openOn } from "../../native-free-engine/open.ts";
import type { Tuning } from "../../native-free-engine/options.ts";

export const directory = "/db";
export const now = 1_700_000_000_000;
export const hashSeed = 7;

/** Short waits are one turn of the loop, long ones never end, and no time passes. */
export const stillClock: Clock = {
  now: () => now,
  elapsed: () => 0,
  sleep: (ms) => new Promise((resolve) => (ms < 1000 ? setImmediate(resolve) : undefined)),
};

/** Small blocks and tables, and no compaction but what is asked for. */
export const smallTuning: Partial<Tuning> = {
  blockBytes: 256,
  sealedMax: 8,
  idleMs: 1e9,
  reserveBytes: 0,
  limits: {
    l0Trigger: 1000,
    l0SlowAt: 2000,
    l0StopAt: 3000,
    baseBytes: 1 << 20,
    growth: 10,
    tableBytes: 700,
  },
};

export const newIdentity = () => ({ databaseId: "00".repeat(16), hashSeed });

/** Jobs wait while the gate is shut; `refuse` ends those that wait. */
export class GatedWorkers implements Workers {
  readonly #inner: Workers;
  readonly #waiting: ((error: Error) => void)[] = [];
  shut = false;

  constructor(disk: MemoryDisk) {
    this.#inner = inlineWorkers(disk, stillClock);
  }

  prepare(): void {}

  run(job: Parameters<Workers["run"]>[0]): ReturnType<Workers["run"]> {
    if (!this.shut) return this.#inner.run(job);
    return new Promise((_resolve, reject) => this.#waiting.push(reject));
  }

  refuse(): void {
    for (const reject of this.#waiting.splice(0)) reject(new Error("the engine is closing"));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function openStill(
  disk: MemoryDisk,
  options: EngineOptions = {},
  workers: Workers = inlineWorkers(disk, stillClock),
): Promise<LsmEngine> {
  const world = { disk, clock: stillClock, workers };
  const context = { memoryBytes: 1 << 30, newIdentity, tuning: smallTuning };
  return openOn(world, directory, { memtableBytes: 1024, cacheBytes: 4096, ...options }, context);
}
