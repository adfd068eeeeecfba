/** NATS JetStream: three servers, and a key-value bucket with three replicas on disk. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadPeer } from "../../peers.ts";
import { freePorts, startServer, stopAll, untilReady } from "../servers.ts";
import type { RunningStore, StoreClient, StoreInfo } from "../store.ts";

interface Library {
  connect(options: object): Promise<Connection>;
}

/** As far as it is used here. */
interface Connection {
  jetstream(): { views: { kv(name: string, options: object): Promise<Bucket> } };
  close(): Promise<void>;
}

interface Bucket {
  put(key: string, value: Uint8Array): Promise<number>;
  get(key: string): Promise<{ readonly value: Uint8Array } | null>;
}

const servers = 3;
const bucketName = "bench";

export const natsStore: StoreInfo = {
  name: "nats",
  package: "nats",
  server: { command: "nats-server", debian: "nats-server" },
  notes: ["JetStream KV, three replicas, files; synced every two minutes, as its default is"],
  start,
  connect: async ({ endpoints, keys }): Promise<StoreClient> => {
    const library = await loadPeer<Library>("nats");
    const connection = await library.connect({ servers: [...endpoints] });
    const bucket = await bucketOf(connection);
    return {
      write: ({ index }, value) => bucket.put(keys[index] ?? "", value),
      read: ({ index }) => bucket.get(keys[index] ?? ""),
      bytesIn: (answer) => (answer as { value: Uint8Array } | null)?.value.length ?? -1,
      close: () => connection.close(),
    };
  },
};

/** The servers take a while to choose who leads, and refuse until then. */
async function bucketOf(connection: Connection): Promise<Bucket> {
  let bucket: Bucket | undefined;
  await untilReady("JetStream", async () => {
    const options = { replicas: servers, storage: "file", history: 1 };
    bucket = await connection.jetstream().views.kv(bucketName, options);
    return true;
  });
  if (bucket === undefined) throw new Error("there is no bucket");
  return bucket;
}

async function start(directory: string): Promise<RunningStore> {
  const ports = await freePorts(3 * servers);
  const clientPorts = ports.slice(0, servers);
  const routePorts = ports.slice(servers, 2 * servers);
  const routes = routePorts.map((port) => `nats-route://127.0.0.1:${port}`).join(", ");
  const started = clientPorts.map((port, i) => {
    const place = join(directory, `n${i}`);
    mkdirSync(place);
    const config = join(place, "server.conf");
    writeFileSync(
      config,
      [
        `server_name: n${i}`,
        `listen: 127.0.0.1:${port}`,
        `http: 127.0.0.1:${ports[2 * servers + i]}`,
        `jetstream { store_dir: ${JSON.stringify(place)} }`,
        `cluster { name: bench, listen: 127.0.0.1:${routePorts[i]}, routes: [${routes}] }`,
      ].join("\n"),
    );
    return startServer({ command: "nats-server", args: ["-c", config], directory: place });
  });
  const stop = (): Promise<void> => stopAll(started);
  try {
    await untilReady("nats", async () => {
      const answers = await Promise.all(
        ports
          .slice(2 * servers)
          .map((port) => fetch(`http://127.0.0.1:${port}/healthz?js-server-only=true`)),
      );
      return answers.every(({ ok }) => ok);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoints: clientPorts.map((port) => `127.0.0.1:${port}`),
    pids: started.map(({ pid }) => pid),
    stop,
  };
}
