/**
 * What clients notice while the cluster works for itself: a node joins, a node with an old disk is
 * brought up to date by comparing trees, memtables are flushed and merged all the time.
 */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Fact } from "../../scene.ts";
import { ours } from "../../table.ts";
import { stats } from "../node-stats.ts";
import { stopAll } from "../servers.ts";
import { type StartedNode, startNode, startNodes, untilSettled } from "../stores/everwrite.ts";
import { connectRecords, type FaultRequest, fill, record, sleep } from "./recording.ts";

const ratioMost = 2;
const settleMsMax = 900_000;
/** Until everybody has heard of a change. */
const noticeMs = 2_000;
/** Small, so that something is flushed every few seconds and merged now and then. */
const busyMemtableBytes = 256 << 10;

export async function joining(request: FaultRequest): Promise<Fact[]> {
  const place = { directory: request.directory, durability: "os" as const };
  const nodes = await startNodes({ ...place, nodes: 3 });
  return whileChanging(request, nodes, {
    name: "a node joins",
    prepare: () => Promise.resolve(),
    act: async () => {
      nodes.push(await startNode(place, { number: 4, join: nodes[0]?.address }));
      await sleep(noticeMs);
    },
  });
}

/** Its directory is put back as it was before the records came: all of them have to come again. */
export async function exchange(request: FaultRequest): Promise<Fact[]> {
  const place = { directory: request.directory, durability: "os" as const };
  const nodes = await startNodes({ ...place, nodes: 3 });
  const restart = async (between: (data: string) => void): Promise<void> => {
    const old = nodes.pop();
    if (old === undefined) return;
    await old.server.stop();
    between(old.data);
    nodes.push(await startNode(place, { number: 3, listen: old.address }));
  };
  await restart((data) => cpSync(data, `${data}-old`, { recursive: true }));
  return whileChanging(request, nodes, {
    name: "an old disk comes back",
    prepare: async () => {
      await restart((data) => {
        rmSync(data, { recursive: true });
        cpSync(`${data}-old`, data, { recursive: true });
      });
    },
    // It learns from the others that its disk is older than what it did.
    act: () => sleep(noticeMs),
  });
}

/** Two clusters under the same load: the memtables of one are flushed and merged all the time. */
export async function compaction(request: FaultRequest): Promise<Fact[]> {
  const p99: number[] = [];
  for (const settings of [{}, { memtableBytes: busyMemtableBytes }]) {
    const directory = join(request.directory, String(p99.length));
    mkdirSync(directory);
    const nodes = await startNodes({ directory, nodes: 3, durability: "os", settings });
    try {
      const client = await connectRecords(
        nodes.map(({ address }) => address),
        request,
      );
      await fill(client, request);
      let [from, to] = [0, 0];
      const recording = await record(client, request, async (clock) => {
        from = clock();
        await sleep(request.seconds * 1000);
        to = clock();
      });
      await client.close();
      p99.push(recording.stretch(from, to).latency.p99Ms);
    } finally {
      await stopAll(nodes.map(({ server }) => server));
    }
  }
  const [quiet = Number.NaN, busy = Number.NaN] = p99;
  return facts("compaction works", { quiet, busy, failed: 0 });
}

interface Change {
  readonly name: string;
  /** Done while the load goes on; what it takes is not looked at. */
  prepare(): Promise<void>;
  act(): Promise<void>;
}

/** The stretch from the act until the cluster is whole again, beside the quiet one before. */
async function whileChanging(
  request: FaultRequest,
  nodes: readonly StartedNode[],
  { name, prepare, act }: Change,
): Promise<Fact[]> {
  const endpoints = nodes.map(({ address }) => address);
  try {
    const client = await connectRecords(endpoints, request);
    await fill(client, request);
    await untilSettled(endpoints, { nodes: nodes.length, whole: true }, settleMsMax);
    let [quietFrom, quietTo, from, to] = [0, 0, 0, 0];
    const recording = await record(client, request, async (clock) => {
      quietFrom = clock();
      await sleep(request.seconds * 1000);
      quietTo = clock();
      await prepare();
      from = clock();
      await act();
      await untilSettled(endpoints, { nodes: nodes.length }, settleMsMax);
      to = clock();
    });
    await client.close();
    const [last] = await stats(nodes.slice(-1).map(({ address }) => address));
    const { failed } = recording.stretch(quietFrom, to);
    const quiet = recording.stretch(quietFrom, quietTo).latency.p99Ms;
    const busy = recording.stretch(from, to).latency.p99Ms;
    const { streamed = 0, exchanged = 0 } = last?.notices ?? {};
    const filled = streamed + exchanged;
    const took = (to - from) / 1000;
    return [
      ...facts(name, { quiet, busy, failed }),
      { engine: ours, name: `${name}: took`, unit: "s", value: took },
      { engine: ours, name: `${name}: partitions that came to it`, unit: "", value: filled },
    ];
  } finally {
    await stopAll(nodes.map(({ server }) => server));
  }
}

function facts(
  name: string,
  { quiet, busy, failed }: { quiet: number; busy: number; failed: number },
): Fact[] {
  const fact = (what: string, unit: string, value: number): Fact => ({
    ...{ engine: ours, name: `${name}: ${what}`, unit, value },
  });
  return [
    fact("p99 in peace", "ms", quiet),
    fact("p99 meanwhile", "ms", busy),
    { ...fact("p99 meanwhile by that in peace", "×", busy / quiet), goal: { most: ratioMost } },
    { ...fact("failed", "requests", failed), goal: { most: 0 } },
  ];
}
