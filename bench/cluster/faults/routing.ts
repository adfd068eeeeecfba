/**
 * A client that asks the owners of a key, against one that asks any node in turn (the paper's table
 * 2): five nodes, the same load, by turns, so that both see the same machine.
 */

import { spreadOf } from "../../measurement.ts";
import type { Fact } from "../../scene.ts";
import { ours } from "../../table.ts";
import { stopAll } from "../servers.ts";
import { startNodes } from "../stores/everwrite.ts";
import { connectRecords, type FaultRequest, fill, record, sleep } from "./recording.ts";

const turns = 3;
const ratioMost = 0.6;

export async function routing(request: FaultRequest): Promise<Fact[]> {
  const { directory, seconds } = request;
  const nodes = await startNodes({ directory, nodes: 5, durability: "os" });
  const endpoints = nodes.map(({ address }) => address);
  const p50: Record<"aware" | "any", number[]> = { aware: [], any: [] };
  const p99: Record<"aware" | "any", number[]> = { aware: [], any: [] };
  try {
    const filler = await connectRecords(endpoints, request);
    await fill(filler, request);
    await filler.close();
    for (let turn = 0; turn < turns; turn++) {
      for (const how of ["aware", "any"] as const) {
        const client = await connectRecords(endpoints, request, how);
        await client.learn();
        let [from, to] = [0, 0];
        const recording = await record(client, request, async (clock) => {
          from = clock();
          await sleep((seconds * 1000) / 2);
          to = clock();
        });
        await client.close();
        const { latency } = recording.stretch(from, to);
        p50[how].push(latency.p50Ms);
        p99[how].push(latency.p99Ms);
      }
    }
  } finally {
    await stopAll(nodes.map(({ server }) => server));
  }
  const middle = (values: readonly number[]): number => spreadOf(values)?.median ?? Number.NaN;
  const fact = (name: string, unit: string, value: number): Fact => ({
    ...{ engine: ours, name: `routing: ${name}`, unit, value },
  });
  return [
    fact("p50 to an owner", "ms", middle(p50.aware)),
    fact("p50 to any node", "ms", middle(p50.any)),
    fact("p99 to an owner", "ms", middle(p99.aware)),
    fact("p99 to any node", "ms", middle(p99.any)),
    fact("p50, owner by any", "×", middle(p50.aware) / middle(p50.any)),
    {
      ...fact("p99, owner by any", "×", middle(p99.aware) / middle(p99.any)),
      goal: { most: ratioMost },
    },
  ];
}
