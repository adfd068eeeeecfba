/**
 * Redis: one primary with two replicas, each with its log synced once a second. Once as most run
 * it, where a SET is answered before any replica has it, and once with WAIT 1 behind each SET: two
 * of three copies.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { loadPeer } from "../../peers.ts";
import { askLine, freePorts, startServer, stopAll, untilReady } from "../servers.ts";
import type { ConnectRequest, RunningStore, StoreClient, StoreInfo } from "../store.ts";

interface Library {
  createClient(options: object): Connection;
}

/** As far as it is used here. */
interface Connection {
  connect(): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): void;
  set(key: string, value: Buffer): Promise<unknown>;
  get(key: string): Promise<string | null>;
  wait(replicas: number, msMax: number): Promise<number>;
  destroy(): void;
}

const replicas = 2;
const waitMsMax = 5_000;
const base = {
  package: "redis",
  server: { command: "redis-server", debian: "redis-server" },
  start,
} as const;

export const redisStores: readonly StoreInfo[] = [
  {
    ...base,
    name: "redis",
    notes: ["appendfsync everysec; a SET is answered before a replica has it; one connection"],
    connect: async ({ endpoints, keys }) => {
      const primary = await openConnection(endpoints);
      return {
        ...readsThrough(keys, () => primary),
        write: ({ index }, value) => primary.set(keys[index] ?? "", value),
        close: async () => primary.destroy(),
      };
    },
  },
  {
    ...base,
    name: "redis-wait",
    notes: ["SET and WAIT 1 in one go; a connection each caller, since WAIT holds up its own"],
    connect: connectWaiting,
  },
];

async function connectWaiting({ endpoints, keys, callers }: ConnectRequest): Promise<StoreClient> {
  const connections = await Promise.all(
    Array.from({ length: callers }, () => openConnection(endpoints)),
  );
  const [first] = connections;
  if (first === undefined) throw new Error("there are no callers");
  return {
    ...readsThrough(keys, () => first),
    write: async ({ index, caller }, value) => {
      const connection = connections[caller] ?? first;
      const [, reached] = await Promise.all([
        connection.set(keys[index] ?? "", value),
        connection.wait(1, waitMsMax),
      ]);
      if (reached < 1) throw new Error("no replica has it");
    },
    close: async () => {
      for (const connection of connections) connection.destroy();
    },
  };
}

/** Reads of all callers share one connection, which pipelines them by itself. */
function readsThrough(
  keys: readonly string[],
  connection: () => Connection,
): Pick<StoreClient, "read" | "bytesIn"> {
  return {
    read: ({ index }) => connection().get(keys[index] ?? ""),
    bytesIn: (answer) => (typeof answer === "string" ? answer.length : -1),
  };
}

async function openConnection([primary = ""]: readonly string[]): Promise<Connection> {
  const { createClient } = await loadPeer<Library>("redis");
  const [host, port] = primary.split(":");
  const connection = createClient({ socket: { host, port: Number(port) } });
  // Without a listener an error would end the process; the command that it hits fails anyway.
  connection.on("error", () => undefined);
  await connection.connect();
  return connection;
}

async function start(directory: string): Promise<RunningStore> {
  const ports = await freePorts(1 + replicas);
  const [primary = 0] = ports;
  const servers = ports.map((port, i) => {
    const place = join(directory, `r${i}`);
    mkdirSync(place);
    const args = [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", place, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "everysec", "--daemonize", "no"],
      ...(i === 0 ? ["--repl-diskless-sync-delay", "0"] : []),
      ...(i === 0 ? [] : ["--replicaof", "127.0.0.1", String(primary)]),
    ];
    return startServer({ command: "redis-server", args, directory: place });
  });
  const stop = (): Promise<void> => stopAll(servers);
  try {
    await untilReady("redis", async () => {
      const replication = await askLine(primary, "INFO replication");
      return (replication.match(/state=online/g) ?? []).length === replicas;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoints: ports.map((port) => `127.0.0.1:${port}`),
    pids: servers.map(({ pid }) => pid),
    stop,
  };
}
