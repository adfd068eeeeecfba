/** What a row leaves behind: one measurement for each engine and round, and their summary. */
import type { Percentiles } from "./latency.ts";

/** Which row: workload and its shape. Two runs are compared row by row. */
export interface RowKey {
  readonly workload: string;
  readonly callers: number;
  readonly n: number;
  readonly valueBytes: number;
}

/** What a put of the row has survived when it resolves. */
export type DurabilityClass = "os" | "power cut" | "read";

export interface Measurement {
  /** Operations, or entries for batches and scans, a second; draining included. */
  readonly rate: number;
  readonly operations: number;
  readonly seconds: number;
  /** How long, of those seconds, flushes and compactions went on behind the last write. */
  readonly drainSeconds: number;
  /** The time limit ended it before all operations were done. */
  readonly cutShort: boolean;
  readonly latency: Percentiles;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly diskBytes: number;
  readonly writtenBytes: number | undefined;
  /** Written bytes by bytes of keys and values given; absent for rows that only read. */
  readonly writeAmplification: number | undefined;
  /** Bytes on disk by bytes of the distinct keys and values given; loading rows only. */
  readonly spaceAmplification: number | undefined;
  readonly details: Readonly<Record<string, number | string>> | undefined;
}

/** Why an engine has no rate where nothing went wrong. */
export const lacking = "has no such operation";

export interface EngineRow {
  readonly engine: string;
  /** Why there is nothing: the operation is missing, or what went wrong. */
  readonly absent: string | undefined;
  readonly rounds: readonly Measurement[];
}

export interface Row extends RowKey {
  readonly durability: DurabilityClass;
  readonly what: string;
  readonly engines: readonly EngineRow[];
}

/** The middle one, and how far the rounds lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** Where requests come at a rate, there are no callers. */
export function rowLabel({ workload, callers }: RowKey): string {
  return callers <= 1 ? workload : `${workload} ×${callers}`;
}

export function sameRow(a: RowKey, b: RowKey): boolean {
  return (
    a.workload === b.workload &&
    a.callers === b.callers &&
    a.n === b.n &&
    a.valueBytes === b.valueBytes
  );
}
