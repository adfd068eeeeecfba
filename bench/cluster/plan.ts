/** What the client process of one store is asked to do in one round, and what it answers. */
import type { Percentiles } from "../latency.ts";

export const workloadNames = ["write", "read", "read-one", "paced"] as const;
export type ClusterWorkload = (typeof workloadNames)[number];

export interface ClusterRow {
  readonly workload: ClusterWorkload;
  /** For `paced`, where nobody waits for anybody, 0. */
  readonly callers: number;
}

export interface ClientPlan {
  readonly store: string;
  readonly round: number;
  readonly endpoints: readonly string[];
  readonly pids: readonly number[];
  /** Of the servers. */
  readonly directory: string;
  readonly n: number;
  readonly valueBytes: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Requests a second of `paced`. */
  readonly rate: number;
  readonly rows: readonly ClusterRow[];
}

/** What one row gave. */
export interface ClusterMeasurement {
  readonly operations: number;
  readonly seconds: number;
  readonly latency: Percentiles;
  readonly failures: number;
  readonly said: readonly string[];
  readonly clientCpuMs: number;
  /** Of each server, in the order of the plan. */
  readonly serverCpuMs: readonly number[];
  /** Resident at most, all servers and the client. */
  readonly peakBytes: number;
  /** Taken by the servers' directories. */
  readonly diskBytes: number;
  readonly writtenBytes: number;
  readonly wireBytes: number;
  /** What the store itself counted meanwhile; empty where it counts nothing. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface ClientDone extends ClusterRow {
  readonly measurement: ClusterMeasurement | undefined;
  /** The row failed, for this reason. */
  readonly failure?: string;
}

/** As in tables: `read` asks two of three copies, `read-one` one. */
export const meanings: Readonly<Record<ClusterWorkload, string>> = {
  write: "writes of keys that are there, on two of three copies where the store waits for them",
  read: "reads that two of three copies agree on, where the store can",
  "read-one": "reads of one copy; the same as read where the store has no such choice",
  paced: "as many reads as writes at a fixed rate, latency since each was due",
};
