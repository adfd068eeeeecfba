/**
 * Cold reads: the same database on a disk that takes 5 ms for each read, almost without a cache,
 * under 128 readers. Reads are slow only once the database is open. As in Node, four asynchronous
 * reads go on at once and the others queue behind them.
 */
import { threadWorkers } from "../../native-free-engine/compaction/thread-workers.ts";
import type { Disk, DiskFile } from "../../native-free-engine/disk/disk.ts";
import { nodeDisk } from "../../native-free-engine/disk/node-disk.ts";
import { openOn } from "../../native-free-engine/open.ts";
import { systemClock } from "../../native-free-engine/system-clock.ts";
import { drive } from "../drive.ts";
import { keyOf, scattered, Values } from "../keys.ts";
import { Latencies } from "../latency.ts";
import { loadAndRest } from "../load.ts";
import type { Fact, SceneRequest } from "../scene.ts";
import { everwrite } from "../targets/everwrite.ts";

const readMs = 5;
const poolThreads = 4;
const callers = 128;
const seconds = 5;
const cacheBytes = 1 << 20;
const timerMs = 1;
const p99MostMs = 10;

interface SlowDisk {
  readonly disk: Disk;
  slow: boolean;
  blockingReads: number;
  reads: number;
  /** Resolves once one of the threads has spent the time of a read. */
  readonly takeTurn: () => Promise<void>;
}

export async function cold(request: SceneRequest): Promise<Fact[]> {
  const { directory, engine, n } = request;
  const target = await everwrite.open({ directory, durable: false });
  await loadAndRest({ target, n, values: new Values(request.valueBytes) });
  await target.close();
  const slow = slowDisk();
  const world = { disk: slow.disk, clock: systemClock };
  const opened = await openOn(
    // As in production: what is compacted meanwhile is read by another thread.
    { ...world, workers: threadWorkers() },
    directory,
    { cacheBytes },
    { memoryBytes: 2 ** 30, newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }) },
  );
  slow.slow = true;
  const delays = new Latencies();
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    delays.record(Math.max(0, now - last - timerMs));
    last = now;
  }, timerMs);
  const began = performance.now();
  const driven = await drive({
    ...{ operations: Number.MAX_SAFE_INTEGER, secondsMax: seconds, callers, sampleEvery: 1 },
    operate: (i) => opened.get(keyOf(scattered(i, n))),
    answered: () => {},
  });
  clearInterval(timer);
  const rate = (1000 * driven.operations) / (driven.endedAt - began);
  slow.slow = false;
  await opened.close();
  const delay = delays.percentiles();
  // A small database is read from memory alone, which shows nothing.
  const wasCold = slow.reads > 0;
  const goalOf = (most: number) => (wasCold ? { goal: { most } } : {});
  return [
    { engine, name: "timer delay p99", value: delay.p99Ms, unit: "ms", ...goalOf(p99MostMs) },
    { engine, name: "timer delay max", value: delay.maxMs, unit: "ms" },
    { engine, name: "reads of the disk", value: slow.reads, unit: "" },
    { engine, name: "of them blocking", value: slow.blockingReads, unit: "", ...goalOf(1) },
    { engine, name: "gets ×128", value: rate, unit: "/s" },
    { engine, name: "get p99", value: driven.latencies.percentiles().p99Ms, unit: "ms" },
  ];
}

function slowDisk(): SlowDisk {
  const disk = nodeDisk();
  const state: SlowDisk = {
    slow: false,
    blockingReads: 0,
    reads: 0,
    takeTurn: threadPool(),
    disk: {
      ...disk,
      openSync: (path, mode) => slowFile(disk.openSync(path, mode), () => state),
    },
  };
  return state;
}

function slowFile(file: DiskFile, state: () => SlowDisk): DiskFile {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  return {
    readSync: (target, at, length, position) => {
      if (state().slow) {
        state().reads += 1;
        state().blockingReads += 1;
        Atomics.wait(pause, 0, 0, readMs);
      }
      return file.readSync(target, at, length, position);
    },
    read: async (target, at, length, position) => {
      if (state().slow) {
        state().reads += 1;
        await state().takeTurn();
      }
      return file.read(target, at, length, position);
    },
    writeSync: (source, at, length, position) => file.writeSync(source, at, length, position),
    write: (source, at, length, position) => file.write(source, at, length, position),
    syncSync: () => file.syncSync(),
    sync: () => file.sync(),
    bytesSync: () => file.bytesSync(),
    closeSync: () => file.closeSync(),
  };
}

function threadPool(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let free = poolThreads;
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    await new Promise((resolve) => setTimeout(resolve, readMs));
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
}
