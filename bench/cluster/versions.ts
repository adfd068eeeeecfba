/**
 * How many bytes beside its value a key takes in a node's record: after writes, and once a clean-up
 * round has shown that nobody needs the past any more (src/store/RECORDS.md).
 */
import { connect, openEngine } from "../../src/index.ts";
import { withScratch } from "../cleanup.ts";
import { keyOf, Values } from "../keys.ts";
import type { Fact } from "../scene.ts";
import { ours } from "../table.ts";
import { stopAll } from "./servers.ts";
import { connectTo, type StartedNode, startNode, startNodes } from "./stores/everwrite.ts";

export interface VersionsRequest {
  readonly n: number;
  readonly valueBytes: number;
  readonly directory: string;
}

const versionBytesMost = 12;
const writesEach = 3;
const callers = 64;
const cleanMsMax = 300_000;
const pollMs = 250;
/** Rounds within seconds, where they are minutes apart otherwise. */
const settings = {
  tuning: {
    ...{ "cleanup.intervalMs": 500, "cleanup.retryMs": 200 },
    ...{ "cleanup.restMs": 300, "cleanup.surveyMs": 100 },
  },
};
/** What this node holds of keys: see the first byte in RECORDS.md. */
const ofData = { gte: Uint8Array.of(3), lt: Uint8Array.of(4) };

export async function versionBytes(request: VersionsRequest): Promise<Fact[]> {
  const { n, valueBytes } = request;
  return withScratch(request.directory, async (directory) => {
    const place = { directory, durability: "os" as const };
    const nodes = await startNodes({ ...place, nodes: 3 });
    try {
      await write(nodes, { n, valueBytes });
    } finally {
      await stopAll(nodes.map(({ server }) => server));
    }
    const before = await bytesIn(nodes, valueBytes);
    const again: StartedNode[] = [];
    try {
      for (const [i, { address }] of nodes.entries()) {
        again.push(await startNode({ ...place, settings }, { number: i + 1, listen: address }));
      }
      await untilClean(again);
    } finally {
      await stopAll(again.map(({ server }) => server));
    }
    const after = await bytesIn(again, valueBytes);
    const fact = { engine: ours, unit: "B" };
    return [
      { ...fact, name: "version of a key, after writes", value: before },
      {
        ...fact,
        name: "version of a key, cleaned up",
        value: after,
        goal: { most: versionBytesMost },
      },
    ];
  });
}

async function write(
  nodes: readonly StartedNode[],
  { n, valueBytes }: { n: number; valueBytes: number },
): Promise<void> {
  const values = new Values(valueBytes);
  const keys = Array.from({ length: n }, (_, i) => keyOf(i).toString());
  const client = await connectTo({ endpoints: nodes.map(({ address }) => address), keys }, "aware");
  let next = 0;
  const call = async (): Promise<void> => {
    while (next < n) {
      const index = next++;
      for (let version = 0; version < writesEach; version++) {
        await client.write({ index }, values.of(index, version));
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  await client.close();
}

async function untilClean(nodes: readonly StartedNode[]): Promise<void> {
  const client = await connect(nodes.map(({ address }) => address));
  const until = performance.now() + cleanMsMax;
  try {
    for (;;) {
      const report = (await client.admin("cleanup").catch(() => ({ nodes: [] }))) as {
        readonly nodes: readonly { readonly reapable: number; readonly rounds: number }[];
      };
      // Each partition's rounds are counted by the node that leads them.
      const rounds = report.nodes.reduce((sum, node) => sum + node.rounds, 0);
      const isClean = rounds > 0 && report.nodes.every(({ reapable }) => reapable === 0);
      if (report.nodes.length === nodes.length && isClean) return;
      if (performance.now() > until) throw new Error(`no clean-up: ${JSON.stringify(report)}`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  } finally {
    await client.close();
  }
}

/** The mean over all records of all nodes. */
async function bytesIn(nodes: readonly StartedNode[], valueBytes: number): Promise<number> {
  let bytes = 0;
  let records = 0;
  for (const { data } of nodes) {
    const engine = await openEngine(data, { readOnly: true });
    for await (const [, record] of engine.scan(ofData)) {
      bytes += record.length - valueBytes;
      records += 1;
    }
    await engine.close();
  }
  return bytes / Math.max(1, records);
}
