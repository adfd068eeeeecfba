/** `bench cluster`: says what it will do, runs the parts that were asked for, prints and saves. */
import { mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { describeEnvironment, environmentNow, warnings } from "../environment.ts";
import { duration, Progress } from "../forecast.ts";
import type { BenchOutput } from "../measure.ts";
import { installPeers, usePeersDirectory } from "../peers.ts";
import { Results } from "../report.ts";
import type { Fact, SceneResult } from "../scene.ts";
import { factsTable } from "../stage.ts";
import { ours } from "../table.ts";
import { type ClusterChoices, clusterUsage, parseClusterChoices } from "./choices.ts";
import type { ClusterRow } from "./plan.ts";
import { roundsSeconds, runRounds } from "./rounds.ts";
import { scenesFor } from "./scenes.ts";
import { isInstalled } from "./servers.ts";
import type { StoreInfo } from "./store.ts";
import { allStores } from "./stores/all.ts";
import { goalsFrom, rowsFrom } from "./summary.ts";
import { costsTable, storesTable, waitsTable } from "./tables.ts";

/** Resolves to the exit code. */
export async function runCluster(argv: readonly string[], output: BenchOutput): Promise<number> {
  const choices = parseClusterChoices(argv);
  if (choices === undefined) {
    output.print(clusterUsage);
    return 0;
  }
  const { json, peersDirectory, directory = tmpdir() } = choices;
  if (peersDirectory !== undefined) usePeersDirectory(peersDirectory);
  mkdirSync(directory, { recursive: true });
  const run: Run = { choices, directory, output, ...storesFor(choices, output.note) };
  const environment = environmentNow();
  const command = `${output.command} cluster ${argv.join(" ")}`.trim();
  const results = new Results(json, { command, environment, notes: notesFor(run) });
  const seconds = secondsFor(run);
  output.note(`this may take ${duration(seconds)}`);
  output.print(describeEnvironment(environment));
  for (const warning of warnings(environment)) output.print(`warning: ${warning}`);
  const progress = new Progress(seconds, output.note);
  await compareStores(run, results, progress);
  await playScenes(run, results, progress);
  for (const line of results.report.notes) output.print(`- ${line}`);
  if (json !== undefined) output.note(`saved ${json}`);
  const { rows, scenes } = results.report;
  const lost = rows.some(({ engines }) =>
    engines.some(({ engine, absent }) => engine.startsWith(ours) && absent !== undefined),
  );
  return lost || scenes.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

interface Run {
  readonly choices: ClusterChoices;
  readonly directory: string;
  readonly output: BenchOutput;
  /** All that were asked for, and why some of them cannot be had. */
  readonly stores: readonly StoreInfo[];
  readonly unavailable: ReadonlyMap<string, string>;
}

/** Installs clients only where there is a server to talk to. */
function storesFor(
  { parts, stores: names }: ClusterChoices,
  note: (line: string) => void,
): Pick<Run, "stores" | "unavailable"> {
  if (!parts.includes("speed") && !parts.includes("paced")) {
    return { stores: [], unavailable: new Map() };
  }
  const stores = allStores.filter(({ name }) => names.includes(name));
  const unavailable = new Map<string, string>();
  for (const { name, server } of stores) {
    if (server === undefined || isInstalled(server.command)) continue;
    const { command, debian } = server;
    unavailable.set(name, `there is no ${command}; Debian's package is ${debian}`);
  }
  const present = stores.filter(({ name }) => !unavailable.has(name));
  const packages = [...new Set(present.flatMap(({ package: needs }) => needs ?? []))];
  const failures = installPeers(packages, note);
  for (const { name, package: needs } of present) {
    const failure = needs === undefined ? undefined : failures.get(needs);
    if (failure !== undefined) unavailable.set(name, `its client ${failure}`);
  }
  for (const [name, why] of unavailable) note(`${name}: — because ${why}`);
  return { stores, unavailable };
}

function notesFor({ choices, stores, unavailable }: Run): string[] {
  const { rounds, rate, n, valueBytes } = choices;
  return [
    `medians of ${rounds} rounds, stores interleaved, with new servers and a client process each`,
    `${n.toLocaleString("en-US")} keys of 16 B, values of ${valueBytes} B, all written once before`,
    `paced: ${rate} requests a second, half of them writes; latency since each was due`,
    "µs: processor time of all threads; wire: all bytes on the loopback, disk: pages made dirty",
    ...stores.flatMap(({ name, notes }) => notes.map((line) => `${name}: ${line}`)),
    ...[...unavailable].map(([name, why]) => `${name}: — because ${why}`),
  ];
}

function rowsFor({ parts, callers }: ClusterChoices): ClusterRow[] {
  const closed = (["write", "read", "read-one"] as const).flatMap((workload) =>
    callers.map((count) => ({ workload, callers: count })),
  );
  return [
    ...(parts.includes("speed") ? closed : []),
    ...(parts.includes("paced") ? [{ workload: "paced" as const, callers: 0 }] : []),
  ];
}

function roundsFor({ choices, directory, stores, unavailable }: Run) {
  const { rounds, n, valueBytes, seconds, rate } = choices;
  const available = stores.filter(({ name }) => !unavailable.has(name));
  const rows = rowsFor(choices);
  return { stores: available, rows, rounds, n, valueBytes, seconds, rate, directory };
}

async function compareStores(run: Run, results: Results, progress: Progress): Promise<void> {
  const { stores, unavailable, output } = run;
  const request = roundsFor(run);
  const { rows, n, valueBytes } = request;
  if (rows.length === 0 || stores.length === 0) return;
  const done = await runRounds({ ...request, progress, say: output.note });
  const measured = rowsFrom({ stores, rows, unavailable, done, n, valueBytes });
  const goals = goalsFrom(done, { n, valueBytes });
  results.add({ rows: measured, scenes: goals.facts.length > 0 ? [goals] : [] });
  output.print(`\n${storesTable(measured)}\n${waitsTable(measured)}\n${costsTable(measured)}`);
  if (goals.facts.length > 0) output.print(factsTable(goals));
}

async function playScenes(
  { choices, directory, output }: Run,
  results: Results,
  progress: Progress,
): Promise<void> {
  for (const { scene, n, rounds, seconds, play } of scenesFor(choices, directory)) {
    const facts: Fact[] = [];
    const failures: string[] = [];
    for (let round = 1; round <= rounds; round++) {
      progress.begin(`${scene}, round ${round} of ${rounds}`);
      try {
        facts.push(...(await play(round)));
      } catch (error) {
        failures.push(`${ours}: ${error instanceof Error ? error.message : String(error)}`);
      }
      progress.end(seconds);
    }
    const { valueBytes } = choices;
    const played: SceneResult = { scene, n, valueBytes, facts, failures };
    results.add({ scenes: [played] });
    output.print(`\n${factsTable(played).trimEnd()}`);
  }
}

function secondsFor(run: Run): number {
  const scenes = scenesFor(run.choices, run.directory);
  const each = scenes.map(({ rounds, seconds }) => rounds * seconds);
  return roundsSeconds(roundsFor(run)) + each.reduce((sum, seconds) => sum + seconds, 0);
}
