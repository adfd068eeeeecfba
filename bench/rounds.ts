/**
 * Runs plans in child processes, engines interleaved: A B C A B C …, so that what disturbs the
 * machine for a while disturbs all of them, and gathers the rows.
 */
import { withScratch } from "./cleanup.ts";
import { type Progress, planSeconds, type Shape } from "./forecast.ts";
import { runChild } from "./fork-child.ts";
import {
  type EngineRow,
  lacking,
  type Measurement,
  type Row,
  rowLabel,
  sameRow,
} from "./measurement.ts";
import type { Plan, RowDone } from "./plan.ts";
import type { TargetInfo } from "./target.ts";
import { type PlanKind, type Workload, workloadNamed, workloads } from "./workloads.ts";

export interface SuiteRequest {
  readonly targets: readonly TargetInfo[];
  /** Engines that could not be had, and why. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly chosen: readonly string[];
  readonly callers: readonly number[];
  readonly sizes: readonly Shape[];
  readonly rounds: number;
  readonly secondsMax: number;
  readonly directory: string;
  readonly say: (line: string) => void;
  readonly progress: Progress;
  /** Told the rows of each stage once all its rounds are done, so that none need be lost. */
  readonly onRows: (rows: readonly Row[]) => void;
}

interface Stage extends Shape {
  readonly kind: PlanKind;
  readonly rows: Plan["rows"];
}

/** Loading before the rows may go as slowly as this many entries a second. */
const slowestLoad = 5_000;
const spareMs = 120_000;

export async function runSuite(request: SuiteRequest): Promise<void> {
  const stages = stagesOf(request);
  for (const [at, stage] of stages.entries()) {
    const title = `stage ${at + 1} of ${stages.length}: ${titleOf(stage)}`;
    request.onRows(await runStage(request, stage, title));
  }
}

/** The forecast of `runSuite`. */
export function suiteSeconds(
  request: StageChoices & Pick<SuiteRequest, "rounds"> & { readonly speeds: readonly number[] },
): number {
  const { speeds, rounds, secondsMax } = request;
  const plans = stagesOf(request).flatMap((stage) =>
    speeds.map((speed) => stageSeconds(stage, secondsMax, speed)),
  );
  return rounds * plans.reduce((sum, seconds) => sum + seconds, 0);
}

async function runStage(request: SuiteRequest, stage: Stage, title: string): Promise<Row[]> {
  const { targets, unavailable, rounds, progress, secondsMax } = request;
  const gathered = new Map<string, RowDone[]>();
  for (let round = 1; round <= rounds; round++) {
    for (const { name, speed } of targets) {
      if (unavailable.has(name)) continue;
      progress.begin(`${title}, round ${round} of ${rounds}: ${name}`);
      const done = await withScratch(request.directory, (directory) =>
        runPlan({ ...stage, secondsMax, directory, engine: name, round }, request.say),
      );
      progress.end(stageSeconds(stage, secondsMax, speed));
      gathered.set(name, [...(gathered.get(name) ?? []), ...done]);
    }
  }
  return stage.rows.map(({ workload, callers }): Row => {
    const key = { workload, callers, n: stage.n, valueBytes: stage.valueBytes };
    const engines = targets.map(({ name }): EngineRow => {
      const mine = (gathered.get(name) ?? []).filter((done) => sameRow(done, key));
      return engineRow(name, mine, unavailable.get(name));
    });
    const { what, durability } = workloadNamed(workload);
    return { ...key, what, durability, engines };
  });
}

type StageChoices = Pick<SuiteRequest, "chosen" | "callers" | "sizes" | "secondsMax">;

/** Fill rows have a database each; the others of a size share one, YCSB one for each `callers`. */
function stagesOf({ chosen, callers, sizes }: StageChoices): Stage[] {
  const wanted = workloads.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
  // Rows that know one caller only stay that way; the others take any number.
  const rowsOf = ({ name, callers: usual }: Workload) =>
    callers
      .filter((count) => usual.length > 1 || usual.includes(count))
      .map((count) => ({ workload: name, callers: count }));
  const of = (kind: PlanKind) => wanted.filter(({ plan }) => plan === kind).flatMap(rowsOf);
  return sizes.flatMap((shape) => {
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
  });
}

function titleOf({ kind, rows, n, valueBytes }: Stage): string {
  const [first] = rows;
  if (first === undefined) return kind;
  const workload = kind === "fill" ? first.workload : kind;
  const callers = kind === "stored" ? 1 : first.callers;
  const size = `${n.toLocaleString("en-US")} keys, values of ${valueBytes} B`;
  return `${rowLabel({ workload, callers, n, valueBytes })}, ${size}`;
}

function stageSeconds(stage: Stage, secondsMax: number, speed = 1): number {
  const { kind, rows, n, valueBytes } = stage;
  const chosen = rows.map(({ workload }) => workloadNamed(workload));
  return planSeconds(chosen, { n, valueBytes }, { secondsMax, loads: kind !== "fill", speed });
}

/** The rows it sent; those it did not get to, because it crashed or hung, are failures. */
async function runPlan(plan: Plan, say: (line: string) => void): Promise<RowDone[]> {
  const done: RowDone[] = [];
  const perRowMs = plan.secondsMax * 3000;
  const loadMs = (plan.n / slowestLoad) * 1000;
  const ending = await runChild<RowDone>({
    script: "child",
    argument: JSON.stringify(plan),
    msMax: spareMs + loadMs + plan.rows.length * perRowMs,
    onMessage: (row) => {
      done.push(row);
      const rate = row.measurement === undefined ? "—" : `${Math.round(row.measurement.rate)}/s`;
      say(`    ${rowLabel(row)}: ${row.failure ?? rate}`);
    },
  });
  const failure = `the process ended with ${ending}`;
  const lost = plan.rows.filter(
    ({ workload, callers }) =>
      !done.some((row) => row.workload === workload && row.callers === callers),
  );
  const { engine, n, valueBytes } = plan;
  const failed = lost.map((row): RowDone => {
    return { kind: "row", engine, n, valueBytes, ...row, measurement: undefined, failure };
  });
  return [...done, ...failed];
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
  const absent = rounds.length > 0 ? undefined : (unavailable ?? failure ?? lacking);
  return { engine, absent: failure === undefined ? absent : failure, rounds };
}
