/**
 * Runs the rows of every store in rounds, stores interleaved: A B C A B C …, so that what disturbs
 * the machine for a while disturbs all of them. The servers of one store at a time are up, each
 * with new directories in each round; the client is a process of its own.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { withScratch } from "../cleanup.ts";
import type { Progress } from "../forecast.ts";
import { runChild } from "../fork-child.ts";
import { rowLabel } from "../measurement.ts";
import type { ClientDone, ClientPlan, ClusterRow } from "./plan.ts";
import type { StoreInfo } from "./store.ts";

export interface RoundsRequest {
  readonly stores: readonly StoreInfo[];
  readonly rows: readonly ClusterRow[];
  readonly rounds: number;
  readonly n: number;
  readonly valueBytes: number;
  readonly seconds: number;
  readonly rate: number;
  readonly directory: string;
  readonly progress: Progress;
  readonly say: (line: string) => void;
}

/** One row of one store in one round. */
export interface Done extends ClientDone {
  readonly store: string;
  readonly round: number;
}

const startSeconds = 4;
const spareMs = 60_000;
/** Nobody writes more slowly than this, 64 at a time. */
const slowestFill = 500;
const usualFill = 8_000;

export async function runRounds(request: RoundsRequest): Promise<Done[]> {
  const { stores, rounds, progress, say, n, valueBytes } = request;
  const shape = { n, valueBytes };
  const all: Done[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const store of stores) {
      progress.begin(`round ${round} of ${rounds}: ${store.name}`);
      const rows = rowsOf(store, request.rows);
      const done = await runStore(request, { store, rows, round });
      for (const row of done) say(`    ${rowLabel({ ...row, ...shape })}: ${summaryOf(row)}`);
      all.push(...done.map((row) => ({ ...row, store: store.name, round })));
      progress.end(storeSeconds(request, rows.length));
    }
  }
  return all;
}

/** The forecast of `runRounds`. */
export function roundsSeconds(request: Omit<RoundsRequest, "progress" | "say">): number {
  const { stores, rounds } = request;
  const each = stores.map((store) => storeSeconds(request, rowsOf(store, request.rows).length));
  return rounds * each.reduce((sum, seconds) => sum + seconds, 0);
}

export function warmUpSeconds(seconds: number): number {
  return Math.min(2, seconds / 3);
}

function storeSeconds({ n, seconds }: { n: number; seconds: number }, rows: number): number {
  return startSeconds + n / usualFill + rows * (seconds + warmUpSeconds(seconds));
}

function rowsOf({ lacks = [] }: StoreInfo, rows: readonly ClusterRow[]): readonly ClusterRow[] {
  return rows.filter(({ workload }) => !lacks.includes(workload));
}

interface StoreRun {
  readonly store: StoreInfo;
  readonly rows: readonly ClusterRow[];
  readonly round: number;
}

/** A row that the client did not get to, because it or a server failed, is a failure. */
async function runStore(request: RoundsRequest, run: StoreRun): Promise<ClientDone[]> {
  const done: ClientDone[] = [];
  let failure = "";
  try {
    await withScratch(request.directory, async (scratch) => {
      const servers = join(scratch, "servers");
      mkdirSync(servers);
      const running = await run.store.start(servers, {});
      try {
        const { n, valueBytes, seconds, rate } = request;
        const shape = { n, valueBytes, seconds, rate, warmUpSeconds: warmUpSeconds(seconds) };
        const { endpoints, pids } = running;
        const { rows, round } = run;
        const who = { store: run.store.name, round, endpoints, pids, directory: servers };
        const ending = await runClient({ ...shape, ...who, rows }, done);
        failure = `its client ended with ${ending}`;
      } finally {
        await running.stop();
      }
    });
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const isDone = (row: ClusterRow): boolean =>
    done.some(({ workload, callers }) => workload === row.workload && callers === row.callers);
  const lost = run.rows.filter((row) => !isDone(row));
  return [...done, ...lost.map((row) => ({ ...row, measurement: undefined, failure }))];
}

function runClient(plan: ClientPlan, done: ClientDone[]): Promise<string> {
  const perRowMs = 3000 * (plan.seconds + plan.warmUpSeconds);
  return runChild<ClientDone>({
    script: "cluster/client-child",
    argument: JSON.stringify(plan),
    msMax: spareMs + (1000 * plan.n) / slowestFill + plan.rows.length * perRowMs,
    onMessage: (row) => done.push(row),
  });
}

function summaryOf({ measurement, failure }: ClientDone): string {
  if (measurement === undefined) return failure ?? "nothing";
  const { operations, seconds, failures, said } = measurement;
  const rate = `${Math.round(operations / seconds).toLocaleString("en-US")}/s`;
  return failures === 0 ? rate : `${rate}, ${failures} failed: ${said.join("; ")}`;
}
