/** What nodes count of themselves: asked of each one, and added up. */
import { type Client, type ConnectOptions, connect } from "../../src/index.ts";

/** A node's answer to the operator's command `stats`. */
export interface NodeStats {
  readonly node: number;
  readonly uptimeMs: number;
  readonly cpuMs: number;
  readonly residentBytes: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly sent: Readonly<Record<string, number>>;
  readonly notices: Readonly<Record<string, number>>;
}

const requests = ["requests.get", "requests.put"];
const between = [
  ...["sent.read", "sent.read-reply", "sent.write", "sent.write-reply"],
  ...["sent.forward", "sent.forward-reply"],
];

/** Of each node that is named; rejects when one does not answer. */
export function stats(
  endpoints: readonly string[],
  options: ConnectOptions = {},
): Promise<NodeStats[]> {
  return Promise.all(
    endpoints.map(async (endpoint) => {
      // Who asks for any node means the one it named.
      const client = await connect(endpoint, { ...options, routing: "any", timeoutMs: 2_000 });
      try {
        return (await client.admin("stats")) as NodeStats;
      } finally {
        await client.close();
      }
    }),
  );
}

/** All nodes together: `requests.get`, `sent.write`, `notices.hedged` and the like. */
export function countsOf(nodes: readonly NodeStats[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const node of nodes) {
    for (const part of ["requests", "sent", "notices"] as const) {
      for (const [kind, count] of Object.entries(node[part])) {
        const name = `${part}.${kind}`;
        counts[name] = (counts[name] ?? 0) + count;
      }
    }
  }
  return counts;
}

/** What was counted between two times. */
export function differenceOf(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = Object.keys(after);
  return Object.fromEntries(names.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]));
}

/**
 * Messages for each operation of a client, requests and answers included, hedged ones too; what
 * nodes say to each other for other reasons is left out.
 */
export function messagesFor(counts: Readonly<Record<string, number>>, operations: number): number {
  const of = (names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (counts[name] ?? 0), 0);
  return (2 * of(requests) + of(between)) / Math.max(1, operations);
}

/** What all live nodes of a cluster have counted up to a time. */
export class Counted {
  readonly #nodes: readonly NodeStats[];

  constructor(nodes: readonly NodeStats[]) {
    this.#nodes = nodes;
  }

  /** Processor time, and counts, between two times. */
  since(before: Counted): { readonly cpuMs: number; readonly counts: Record<string, number> } {
    const counts = differenceOf(countsOf(before.#nodes), countsOf(this.#nodes));
    return { cpuMs: cpuMsOf(this.#nodes) - cpuMsOf(before.#nodes), counts };
  }
}

/** Undefined where a node does not answer, or this client may not ask. */
export async function nodesCounted(
  client: Client,
  options: ConnectOptions,
): Promise<Counted | undefined> {
  try {
    const { nodes } = (await client.admin("status")) as {
      readonly nodes: readonly { readonly address: string; readonly live: boolean }[];
    };
    const live = nodes.filter((node) => node.live).map(({ address }) => address);
    return new Counted(await stats(live, options));
  } catch {
    return undefined;
  }
}

function cpuMsOf(nodes: readonly NodeStats[]): number {
  return nodes.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}
