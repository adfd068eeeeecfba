/**
 * A client that asks the owners of a key, against one that asks any node in turn, as behind a load
 * balancer (Dynamo, section 6.4 and table 2). Six nodes, so that half of them own nothing of a key:
 * with three, each owns everything, and any node is an owner. Both clients take turns, so that both
 * see the same machine.
 *
 * One machine's loopback costs processor time only, and a request's other costs are the same for
 * both clients. On a network what counts is how often a request goes there and back, one after the
 * other: at an owner a write with w = 2 does twice, at any other node three times; a read of two
 * copies twice at either; a read of one copy once at an owner, else twice.
 */
import { Shuffle, Values } from "../../keys.ts";
import { spreadOf } from "../../measurement.ts";
import type { Fact } from "../../scene.ts";
import { ours } from "../../table.ts";
import { closedLoop } from "../drive.ts";
import { Counted, messagesFor, stats } from "../node-stats.ts";
import { stopAll } from "../servers.ts";
import { type EverwriteClient, startNodes } from "../stores/everwrite.ts";
import { connectRecords, type FaultRequest, fill } from "./recording.ts";

const nodesCount = 6;
const turns = 5;
const callers = 64;
const warmUpSeconds = 0.3;
const ratioMost = 0.6;

const kinds = ["write", "read of two", "read of one"] as const;
type Kind = (typeof kinds)[number];

interface Row {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly nodeMicros: number;
  readonly messages: number;
  readonly failures: number;
}

export async function routing(request: FaultRequest): Promise<Fact[]> {
  const { directory } = request;
  const nodes = await startNodes({ directory, nodes: nodesCount, durability: "os" });
  const endpoints = nodes.map(({ address }) => address);
  try {
    const filler = await connectRecords(endpoints, request);
    await fill(filler, request);
    await filler.close();
    const clients = [];
    for (const how of ["aware", "any"] as const) {
      const client = await connectRecords(endpoints, request, how);
      await client.learn();
      // Each writes keys of its own: the other's writes would stay beside them as siblings.
      clients.push({ client, half: clients.length, rows: new Map<Kind, Row[]>() });
    }
    for (let turn = 0; turn < turns; turn++) {
      for (const kind of kinds) {
        for (const { client, half, rows } of clients) {
          const operate = operationOf(kind, { client, half, ...request });
          const row = await rowOf(operate, { endpoints, seconds: request.seconds / turns });
          rows.set(kind, [...(rows.get(kind) ?? []), row]);
        }
      }
    }
    for (const { client } of clients) await client.close();
    const [aware = new Map(), any = new Map()] = clients.map(({ rows }) => rows);
    return kinds.flatMap((kind) => factsOf(kind, aware.get(kind) ?? [], any.get(kind) ?? []));
  } finally {
    await stopAll(nodes.map(({ server }) => server));
  }
}

/** Reads and writes only its half of the keys. */
function operationOf(
  kind: Kind,
  {
    client,
    half,
    n,
    valueBytes,
  }: Pick<FaultRequest, "n" | "valueBytes"> & {
    readonly client: EverwriteClient;
    readonly half: number;
  },
): () => Promise<unknown> {
  const values = new Values(valueBytes);
  const shuffle = new Shuffle(n >> 1, 5);
  let next = 0;
  return () => {
    const i = next++;
    const index = 2 * shuffle.at(i % (n >> 1)) + half;
    if (kind === "write") return client.write({ index }, values.of(index, i));
    return client.read({ index }, kind === "read of two" ? 2 : 1);
  };
}

async function rowOf(
  operate: () => Promise<unknown>,
  { endpoints, seconds }: { readonly endpoints: readonly string[]; readonly seconds: number },
): Promise<Row> {
  const load = { callers, operate, answered: () => undefined };
  await closedLoop({ ...load, seconds: warmUpSeconds });
  const before = new Counted(await stats(endpoints));
  const { operations, latency, failures } = await closedLoop({ ...load, seconds });
  const { cpuMs, counts } = new Counted(await stats(endpoints)).since(before);
  return {
    ...{ p50Ms: latency.p50Ms, p99Ms: latency.p99Ms, failures },
    nodeMicros: (1000 * cpuMs) / operations,
    messages: messagesFor(counts, operations),
  };
}

/** A ratio is the median of those of rows that came one after the other. */
function factsOf(kind: Kind, aware: readonly Row[], any: readonly Row[]): Fact[] {
  const middle = (values: readonly number[]): number => spreadOf(values)?.median ?? Number.NaN;
  const fact = (name: string, unit: string, value: number): Fact => ({
    ...{ engine: ours, name: `routing, ${kind}: ${name}`, unit, value },
  });
  const both = (name: string, unit: string, of: (row: Row) => number): Fact[] => {
    const ratios = aware.map((row, i) => of(row) / of(any[i] ?? row));
    return [
      fact(`${name} at an owner`, unit, middle(aware.map(of))),
      fact(`${name} at any node`, unit, middle(any.map(of))),
      fact(`${name}, owner by any`, "×", middle(ratios)),
    ];
  };
  const p99 = both("p99", "ms", ({ p99Ms }) => p99Ms);
  const failed = [...aware, ...any].reduce((sum, { failures }) => sum + failures, 0);
  return [
    ...both("messages", "", ({ messages }) => messages),
    ...both("processor time of the nodes", "µs", ({ nodeMicros }) => nodeMicros),
    ...both("p50", "ms", ({ p50Ms }) => p50Ms),
    ...p99.slice(0, 2),
    ...p99.slice(2).map((ratio) => ({ ...ratio, goal: { most: ratioMost } })),
    fact("failed", "requests", failed),
  ];
}
