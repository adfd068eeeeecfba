/** Three nodes of the built package, as `kvctl serve` runs them: N = 3, W = 2, R = 2. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Client, type Context, connect, type Found } from "../../../src/index.ts";
import { countsOf, stats } from "../node-stats.ts";
import { type Server, startServer, stopAll } from "../servers.ts";
import type { ConnectRequest, Operation, StoreClient, StoreInfo } from "../store.ts";

export type Durability = "os" | "sync";

export interface NodesRequest {
  readonly directory: string;
  readonly nodes: number;
  readonly durability: Durability;
  readonly profiles?: string | undefined;
  /** Settings of every node, as in the file that --config names. */
  readonly settings?: object;
}

export interface StartedNode {
  readonly server: Server;
  readonly address: string;
  readonly data: string;
}

const kvctl = fileURLToPath(new URL("../../../bin/kvctl.js", import.meta.url));
const settleMsMax = 60_000;
const settlePollMs = 100;
const learners = 64;

export const everwriteStores: readonly StoreInfo[] = [
  storeOf("everwrite", "os"),
  storeOf("everwrite-sync", "sync"),
];

/**
 * One node coordinates everything, and the other two only hold copies: so what a process of each
 * role costs can be told apart.
 */
export const pinnedStore: StoreInfo = {
  ...storeOf("everwrite-pinned", "os"),
  connect: async ({ endpoints, keys }) => {
    const [coordinator = ""] = endpoints;
    const client = await connect(coordinator, { routing: "any" });
    return new EverwriteClient(client, { endpoints, keys });
  },
};

function storeOf(name: string, durability: Durability): StoreInfo {
  const survives =
    durability === "os" ? "its log is with the system on two nodes" : "two nodes have synced it";
  return {
    name,
    notes: [`durability ${durability}: a write is acknowledged once ${survives}`],
    start: async (directory, { profiles }) => {
      const nodes = await startNodes({ directory, nodes: 3, durability, profiles });
      const servers = nodes.map(({ server }) => server);
      return {
        endpoints: nodes.map(({ address }) => address),
        pids: servers.map(({ pid }) => pid),
        stop: () => stopAll(servers),
      };
    },
    connect: (request) => connectTo(request, "aware"),
  };
}

/** A cluster of new nodes that agree who they are. */
export async function startNodes(request: NodesRequest): Promise<StartedNode[]> {
  const started: StartedNode[] = [];
  try {
    for (let i = 0; i < request.nodes; i++) {
      started.push(await startNode(request, { number: i + 1, join: started[0]?.address }));
    }
    await untilSettled(
      started.map(({ address }) => address),
      { nodes: request.nodes },
    );
  } catch (error) {
    await stopAll(started.map(({ server }) => server));
    throw error;
  }
  return started;
}

/** `listen`: where it stood before; absent for a free port. */
export async function startNode(
  { directory, durability, profiles, settings = {} }: Omit<NodesRequest, "nodes">,
  { number, join: seed, listen }: { number: number; join?: string | undefined; listen?: string },
): Promise<StartedNode> {
  const data = join(directory, `n${number}`);
  const config = join(directory, `n${number}.json`);
  writeFileSync(config, JSON.stringify(settings), { mode: 0o600 });
  if (profiles !== undefined) mkdirSync(profiles, { recursive: true });
  const profiled =
    profiles === undefined
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=node-${number}.cpuprofile`];
  const args = [
    ...[...profiled, kvctl, "serve", "--json", "--data", data, "--config", config],
    ...["--listen", listen ?? "127.0.0.1:0", "--durability", durability],
    ...["--log-level", "error", ...(seed === undefined ? [] : ["--join", seed])],
  ];
  const server = startServer({ command: process.execPath, args, directory });
  const line = await server.firstLine;
  const { address } = JSON.parse(line) as { address: string };
  return { server, address, data };
}

interface Settled {
  readonly nodes: number;
  /** All copies are the same, too, which they hardly ever are while something is written. */
  readonly whole?: boolean;
}

/** Waits until each of so many nodes is live and nothing moves. */
export async function untilSettled(
  endpoints: readonly string[],
  { nodes, whole = false }: Settled,
  msMax = settleMsMax,
): Promise<void> {
  const client = await connect(endpoints);
  const until = performance.now() + msMax;
  try {
    for (;;) {
      const status = (await client.admin("status", {}, { timeoutMs: 20_000 }).catch(() => ({
        nodes: [],
      }))) as StatusPart;
      const isLive = status.nodes.length === nodes && status.nodes.every(({ live }) => live);
      const isStill = isLive && status.transfers === 0 && status.rebuilding === 0;
      if (isStill && (!whole || (status.hintsPending === 0 && status.rootsAgree))) return;
      if (performance.now() > until) {
        throw new Error(`the cluster does not settle: ${JSON.stringify(status)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, settlePollMs));
    }
  } finally {
    await client.close();
  }
}

/** What `kvctl status --json` promises, as far as it is needed here. */
interface StatusPart {
  readonly nodes: readonly { readonly live: boolean }[];
  readonly transfers?: number;
  readonly rebuilding?: number;
  readonly hintsPending?: number;
  readonly rootsAgree?: boolean;
}

/** `any`: the named nodes coordinate, in turn, whoever owns the key. */
export async function connectTo(
  { endpoints, keys }: Pick<ConnectRequest, "endpoints" | "keys">,
  routing: "aware" | "any",
): Promise<EverwriteClient> {
  return new EverwriteClient(await connect(endpoints, { routing }), { endpoints, keys });
}

/**
 * Each write carries the context that the last one of its key left, as a program's would: without,
 * every write would stay beside the others as a sibling.
 */
export class EverwriteClient implements StoreClient {
  readonly #client: Client;
  readonly #endpoints: readonly string[];
  readonly #keys: readonly Buffer[];
  readonly #contexts: (Context | undefined)[];

  /** `endpoints`: the nodes whose counts are asked for. */
  constructor(client: Client, { endpoints, keys }: Pick<ConnectRequest, "endpoints" | "keys">) {
    this.#client = client;
    this.#endpoints = endpoints;
    this.#keys = keys.map((key) => Buffer.from(key));
    this.#contexts = new Array(keys.length).fill(undefined);
  }

  async write({ index }: Pick<Operation, "index">, value: Buffer): Promise<void> {
    const context = this.#contexts[index];
    const stored = await this.#client.put(this.#key(index), value, { context });
    this.#contexts[index] = stored.context;
  }

  read({ index }: Pick<Operation, "index">, replicas: number): Promise<Found> {
    return this.#client.get(this.#key(index), { r: replicas });
  }

  bytesIn(answer: unknown): number {
    return (answer as Found).value?.length ?? -1;
  }

  /** Reads every key, so that writes of what another client has written leave no siblings. */
  async learn(): Promise<void> {
    let next = 0;
    const call = async (): Promise<void> => {
      while (next < this.#keys.length) {
        const index = next++;
        this.#contexts[index] = (await this.read({ index }, 2)).context;
      }
    };
    await Promise.all(Array.from({ length: learners }, call));
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return countsOf(await stats(this.#endpoints));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #key(index: number): Buffer {
    const key = this.#keys[index];
    if (key === undefined) throw new Error(`there is no key ${index}`);
    return key;
  }
}
