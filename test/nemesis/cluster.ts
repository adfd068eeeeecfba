/**
 * The cluster under test: processes of `kvctl serve`, each behind its proxy, with or without TLS,
 * on the loopback or in namespaces of their own. It knows who should be a member, starts whoever
 * ended, and cleans up.
 */
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Random } from "../../src/core/random.ts";
import type { Client, Status } from "../../src/index.ts";
import { certify, type Papers } from "./certificates.ts";
import { Links, type Place } from "./links.ts";
import { type Hub, hubHost } from "./namespaces.ts";
import { NodeProcess } from "./node-process.ts";
import { NodeProxy } from "./proxy.ts";
import { between } from "./schedule.ts";
import { SlowSyncs } from "./slow-syncs.ts";
import type { Undoing } from "./undoing.ts";
import { byProcess } from "./who-dials.ts";

export type Door = typeof import("../../src/index.ts");

export interface ClusterParts {
  /** The built package. */
  readonly package: string;
  readonly door: Door;
  readonly scratch: string;
  readonly random: Random;
  readonly isClosed: boolean;
  readonly hub: Hub | undefined;
  readonly undoing: Undoing;
  /** Where a node's directory shall be, if not beside the others. */
  volumeOf(place: Place): string | undefined;
}

/** Small tables and short intervals: much of what takes hours happens within a run. */
const settings = {
  memtableBytes: 1 << 18,
  durability: "sync",
  logLevel: "info",
  tuning: {
    "cleanup.surveyMs": 500,
    "cleanup.intervalMs": 3_000,
    "cleanup.retryMs": 2_000,
    // Above twice the deadline of the longest call here, as the real one is.
    "cleanup.restMs": 12_000,
  },
};

const loopback = "127.0.0.1";
/** Below those that the system hands out by itself, so that nobody takes one in between. */
const ports = { low: 12_000, high: 30_000 };
export const copies = 3;

export class Cluster {
  readonly links = new Links();
  readonly nodes: NodeProcess[] = [];
  readonly #parts: ClusterParts;
  readonly #papers: Papers | undefined;
  readonly #proxies: NodeProxy[] = [];

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    const hosts = [parts.hub === undefined ? loopback : hubHost];
    this.#papers = parts.isClosed
      ? certify(join(parts.scratch, "certs"), { hosts, package: parts.package })
      : undefined;
    writeFileSync(join(parts.scratch, "node.json"), JSON.stringify(settings));
    parts.undoing.add("stopping the nodes", () => {
      for (const node of this.nodes) node.abandon();
      for (const proxy of this.#proxies) proxy.close();
    });
  }

  /** HOST:PORT of the proxy of each node that has not left. */
  get addresses(): readonly string[] {
    return this.present.map(({ place }) => this.addressOf(place));
  }

  addressOf(place: Place): string {
    return this.#proxies[place - 1]?.address ?? "";
  }

  /** All that have not left. */
  get present(): readonly NodeProcess[] {
    return this.nodes.filter(({ state }) => state !== "gone");
  }

  get live(): readonly NodeProcess[] {
    return this.nodes.filter(({ state }) => state === "up");
  }

  /** A node that does not run yet. */
  async add(): Promise<NodeProcess> {
    const { scratch, hub, random } = this.#parts;
    const place = this.nodes.length + 1;
    hub?.addNode(place);
    const host = hub === undefined ? loopback : hub.hostOf(place);
    const target = { host, port: hub === undefined ? await freePort(random) : 7_400 };
    const whoDials = hub?.whoDials ?? byProcess(() => this.#processes());
    const parts = { place, target, links: this.links, random, whoDials };
    const proxy = await NodeProxy.open({ ...parts, host: hub === undefined ? loopback : hubHost });
    this.#proxies.push(proxy);
    const volume = this.#parts.volumeOf(place) ?? scratch;
    const directory = join(volume, `n${place}`);
    const kvctl = join(this.#parts.package, "bin", "kvctl.js");
    const syncs = new SlowSyncs(join(scratch, `n${place}.sync-ms`));
    const started = [process.execPath, ...syncs.flags, kvctl, "serve", "--json"];
    const node = new NodeProcess({
      ...{ place, directory, syncs, logFile: join(scratch, `n${place}.log`) },
      program: [...(hub?.enter(place) ?? []), ...started],
      flags: [
        ...["--data", directory, "--listen", `${host}:${target.port}`],
        ...["--advertise", proxy.address, "--config", join(scratch, "node.json")],
        ...(this.#papers?.nodeFlags ?? (hub === undefined ? [] : ["--insecure"])),
      ],
    });
    this.nodes.push(node);
    return node;
  }

  #processes(): ReadonlyMap<Place, number> {
    const running = this.nodes.flatMap(({ place, pid }) =>
      pid === undefined ? [] : [[place, pid] as const],
    );
    return new Map(running);
  }

  /** Starts it, or starts it again: then it goes on as who it was. */
  start(node: NodeProcess): void {
    const others = this.addresses.filter((address) => address !== this.addressOf(node.place));
    // Only the first one founds, and only once.
    const isFounder = node.place === 1 && node.id === undefined;
    node.start(isFounder ? [] : others);
  }

  /** A machine with an empty disk in the place of that node. */
  wipe(node: NodeProcess): void {
    rmSync(node.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  connect(options: { readonly routing: "aware" | "any"; readonly timeoutMs: number }) {
    const tls = this.#papers?.client;
    return this.#parts.door.connect(this.addresses, { ...options, ...(tls && { tls }) });
  }

  /** Resolves once it holds; rejects with what was seen last when it does not in time. */
  async until(
    client: Client,
    { msMax, holds }: { readonly msMax: number; holds(status: Status): boolean },
  ): Promise<void> {
    const giveUpAt = performance.now() + msMax;
    let seen: unknown;
    while (performance.now() < giveUpAt) {
      try {
        const status = (await client.admin("status", {}, { timeoutMs: 10_000 })) as Status;
        seen = status;
        if (holds(status)) return;
      } catch (error) {
        seen = error;
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const said = seen instanceof Error ? seen.message : JSON.stringify(seen);
    throw new Error(`not within ${msMax} ms: ${said}`);
  }
}

/** A whole cluster of nodes that answer, with nothing on its way and all replicas equal. */
export function isWell(status: Status, size: number): boolean {
  const { nodes, transfers, underReplicated, rebuilding, hintsPending, rootsAgree } = status;
  const isThere = nodes.length === size && nodes.every(({ live }) => live);
  const isStill = transfers + underReplicated + rebuilding + hintsPending === 0;
  return isThere && isStill && rootsAgree;
}

async function freePort(random: Random): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = between(random, ports.low, ports.high);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port was found");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ host: loopback, port }, () => server.close(() => resolve(true)));
  });
}
