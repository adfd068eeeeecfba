/**
 * How long a run will take and how much disk it needs at most, said before it begins. The rates are
 * rough ones of a small machine, for engines of all kinds; while a run goes on, `Progress` corrects
 * them by what its steps have taken so far.
 */
import { keyBytes } from "./keys.ts";
import type { Operation, Workload } from "./workloads.ts";

export interface Shape {
  readonly n: number;
  readonly valueBytes: number;
}

/** Operations (entries where a row counts those) a second, of an engine that is not the fastest. */
const rates: Readonly<Record<Operation, number>> = {
  ...{ batch: 200_000, put: 50_000, putDurable: 4_000, delete: 60_000, mix: 50_000 },
  ...{ get: 120_000, getSync: 300_000, getMany: 200_000, missing: 200_000 },
  ...{ scan: 500_000, seek: 20_000 },
};
const writtenBytesPerSecond = 60e6;
const readBytesPerSecond = 300e6;
const processSeconds = 0.4;
/** Loading before the rows of a plan: its rest, and the quiet that shows an engine idle. */
const restSeconds = 1.3;
/** A compaction or a checkpoint may hold two copies for a while, and LMDB's pages are half full. */
const diskFactor = 3;

export function loadSeconds({ n, valueBytes }: Shape): number {
  const bytes = n * (keyBytes + valueBytes);
  return n / rates.batch + bytes / writtenBytesPerSecond;
}

function rowSeconds(
  { operation, share, durability, mix }: Workload,
  { n, valueBytes }: Shape,
  secondsMax: number,
): number {
  const entries = n * share;
  const throughput = durability === "read" ? readBytesPerSecond : writtenBytesPerSecond;
  // Short scans cost as much as so many entries.
  const perOperation = mix !== undefined && mix.scan > 50 ? 25 : 1;
  const seconds = (entries * perOperation) / rates[operation] + (entries * valueBytes) / throughput;
  return Math.min(operation === "scan" ? Number.POSITIVE_INFINITY : secondsMax, seconds);
}

export interface PlanLimits {
  readonly secondsMax: number;
  /** It loads a database before its rows. */
  readonly loads: boolean;
  /** How many times quicker its engine is than the rates above. */
  readonly speed: number;
}

/** What one process of a plan takes. */
export function planSeconds(
  rows: readonly Workload[],
  shape: Shape,
  { secondsMax, loads, speed }: PlanLimits,
): number {
  const loading = loads ? restSeconds + loadSeconds(shape) / speed : 0;
  const each = rows.map((row) => rowSeconds(row, shape, secondsMax * speed) / speed);
  return processSeconds + loading + each.reduce((sum, seconds) => sum + seconds, 0);
}

/** One database at a time, and the largest decides. */
export function diskBytesAtMost(shapes: readonly Shape[]): number {
  const sizes = shapes.map(({ n, valueBytes }) => n * (keyBytes + valueBytes));
  // RocksDB, for one, takes 74 MiB for nothing.
  return 100e6 + diskFactor * Math.max(0, ...sizes);
}

export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** Says what begins, how much time has gone, and about how much is left. */
export class Progress {
  readonly #total: number;
  readonly #say: (line: string) => void;
  readonly #now: () => number;
  readonly #beganAt: number;
  #done = 0;

  /** The seconds that are forecast for all steps together. */
  constructor(
    seconds: number,
    say: (line: string) => void,
    now: () => number = () => performance.now() / 1000,
  ) {
    this.#total = seconds;
    this.#say = say;
    this.#now = now;
    this.#beganAt = now();
  }

  begin(step: string): void {
    const gone = this.#now() - this.#beganAt;
    // The first steps say little about the others: believe them as far as they go.
    const believed = Math.min(1, (10 * this.#done) / this.#total);
    const pace = this.#done === 0 ? 1 : 1 - believed + (believed * gone) / this.#done;
    const left = Math.max(0, this.#total - this.#done) * pace;
    this.#say(`${step} (${duration(gone)} gone, about ${duration(left)} left)`);
  }

  /** A step has ended that was forecast to take so long. */
  end(seconds: number): void {
    this.#done += seconds;
  }
}
