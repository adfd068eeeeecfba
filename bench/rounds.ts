/**
 * Runs plans in child processes, engines interleaved: A B C A B C …, so that what disturbs the
 * machine for a while disturbs all of them, and gathers the rows.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { EngineRow, Measurement, Row } from "./measurement.ts";
import { rowLabel, sameRow } from "./measurement.ts";
import type { Plan, RowDone } from "./plan.ts";
import type { TargetInfo } from "./target.ts";
import { type PlanKind, type Workload, workloadNamed, workloads } from "./workloads.ts";

export interface SuiteRequest {
  readonly targets: readonly TargetInfo[];
  /** Engines that could not be had, and why. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly chosen: readonly string[];
  readonly callers: readonly number[];
  readonly sizes: readonly { readonly n: number; readonly valueBytes: number }[];
  readonly rounds: number;
  readonly secondsMax: number;
  readonly directory: string;
  readonly say: (line: string) => void;
}

interface Shape {
  readonly n: number;
  readonly valueBytes: number;
}

interface Stage extends Shape {
  readonly kind: PlanKind;
  readonly rows: Plan["rows"];
}

/** Loading before the rows may go as slowly as this many entries a second. */
const slowestLoad = 5_000;
const spareMs = 120_000;

export async function runSuite(request: SuiteRequest): Promise<Row[]> {
  const { targets, unavailable, rounds, say } = request;
  const rows: Row[] = [];
  const stages = request.sizes.flatMap((shape) => stagesOf(request, shape));
  for (const [at, stage] of stages.entries()) {
    const gathered = new Map<string, RowDone[]>();
    for (let round = 1; round <= rounds; round++) {
      for (const { name } of targets) {
        if (unavailable.has(name)) continue;
        say(`stage ${at + 1} of ${stages.length}, round ${round} of ${rounds}: ${name}`);
        const done = await runPlan({ ...planOf(request, stage), engine: name, round }, say);
        gathered.set(name, [...(gathered.get(name) ?? []), ...done]);
      }
    }
    for (const { workload, callers } of stage.rows) {
      const key = { workload, callers, n: stage.n, valueBytes: stage.valueBytes };
      const engines = targets.map(({ name }): EngineRow => {
        const mine = (gathered.get(name) ?? []).filter((done) => sameRow(done, key));
        return engineRow(name, mine, unavailable.get(name));
      });
      const { what, durability } = workloadNamed(workload);
      rows.push({ ...key, what, durability, engines });
    }
  }
  return rows;
}

/** Fill rows have a database each; the others of a size share one, YCSB one for each `callers`. */
function stagesOf({ chosen, callers }: SuiteRequest, shape: Shape): Stage[] {
  const wanted = workloads.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  const rowsOf = (workload: Workload) =>
    workload.callers
      .filter((count) => callers.includes(count))
      .map((count) => ({ workload: workload.name, callers: count }));
  const of = (kind: PlanKind) => wanted.filter(({ plan }) => plan === kind).flatMap(rowsOf);
  const stages: Stage[] = [
    ...of("fill").map((row) => ({ ...shape, kind: "fill" as const, rows: [row] })),
    { ...shape, kind: "stored", rows: of("stored") },
    ...callers.map((count) => ({
      ...shape,
      kind: "ycsb" as const,
      rows: of("ycsb").filter((row) => row.callers === count),
    })),
  ];
  return stages.filter(({ rows }) => rows.length > 0);
}

function planOf(request: SuiteRequest, stage: Stage): Omit<Plan, "engine" | "round"> {
  return { ...stage, secondsMax: request.secondsMax, directory: request.directory };
}

/** The rows it sent; those it did not get to, because it crashed or hung, are failures. */
function runPlan(plan: Plan, say: (line: string) => void): Promise<RowDone[]> {
  const done: RowDone[] = [];
  const script = fileURLToPath(new URL("./child.js", import.meta.url));
  // Stdout is for results, and a child sends its own.
  const child = fork(script, [JSON.stringify(plan)], { stdio: ["ignore", 2, 2, "ipc"] });
  const perRowMs = plan.secondsMax * 3000;
  const loadMs = (plan.n / slowestLoad) * 1000;
  const limit = setTimeout(
    () => child.kill("SIGKILL"),
    spareMs + loadMs + plan.rows.length * perRowMs,
  );
  child.on("message", (message) => {
    const row = message as RowDone;
    done.push(row);
    const rate = row.measurement === undefined ? "—" : `${Math.round(row.measurement.rate)}/s`;
    say(`    ${rowLabel(row)}: ${row.failure ?? rate}`);
  });
  return new Promise((resolve) => {
    child.on("exit", (code, signal) => {
      clearTimeout(limit);
      const failure = `the process ended with ${signal ?? `code ${code}`}`;
      const lost = plan.rows.filter(
        ({ workload, callers }) =>
          !done.some((row) => row.workload === workload && row.callers === callers),
      );
      const { engine, n, valueBytes } = plan;
      const failed = lost.map((row): RowDone => {
        return { kind: "row", engine, n, valueBytes, ...row, measurement: undefined, failure };
      });
      resolve([...done, ...failed]);
    });
  });
}

function engineRow(
  engine: string,
  done: readonly RowDone[],
  unavailable: string | undefined,
): EngineRow {
  const rounds = done.flatMap(({ measurement }): Measurement[] =>
    measurement === undefined ? [] : [measurement],
  );
  const failure = done.find((row) => row.failure !== undefined)?.failure;
  const absent =
    rounds.length > 0 ? undefined : (unavailable ?? failure ?? "has no such operation");
  return { engine, absent: failure === undefined ? absent : failure, rounds };
}
