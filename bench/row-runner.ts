/**
 * Runs one row on an open engine and measures it. The answers are checked as they come: how many
 * keys were found, how many entries a scan gave, and now and then a whole value. A row whose
 * answers are wrong fails instead of having a rate.
 */
import { type Driven, drive, driveSync } from "./drive.ts";
import { Chance, keyBytes, keyOf, missingKeyOf, Shuffle, scattered, type Values } from "./keys.ts";
import { sampledOneIn } from "./latency.ts";
import type { Measurement } from "./measurement.ts";
import { mixOperation } from "./mix.ts";
import { diskBytes, peakBytes, resetPeak, takeLastActive, usage } from "./resources.ts";
import { emptyTally, type Tally } from "./tally.ts";
import type { Entry, Target } from "./target.ts";
import { batchEntries, manyKeys, type Workload } from "./workloads.ts";

export interface RowRequest {
  readonly target: Target;
  readonly workload: Workload;
  readonly callers: number;
  /** Keys in the database, or to be put into it. */
  readonly n: number;
  readonly values: Values;
  readonly secondsMax: number;
  readonly seed: number;
  readonly directory: string;
  /** The driver alone: its answers mean nothing. */
  readonly unchecked: boolean;
  /** The workload's share is of so many operations; of n unless given. */
  readonly operations?: number;
}

/** A whole value is compared once in so many gets. */
const checkEvery = 1009;
const warmUpSecondsMax = 0.5;

/** `undefined` when the engine lacks the operation. */
export async function runRow(request: RowRequest): Promise<Measurement | undefined> {
  const tally = emptyTally();
  const doing = operationOf(request, tally);
  if (doing === undefined) return undefined;
  const { operate, answered = ignore } = doing;
  const { workload, target, callers, secondsMax } = request;
  const operations = operationsOf(request);
  const sampleEvery = workload.unit > 1 || workload.durability === "power cut" ? 1 : sampledOneIn;
  const run = async (limits: { operations: number; secondsMax: number }): Promise<Driven> =>
    workload.operation === "getSync"
      ? driveSync({ ...limits, sampleEvery, operate, answered })
      : drive({ ...limits, callers, sampleEvery, operate, answered });
  if (workload.durability === "read" && workload.operation !== "scan") {
    await run({ operations: Math.ceil(operations / 10), secondsMax: warmUpSecondsMax });
    Object.assign(tally, emptyTally());
  }
  resetPeak();
  const before = usage();
  const driven = await run({ operations, secondsMax });
  // Reads leave no debt, and looking for some would only cost them time.
  const leavesDebt = workload.durability !== "read";
  const ended = leavesDebt ? await drained(target, driven.endedAt) : driven.endedAt;
  const after = usage();
  if (!request.unchecked) check(request, tally, driven.operations);
  const seconds = (ended - before.at) / 1000;
  const counted = workload.operation === "scan" ? tally.entries : driven.operations * workload.unit;
  const writtenBytes =
    after.writtenBytes === undefined || before.writtenBytes === undefined
      ? undefined
      : after.writtenBytes - before.writtenBytes;
  const onDisk = diskBytes(request.directory);
  const writes = tally.givenBytes > 0 && writtenBytes !== undefined && !request.unchecked;
  return {
    rate: counted / seconds,
    operations: counted,
    seconds,
    drainSeconds: (ended - driven.endedAt) / 1000,
    cutShort: driven.operations < operations,
    latency: driven.latencies.percentiles(),
    cpuSeconds: (after.cpuMs - before.cpuMs) / 1000,
    peakBytes: peakBytes(),
    diskBytes: onDisk,
    writtenBytes,
    writeAmplification: writes ? writtenBytes / tally.givenBytes : undefined,
    spaceAmplification:
      workload.plan === "fill" && !request.unchecked ? onDisk / tally.givenBytes : undefined,
    details: target.describe?.(),
  };
}

function operationsOf({ workload, n, operations = n }: RowRequest): number {
  if (workload.operation === "scan") return 1;
  return Math.max(1, Math.floor((operations * workload.share) / workload.unit));
}

/** Waits for flushes and compactions; returns when the last of them ended. */
export async function drained(target: Target, endedAt: number): Promise<number> {
  if (target.drain === undefined) return endedAt;
  await target.drain();
  // Where an engine cannot be asked, the quiet time that showed it idle is not counted.
  return Math.max(endedAt, takeLastActive() ?? performance.now());
}

/** One operation, and what to make of its answer. */
interface Doing {
  readonly operate: (i: number) => unknown;
  readonly answered?: (answer: unknown, i: number) => void;
}

function ignore(): void {}

function operationOf(request: RowRequest, tally: Tally): Doing | undefined {
  const { workload, target, values, seed } = request;
  const indexOf = orderOf(request);
  const entryBytes = keyBytes + values.bytes;
  const putWith = (put: (key: Buffer, value: Buffer) => unknown): Doing => ({
    operate: (i) => {
      const index = indexOf(i);
      tally.givenBytes += entryBytes;
      // SQLite, for one, skips the write of a value that is there already.
      return put(keyOf(index), values.of(index, workload.plan === "fill" ? 0 : i + 1));
    },
  });
  switch (workload.operation) {
    case "put":
      return putWith((key, value) => target.put(key, value));
    case "putDurable": {
      const { putDurable } = target;
      return putDurable === undefined ? undefined : putWith(putDurable);
    }
    case "batch":
      return {
        operate: (i) => {
          tally.givenBytes += batchEntries * entryBytes;
          return target.batch(entriesOf(i * batchEntries, batchEntries, indexOf, values));
        },
      };
    case "delete":
      return {
        operate: (i) => {
          tally.givenBytes += keyBytes;
          return target.delete(keyOf(indexOf(i)));
        },
      };
    case "mix":
      return {
        operate: mixOperation({ ...request, chance: new Chance(seed) }, tally),
        answered: (answer) => {
          if (answer instanceof Uint8Array) tally.found += 1;
        },
      };
    case "scan":
    case "seek":
      return scanOperation(request, tally, indexOf);
    default:
      return readOperation(request, tally, indexOf);
  }
}

function orderOf({ workload, n, seed }: RowRequest): (i: number) => number {
  if (workload.order === "sequential") return (i) => i;
  const shuffle = new Shuffle(n, seed);
  if (workload.order === "shuffled") return (i) => shuffle.at(i);
  const salt = Math.imul(seed, 0x27d4eb2f);
  return (i) => scattered(i ^ salt, n);
}

function scanOperation(
  { workload, target, n, unchecked }: RowRequest,
  tally: Tally,
  indexOf: (i: number) => number,
): Doing {
  if (workload.operation === "scan") {
    const all = unchecked ? { count: n } : {};
    return {
      operate: () => target.scan({ ...all, reverse: workload.reverse }),
      answered: (entries) => {
        tally.entries += Number(entries);
      },
    };
  }
  return {
    operate: (i) => target.scan({ from: keyOf(indexOf(i)), count: 1 }),
    answered: (entries) => {
      tally.asked += 1;
      tally.found += Number(entries);
    },
  };
}

function readOperation(
  { workload, target, values, unchecked }: RowRequest,
  tally: Tally,
  indexOf: (i: number) => number,
): Doing | undefined {
  const { getSync, getMany } = target;
  const answered = (value: unknown, i: number): void => {
    tally.asked += 1;
    if (value === undefined) return;
    tally.found += 1;
    if (tally.asked % checkEvery !== 0 || unchecked) return;
    const index = indexOf(i);
    checkValue(value, values.of(index), index);
  };
  switch (workload.operation) {
    case "getSync":
      if (getSync === undefined) return undefined;
      return { operate: (i) => getSync(keyOf(indexOf(i))), answered };
    case "getMany":
      if (getMany === undefined) return undefined;
      return {
        operate: (i) => {
          const keys: Buffer[] = [];
          for (let k = 0; k < manyKeys; k++) keys.push(keyOf(indexOf(i * manyKeys + k)));
          return getMany(keys);
        },
        answered: (found, i) => {
          const all = found as readonly unknown[];
          for (let k = 0; k < manyKeys; k++) answered(all[k], i * manyKeys + k);
        },
      };
    case "missing":
      return { operate: (i) => target.get(missingKeyOf(indexOf(i))), answered };
    default:
      return { operate: (i) => target.get(keyOf(indexOf(i))), answered };
  }
}

/** Entries number `from` and the following of a load. */
export function entriesOf(
  from: number,
  count: number,
  indexOf: (i: number) => number,
  values: Values,
): Entry[] {
  const entries: Entry[] = [];
  for (let i = from; i < from + count; i++) {
    const index = indexOf(i);
    entries.push({ key: keyOf(index), value: values.of(index) });
  }
  return entries;
}

function checkValue(value: unknown, expected: Buffer, index: number): void {
  if (value instanceof Uint8Array && expected.equals(value)) return;
  throw new Error(`wrong value of key ${index}`);
}

function check({ workload, n }: RowRequest, tally: Tally, operations: number): void {
  const { operation } = workload;
  if (operation === "scan" && tally.entries !== n) {
    throw new Error(`a scan gave ${tally.entries} of ${n} entries`);
  }
  if (operation === "scan") return;
  // A get may ask for what is still being inserted.
  if (workload.mix !== undefined && workload.mix.insert > 0) return;
  const expected = operation === "missing" ? 0 : tally.asked;
  if (tally.found !== expected) {
    throw new Error(`${tally.found} keys found of ${expected} in ${operations} operations`);
  }
}
