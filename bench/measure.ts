/** Measures what was asked for, says how long it may take, prints tables and saves the results. */
import { mkdirSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { UsageError } from "./arguments.ts";
import type { Choices } from "./choices.ts";
import { describeEnvironment, environmentNow, warnings } from "./environment.ts";
import { diskBytesAtMost, duration, Progress } from "./forecast.ts";
import { histogramPackage } from "./latency.ts";
import { lacking } from "./measurement.ts";
import { microTable, runMicro } from "./micro.ts";
import { notesOf } from "./notes.ts";
import { installPeers, installTools, usePeersDirectory } from "./peers.ts";
import { type Program, programOf, programSeconds } from "./program.ts";
import { type Report, Results } from "./report.ts";
import { runSuite } from "./rounds.ts";
import { factsTable, playScene } from "./stage.ts";
import { microPackage } from "./suite.ts";
import { bytes, costsTable, ours, ratesTable } from "./table.ts";
import type { TargetInfo } from "./target.ts";
import { allTargets } from "./targets/all.ts";

/** Who runs the suite, and where what it says goes. */
export interface BenchOutput {
  /** As in "npm run bench --": the results keep it, with its arguments. */
  readonly command: string;
  /** Results. */
  print(text: string): void;
  /** Progress, and what went wrong. */
  note(line: string): void;
}

interface Engines {
  readonly targets: readonly TargetInfo[];
  /** By the names of engines, what their packages could not be had for. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly available: readonly TargetInfo[];
}

const longSeconds = 3600;

/** Resolves to the exit code: 1 when something of ours failed. */
export async function measure(
  choices: Choices,
  argv: readonly string[],
  output: BenchOutput,
): Promise<number> {
  const { json, peersDirectory, directory = tmpdir() } = choices;
  const { note, print, command } = output;
  if (peersDirectory !== undefined) usePeersDirectory(peersDirectory);
  const program = programOf(choices);
  const engines = installFor(program, choices, note);
  const seconds = programSeconds(program, choices, engines.available);
  if (seconds === 0) throw new UsageError("no workload that was chosen takes so many callers");
  mkdirSync(directory, { recursive: true });
  const environment = environmentNow();
  const notes = notesOf(engines.targets, engines.unavailable, choices);
  const results = new Results(json, {
    command: `${command} ${argv.join(" ")}`.trim(),
    ...{ environment, notes },
  });
  note(`this may take ${duration(seconds)}; ${diskNeeded(program, directory)}`);
  if (seconds > longSeconds) note("shorter: --rounds, --seconds, --n, --peers or --workloads");
  print(describeEnvironment(environment));
  for (const warning of warnings(environment)) print(`warning: ${warning}`);
  await run({ program, choices, engines, directory, results, output }, new Progress(seconds, note));
  if (json !== undefined) note(`saved ${json}`);
  const failures = failuresOf(results.report);
  for (const failure of new Set(failures)) note(failure);
  return failures.some((failure) => failure.startsWith(`${ours}:`)) ? 1 : 0;
}

interface Run {
  readonly program: Program;
  readonly choices: Choices;
  readonly engines: Engines;
  readonly directory: string;
  readonly results: Results;
  readonly output: BenchOutput;
}

async function run(
  { program, choices, engines, directory, results, output }: Run,
  progress: Progress,
): Promise<void> {
  const { note, print } = output;
  const { suites, sizes, scenes } = program;
  if (suites.length > 0) {
    results.add({ micro: await runMicro(suites, progress) });
    print(`\n${microTable(results.report.micro)}`.trimEnd());
  }
  if (sizes.length > 0) {
    const { targets, unavailable } = engines;
    const where = { directory, say: note, progress };
    const onRows = (rows: Report["rows"]): void => results.add({ rows });
    await runSuite({ ...choices, sizes, targets, unavailable, ...where, onRows });
    const { report } = results;
    print(`\n${ratesTable(report)}\n${costsTable(report)}`);
    for (const line of report.notes) print(`- ${line}`);
  }
  for (const scene of scenes) {
    const { rounds } = choices;
    const names = engines.available.map(({ name }) => name);
    const where = { rounds, directory, progress, engines: names };
    const played = await playScene({ ...scene, ...where });
    results.add({ scenes: [played] });
    print(`\n${factsTable(played).trimEnd()}`);
  }
}

/** Installs what the program needs; the peers only where engines are compared. */
function installFor(
  { suites, sizes, scenes }: Program,
  { peers }: Choices,
  note: (line: string) => void,
): Engines {
  const runsEngines = sizes.length > 0 || scenes.length > 0;
  const tools = [
    ...(suites.length > 0 ? [microPackage] : []),
    ...(runsEngines ? [histogramPackage] : []),
  ];
  installTools(tools, note);
  const targets = allTargets.filter(
    ({ name, package: needs }) => needs === undefined || (runsEngines && peers.includes(name)),
  );
  const failures = installPeers(
    targets.flatMap(({ package: needs }) => needs ?? []),
    note,
  );
  const unavailable = new Map(
    targets.flatMap(({ name, package: needs }): [string, string][] => {
      const failure = needs === undefined ? undefined : failures.get(needs);
      return failure === undefined ? [] : [[name, failure]];
    }),
  );
  const available = targets.filter(({ name }) => !unavailable.has(name));
  return { targets, unavailable, available };
}

function diskNeeded({ sizes, scenes }: Program, directory: string): string {
  const needed = diskBytesAtMost([...sizes, ...scenes]);
  const text = `up to ${bytes(needed)} of disk in ${directory}`;
  if (sizes.length + scenes.length === 0) return "it needs no disk";
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < needed) {
    throw new Error(`this may need ${text}, which has ${bytes(bavail * bsize)}; choose with --dir`);
  }
  return text;
}

/** What went wrong, each with the engine's name before it. An operation it lacks is no failure. */
function failuresOf({ rows, scenes }: Report): string[] {
  const ofRows = rows.flatMap(({ engines }) =>
    engines.flatMap(({ engine, absent }) =>
      absent === undefined || absent === lacking ? [] : [`${engine}: ${absent}`],
    ),
  );
  return [...ofRows, ...scenes.flatMap(({ failures }) => failures)];
}
