/**
 * The door of the embedded engine: `import { openEngine } from "everwrite/engine"`. Nothing of the
 * cluster is pulled in, the thread pool only when the first memtable is nearly full, and what is
 * rarely asked for (verify, salvage, destroy) only when it is: kvctl starts for a single get.
 */
import { randomBytes } from "node:crypto";
import { totalmem } from "node:os";
import type { Engine, EngineOptions } from "./api.ts";
import { threadWorkers } from "./compaction/thread-workers.ts";
import { inlineWorkers } from "./compaction/workers.ts";
import { nodeDisk } from "./disk/node-disk.ts";
import { openOn } from "./open.ts";
import type { Identity } from "./recovery.ts";
import type { SalvageReport } from "./salvage.ts";
import { systemClock } from "./system-clock.ts";
import type { VerifyReport } from "./verify.ts";

export type {
  BatchOperation,
  BytesInput,
  Compression,
  Durability,
  Engine,
  EngineOptions,
  EngineStats,
  LevelStats,
  Pair,
  PutOptions,
  Range,
  ReadOptions,
  Scan,
  ScanOptions,
  Snapshot,
  WriteOptions,
} from "./api.ts";
export { batchBytesMax, keyBytesMax, valueBytesMax } from "./base/limits.ts";
export {
  type Applied,
  type EngineCode,
  EngineError,
  engineCodes,
  isEngineError,
  type Place,
} from "./errors.ts";
export type { SalvageReport } from "./salvage.ts";
export type { VerifyProblem, VerifyReport } from "./verify.ts";

/**
 * Opens a database directory, making it unless told not to. Rejects with LOCKED while another
 * process (or this one) has it open for writing, CORRUPTION naming file and offset where bytes are
 * not what was written, and the other codes of `engineCodes`.
 */
export async function openEngine(location: string, options: EngineOptions = {}): Promise<Engine> {
  const disk = nodeDisk();
  const inline = options?.workers === false || options?.readOnly === true;
  const workers = inline ? inlineWorkers(disk, systemClock) : threadWorkers();
  return openOn({ disk, clock: systemClock, workers }, location, options, {
    memoryBytes: process.constrainedMemory?.() || totalmem(),
    newIdentity,
  });
}

/** Reads every byte of a database and checks it, without changing anything. */
export async function verifyEngine(location: string): Promise<VerifyReport> {
  const { verifyOn } = await import("./verify.ts");
  return verifyOn(nodeDisk(), location);
}

/**
 * Makes a damaged database openable again with everything that can still be read. What cannot is
 * moved to `lost/` and reported; values are never invented.
 */
export async function salvageEngine(location: string): Promise<SalvageReport> {
  const { salvageOn } = await import("./salvage.ts");
  return salvageOn(nodeDisk(), systemClock, location, newIdentity);
}

/** Removes a database: its own files, and the directory if nothing else is in it. */
export async function destroyEngine(location: string): Promise<void> {
  const { destroyOn } = await import("./destroy.ts");
  return destroyOn(nodeDisk(), location);
}

function newIdentity(): Identity {
  const random = randomBytes(20);
  return {
    databaseId: random.subarray(0, 16).toString("hex"),
    hashSeed: random.readUInt32LE(16),
  };
}
