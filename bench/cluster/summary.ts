/**
 * Rounds as rows of a report, in the form that all rows of the benchmark have, so that `compare`
 * and `chart` take them; and what the issue of speed asks of them, as facts with goals.
 */
import type { EngineRow, Measurement, Row } from "../measurement.ts";
import type { Fact, SceneResult } from "../scene.ts";
import { ours } from "../table.ts";
import { messagesFor } from "./node-stats.ts";
import { type ClusterMeasurement, type ClusterRow, meanings } from "./plan.ts";
import type { Done } from "./rounds.ts";
import type { StoreInfo } from "./store.ts";

export interface Shape {
  readonly n: number;
  readonly valueBytes: number;
}

export interface SummaryRequest extends Shape {
  readonly stores: readonly StoreInfo[];
  readonly rows: readonly ClusterRow[];
  /** By the names of stores, why they could not be run. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly done: readonly Done[];
}

export function rowsFrom({ stores, rows, unavailable, done, ...shape }: SummaryRequest): Row[] {
  return rows.map((row) => ({
    ...shape,
    workload: row.workload,
    callers: row.callers,
    durability: row.workload.startsWith("read") ? "read" : "os",
    what: meanings[row.workload],
    engines: stores.map(({ name }): EngineRow => {
      const mine = done.filter((one) => one.store === name && isRow(one, row));
      const failure = mine.find((one) => one.failure !== undefined)?.failure;
      const found = mine.flatMap(({ measurement }) => measurement ?? []);
      const failed = found.find(({ failures }) => failures > 0);
      const said = failed === undefined ? undefined : `some failed: ${failed.said.join("; ")}`;
      return {
        engine: name,
        absent: unavailable.get(name) ?? failure ?? said,
        rounds: found.map(measurementOf),
      };
    }),
  }));
}

/** How much of a peer's rate ours has to reach, in percent. */
interface RateGoal {
  readonly mine: string;
  readonly peer: string;
  readonly workload: ClusterRow["workload"];
  readonly least: number;
}

const many = 64;
const rateGoals: readonly RateGoal[] = [
  { mine: "everwrite", peer: "redis", workload: "write", least: 100 },
  { mine: "everwrite", peer: "redis-wait", workload: "write", least: 400 },
  { mine: "everwrite", peer: "nats", workload: "write", least: 400 },
  { mine: "everwrite-sync", peer: "etcd", workload: "write", least: 500 },
  { mine: "everwrite-sync", peer: "redis-wait", workload: "write", least: 100 },
  { mine: "everwrite", peer: "redis", workload: "read", least: 100 },
  { mine: "everwrite", peer: "redis", workload: "read-one", least: 120 },
];
/** The middle latency of one caller, by that of redis. */
const middleGoals = { write: 2.5, read: 2.5, "read-one": 1.2 } as const;
const peers = ["redis", "redis-wait", "nats", "etcd"];

/** Ratios are taken within a round, where both saw the same machine. */
export function goalsFrom(done: readonly Done[], shape: Shape): SceneResult {
  const facts: Fact[] = [];
  const rounds = [...new Set(done.map(({ round }) => round))];
  const fact = (name: string, unit: string, goal: Fact["goal"], value: number | undefined) => {
    const isKnown = value !== undefined && Number.isFinite(value) && goal !== undefined;
    if (isKnown) facts.push({ engine: ours, name, unit, goal, value });
  };
  for (const round of rounds) {
    const of = (store: string, workload: string, callers: number) =>
      done.find(
        (one) => one.round === round && one.store === store && isRow(one, { workload, callers }),
      )?.measurement;
    for (const { mine, peer, workload, least } of rateGoals) {
      const share = (100 * rateOf(of(mine, workload, many))) / rateOf(of(peer, workload, many));
      fact(`${mine}, ${workload} ×${many}: of ${peer}'s rate`, "%", { least }, share);
    }
    for (const workload of ["write", "read", "paced"] as const) {
      const callers = workload === "paced" ? 0 : many;
      const worst = of(ours, workload, callers)?.latency.p999Ms;
      const theirs = peers.flatMap((peer) => of(peer, workload, callers)?.latency.p999Ms ?? []);
      if (worst === undefined || theirs.length === 0) continue;
      const name = `${workload}${callers > 0 ? ` ×${callers}` : ""}: p99.9 by the best peer's`;
      fact(name, "×", { most: 1 }, worst / Math.min(...theirs));
    }
    for (const [workload, most] of Object.entries(middleGoals)) {
      const mine = of(ours, workload, 1)?.latency.p50Ms;
      const theirs = of("redis", workload, 1)?.latency.p50Ms;
      const ratio = mine === undefined || theirs === undefined ? undefined : mine / theirs;
      fact(`${workload} ×1: p50 by redis's`, "×", { most }, ratio);
    }
  }
  return { scene: "cluster", ...shape, facts, failures: [] };
}

export function measurementOf(measured: ClusterMeasurement): Measurement {
  const { operations, seconds, latency, clientCpuMs, serverCpuMs, counts } = measured;
  const serversMs = serverCpuMs.reduce((sum, ms) => sum + ms, 0);
  const perOperation = (amount: number): number => amount / Math.max(1, operations);
  return {
    ...{ rate: operations / seconds, operations, seconds, latency },
    ...{ drainSeconds: 0, cutShort: false },
    cpuSeconds: (clientCpuMs + serversMs) / 1000,
    peakBytes: measured.peakBytes,
    diskBytes: measured.diskBytes,
    writtenBytes: measured.writtenBytes,
    ...{ writeAmplification: undefined, spaceAmplification: undefined },
    details: {
      "client µs": perOperation(clientCpuMs * 1000),
      "servers µs": perOperation(serversMs * 1000),
      "wire bytes": perOperation(measured.wireBytes),
      "disk bytes": perOperation(measured.writtenBytes),
      ...(Object.keys(counts).length === 0 ? {} : { messages: messagesFor(counts, operations) }),
      failures: measured.failures,
    },
  };
}

function rateOf(measurement: ClusterMeasurement | undefined): number {
  if (measurement === undefined) return Number.NaN;
  return measurement.operations / measurement.seconds;
}

function isRow(
  row: { readonly workload: string; readonly callers: number },
  { workload, callers }: { readonly workload: string; readonly callers: number },
): boolean {
  return row.workload === workload && row.callers === callers;
}
