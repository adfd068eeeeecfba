/**
 * `bench -e`: YCSB on a cluster that runs already, from this process. What its nodes counted of
 * themselves meanwhile is told where they let this client ask (the role admin).
 */
import { type Client, type ConnectOptions, connect } from "../../src/index.ts";
import { environmentNow } from "../environment.ts";
import { Chance, Values } from "../keys.ts";
import type { BenchOutput } from "../measure.ts";
import type { Row } from "../measurement.ts";
import { Results } from "../report.ts";
import type { Fact, SceneResult } from "../scene.ts";
import { columns, count, milliseconds, ours } from "../table.ts";
import { workloadNamed } from "../workloads.ts";
import { closedLoop, type Driven, openLoop } from "./drive.ts";
import {
  type EndpointsChoices,
  endpointsUsage,
  type Letter,
  parseEndpointsChoices,
} from "./endpoints-choices.ts";
import { Histogram } from "./histogram.ts";
import { messagesFor, nodesCounted } from "./node-stats.ts";
import { type Kind, kinds, operationsOf, Records } from "./ycsb.ts";

/** Resolves to the exit code: 1 when a request failed. */
export async function runOnEndpoints(
  argv: readonly string[],
  output: BenchOutput,
  credentials: ConnectOptions,
): Promise<number> {
  const choices = parseEndpointsChoices(argv);
  if (choices === undefined) {
    output.print(endpointsUsage);
    return 0;
  }
  const command = `${output.command} ${argv.join(" ")}`;
  const head = { command, environment: environmentNow(), notes: [] };
  const results = new Results(choices.json, head);
  const client = await connect(choices.endpoints, { ...credentials, routing: choices.routing });
  try {
    const failed = await run({ choices, client, credentials, output, results });
    if (choices.json !== undefined) output.note(`saved ${choices.json}`);
    return failed === 0 ? 0 : 1;
  } finally {
    await client.close();
  }
}

interface Run {
  readonly choices: EndpointsChoices;
  readonly client: Client;
  readonly credentials: ConnectOptions;
  readonly output: BenchOutput;
  readonly results: Results;
}

/** How many requests failed. */
async function run({ choices, client, credentials, output, results }: Run): Promise<number> {
  const { n, valueBytes, bucket, prefix, r, w } = choices;
  const values = new Values(valueBytes);
  const place = bucket === "" ? client : client.bucket(bucket);
  const records = new Records({ bucket: place, n, values, prefix, r, w });
  let failed = 0;
  if (choices.loads) {
    const took = await forEach(n, choices, (index) => records.insert(index));
    output.note(`loaded ${n} records of ${valueBytes} B: ${count(n / took)} a second`);
  }
  const lines: string[][] = [];
  const costs: string[] = [];
  for (const letter of choices.letters) {
    output.note(`YCSB ${letter.toUpperCase()}: ${workloadNamed(`ycsb-${letter}`).what}`);
    const before = await nodesCounted(client, credentials);
    const ran = await runMix(records, letter, choices);
    const after = await nodesCounted(client, credentials);
    failed += ran.driven.failures;
    lines.push(...linesOf(letter, ran));
    const facts = factsOf(ran);
    if (before !== undefined && after !== undefined) {
      const { cpuMs, counts } = after.since(before);
      const { operations } = ran.driven;
      const micros = (1000 * cpuMs) / operations;
      const messages = messagesFor(counts, operations);
      const fact = { engine: ours, name: "CPU of nodes", value: micros, unit: "µs" };
      facts.push(fact, { engine: ours, name: "messages", value: messages, unit: "messages" });
      costs.push(`${letter.toUpperCase()}: ${count(micros)} µs, ${messages.toFixed(2)} messages`);
    }
    const shape = { n, valueBytes };
    const scene: SceneResult = { scene: `ycsb-${letter}`, ...shape, facts, failures: [] };
    results.add({ rows: [rowOf(letter, ran, choices)], scenes: [scene] });
  }
  const head = ["", "operations", "a second", "p50", "p99", "p99.9", "max", "failed"];
  output.print(columns([head, ...lines]).trimEnd());
  if (costs.length > 0) output.print(`nodes, for each operation: ${costs.join("; ")}`);
  if (records.siblings > 0) output.print(`reads that found siblings: ${records.siblings}`);
  if (!choices.keeps) {
    await forEach(records.end, choices, (index) => records.remove(index));
    output.note("removed the records");
  }
  return failed;
}

/** Every record once, as many at a time as there are callers; resolves to the seconds it took. */
async function forEach(
  end: number,
  { callers }: EndpointsChoices,
  act: (index: number) => Promise<void>,
): Promise<number> {
  const began = performance.now();
  let next = 0;
  const call = async (): Promise<void> => {
    while (next < end) await act(next++);
  };
  await Promise.all(Array.from({ length: callers }, call));
  return (performance.now() - began) / 1000;
}

interface Ran {
  readonly driven: Driven;
  readonly byKind: ReadonlyMap<Kind, Histogram>;
}

async function runMix(
  records: Records,
  letter: Letter,
  { callers, seconds, rate }: EndpointsChoices,
): Promise<Ran> {
  const { mix } = workloadNamed(`ycsb-${letter}`);
  if (mix === undefined) throw new Error(`${letter} has no mix`);
  const next = operationsOf(records, mix, new Chance(callers));
  const byKind = new Map(kinds.map((kind) => [kind, new Histogram()]));
  const operate = async (): Promise<void> => {
    const began = performance.now();
    const { kind, done } = next();
    await done;
    byKind.get(kind)?.record(performance.now() - began);
  };
  const answered = (): void => undefined;
  const driven =
    rate === undefined
      ? await closedLoop({ callers, seconds, operate, answered })
      : await openLoop({ rate, operate, answered, goesOn: (ms) => ms < seconds * 1000 });
  return { driven, byKind };
}

function linesOf(letter: Letter, { driven, byKind }: Ran): string[][] {
  const { operations, seconds, latency, failures, said } = driven;
  const line = (name: string, samples: number, found: typeof latency, failed: string): string[] => [
    ...[name, samples.toLocaleString("en-US"), count(samples / seconds)],
    ...[found.p50Ms, found.p99Ms, found.p999Ms, found.maxMs].map(milliseconds),
    failed,
  ];
  const failed = failures === 0 ? "0" : `${failures}: ${said.join("; ")}`;
  const parts = [...byKind].flatMap(([kind, histogram]) => {
    const found = histogram.percentiles();
    return found.samples === 0 ? [] : [line(`  ${kind}`, found.samples, found, "")];
  });
  return [line(letter.toUpperCase(), operations, latency, failed), ...parts];
}

function factsOf({ byKind }: Ran): Fact[] {
  return [...byKind].flatMap(([kind, histogram]) => {
    const { samples, p50Ms, p99Ms, p999Ms } = histogram.percentiles();
    const fact = (name: string, value: number): Fact => ({
      ...{ engine: ours, name: `${kind} ${name}`, value, unit: "ms" },
    });
    if (samples === 0) return [];
    return [fact("p50", p50Ms), fact("p99", p99Ms), fact("p99.9", p999Ms)];
  });
}

/** As other rows, so that `bench compare` takes it; what only servers know is left open. */
function rowOf(letter: Letter, { driven }: Ran, choices: EndpointsChoices): Row {
  const { n, valueBytes, callers, rate } = choices;
  const { name, what } = workloadNamed(`ycsb-${letter}`);
  const { operations, seconds, latency } = driven;
  const measurement = {
    ...{ rate: operations / seconds, operations, seconds, latency, drainSeconds: 0 },
    ...{ cutShort: false, cpuSeconds: 0, peakBytes: 0, diskBytes: 0, writtenBytes: undefined },
    ...{ writeAmplification: undefined, spaceAmplification: undefined, details: undefined },
  };
  return {
    ...{ workload: name, what, n, valueBytes, callers: rate === undefined ? callers : 0 },
    durability: "os",
    engines: [{ engine: ours, absent: undefined, rounds: [measurement] }],
  };
}
