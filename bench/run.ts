/**
 * The benchmark suite: `npm run bench -- …` in a checkout, `kvctl bench …` from an installed
 * package. Results go to stdout, progress to stderr. See `usage` below for what can be asked.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { chartOf } from "./chart.ts";
import { type Choices, parseChoices, UsageError, usage } from "./choices.ts";
import { compareFiles, readReport } from "./compare.ts";
import { describeEnvironment, environmentNow, warnings } from "./environment.ts";
import { histogramPackages, sampledOneIn } from "./latency.ts";
import type { Report } from "./measurement.ts";
import { runMicro } from "./micro.ts";
import { installPeers } from "./peers.ts";
import { runSuite } from "./rounds.ts";
import { factsTable, playScene, type SceneName, type SceneResult, sceneNames } from "./stage.ts";
import { costsTable, ratesTable } from "./table.ts";
import type { TargetInfo } from "./target.ts";
import { allTargets } from "./targets/all.ts";

/** Runs what the arguments ask for; resolves to the exit code. */
export async function runBench(argv: readonly string[]): Promise<number> {
  try {
    const choices = parseChoices(argv);
    if (choices === undefined) {
      print(usage);
      return 0;
    }
    return await runChoices(choices, argv);
  } catch (error) {
    note(error instanceof Error ? error.message : String(error));
    return error instanceof UsageError ? 2 : 1;
  }
}

async function runChoices(choices: Choices, argv: readonly string[]): Promise<number> {
  const [first, second] = choices.operands;
  switch (choices.command) {
    case "compare":
      if (first === undefined || second === undefined) {
        throw new UsageError("compare needs two result files");
      }
      return compareFiles({ before: first, after: second }, print);
    case "chart":
      if (first === undefined) throw new UsageError("chart needs a result file");
      return drawChart(first, choices);
    case "micro":
      return runMicroSuites(choices);
    case "engine":
      return runEngine(choices, argv);
    case "all":
      return runAll(choices, argv);
    default:
      return runScenes(choices, [choices.command]);
  }
}

async function runAll(choices: Choices, argv: readonly string[]): Promise<number> {
  note("everything takes hours; engine, micro and the scenes can be run one by one");
  const sizes = [
    ...[100, 1024, 4096].map((valueBytes) => ({ n: choices.n, valueBytes })),
    { n: 10 * choices.n, valueBytes: 100 },
  ];
  const codes = [
    await runMicroSuites({ ...choices, json: undefined, operands: [] }),
    await runEngine({ ...choices, sizes }, argv),
    await runScenes({ ...choices, json: undefined, sizes: sizes.slice(-1) }, sceneNames),
  ];
  return Math.max(...codes);
}

async function runEngine(choices: Choices, argv: readonly string[]): Promise<number> {
  const environment = environmentNow();
  const targets = targetsOf(choices);
  const unavailable = await unavailableOf(targets);
  const directory = choices.directory ?? tmpdir();
  mkdirSync(directory, { recursive: true });
  const rows = await runSuite({ ...choices, targets, unavailable, directory, say: note });
  const report: Report = {
    kind: "everwrite-bench",
    version: 1,
    command: `npm run bench -- ${argv.join(" ")}`.trim(),
    environment,
    notes: notesOf(targets, unavailable, choices),
    rows,
  };
  print(describeEnvironment(environment));
  for (const warning of warnings(environment)) print(`warning: ${warning}`);
  print(`\n${ratesTable(report)}\n${costsTable(report)}`);
  for (const line of report.notes) print(`- ${line}`);
  saveJson(choices.json, report);
  const failed = rows
    .flatMap(({ engines }) => engines)
    .filter((engine) => {
      return engine.absent !== undefined && engine.absent !== "has no such operation";
    });
  for (const { engine, absent } of new Set(failed)) note(`${engine}: ${absent}`);
  return failed.some(({ engine }) => engine === "everwrite") ? 1 : 0;
}

async function runScenes(choices: Choices, scenes: readonly SceneName[]): Promise<number> {
  const environment = environmentNow();
  const targets = targetsOf(choices);
  const unavailable = await unavailableOf(targets);
  const engines = targets.map(({ name }) => name).filter((name) => !unavailable.has(name));
  const directory = choices.directory ?? tmpdir();
  mkdirSync(directory, { recursive: true });
  print(describeEnvironment(environment));
  for (const warning of warnings(environment)) print(`warning: ${warning}`);
  const results: SceneResult[] = [];
  for (const scene of scenes) {
    for (const { n, valueBytes } of choices.sizes) {
      const shape = { n, valueBytes, rounds: choices.rounds, directory };
      const result = await playScene({ ...shape, scene, engines, say: note });
      print(`\n${factsTable(result)}`);
      results.push(result);
    }
  }
  saveJson(choices.json, { kind: "everwrite-bench-scenes", version: 1, environment, results });
  return results.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

async function runMicroSuites(choices: Choices): Promise<number> {
  const environment = environmentNow();
  print(describeEnvironment(environment));
  const results = await runMicro(choices.operands, print);
  saveJson(choices.json, { kind: "everwrite-bench-micro", version: 1, environment, results });
  return 0;
}

function drawChart(path: string, choices: Choices): number {
  const beside = fileURLToPath(new URL("../../bench/chart.svg", import.meta.url));
  const target = choices.out ?? beside;
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, chartOf(readReport(path)));
  note(`drew ${target}`);
  return 0;
}

function targetsOf({ peers }: Choices): TargetInfo[] {
  return allTargets.filter(
    ({ name, package: needs }) => needs === undefined || peers.includes(name),
  );
}

/** By the names of engines, what its package could not be had for. */
async function unavailableOf(targets: readonly TargetInfo[]): Promise<Map<string, string>> {
  const packages = targets.flatMap(({ package: name }) => name ?? []);
  const failures = installPeers([...(await histogramPackages()), ...packages], note);
  return new Map(
    targets.flatMap(({ name, package: needs }): [string, string][] => {
      const failure = needs === undefined ? undefined : failures.get(needs);
      return failure === undefined ? [] : [[name, failure]];
    }),
  );
}

function notesOf(
  targets: readonly TargetInfo[],
  unavailable: ReadonlyMap<string, string>,
  { rounds, secondsMax }: Choices,
): string[] {
  return [
    `medians of ${rounds} rounds, engines interleaved, one process each (lowest–highest)`,
    "rates of writes count until no flush or compaction runs; drain s is the wait for that",
    `a rate with * was ended after ${secondsMax} s, before all operations were done`,
    "kill -9: what a put has survived when it resolves; power cut: fdatasync came before",
    `percentiles: each operation of batch and durable rows, else one in ${sampledOneIn}`,
    "written: write_bytes of /proc/self/io: a page changed again while still dirty counts once",
    "peak: VmHWM during the row; cpu: all threads; disk: allocated blocks",
    ...targets.flatMap(({ name, notes }) => notes.map((line) => `${name}: ${line}`)),
    ...[...unavailable].map(([name, why]) => `${name}: — because it ${why}`),
  ];
}

function saveJson(path: string | undefined, result: object): void {
  if (path === undefined) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  note(`saved ${path}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
