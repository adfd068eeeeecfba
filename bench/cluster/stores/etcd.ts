/** etcd: three servers, a log that is synced before each answer, and linearizable reads. */
import { join } from "node:path";
import { loadPeer } from "../../peers.ts";
import { freePorts, startServer, stopAll, untilReady } from "../servers.ts";
import type { RunningStore, StoreClient, StoreInfo } from "../store.ts";

interface Library {
  readonly Etcd3: new (options: object) => Connection;
}

/** As far as it is used here. */
interface Connection {
  put(key: string): { value(value: Buffer): Promise<unknown> };
  get(key: string): { buffer(): Promise<Buffer | null> };
  close(): void;
}

const servers = 3;

export const etcdStore: StoreInfo = {
  name: "etcd",
  package: "etcd3",
  server: { command: "etcd", debian: "etcd-server" },
  notes: ["synced on two of three before each answer; reads are linearizable"],
  start,
  connect: async ({ endpoints, keys }): Promise<StoreClient> => {
    const { Etcd3 } = await loadPeer<Library>("etcd3");
    const hosts = endpoints.map((endpoint) => `http://${endpoint}`);
    const connection = new Etcd3({ hosts });
    return {
      // Both are promises only once they are asked for.
      write: ({ index }, value) => connection.put(keys[index] ?? "").value(value),
      read: ({ index }) => connection.get(keys[index] ?? "").buffer(),
      bytesIn: (answer) => (answer as Buffer | null)?.length ?? -1,
      close: async () => connection.close(),
    };
  },
};

async function start(directory: string): Promise<RunningStore> {
  const ports = await freePorts(2 * servers);
  const members = Array.from({ length: servers }, (_, i) => ({
    name: `e${i}`,
    client: `127.0.0.1:${ports[2 * i]}`,
    peer: `http://127.0.0.1:${ports[2 * i + 1]}`,
  }));
  const cluster = members.map(({ name, peer }) => `${name}=${peer}`).join(",");
  const started = members.map(({ name, client, peer }) => {
    const args = [
      ...["--name", name, "--data-dir", join(directory, name)],
      ...["--listen-client-urls", `http://${client}`],
      ...["--advertise-client-urls", `http://${client}`],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", cluster, "--initial-cluster-state", "new"],
      ...["--log-level", "error"],
    ];
    return startServer({ command: "etcd", args, directory });
  });
  const stop = (): Promise<void> => stopAll(started);
  try {
    await untilReady("etcd", async () => {
      const answers = await Promise.all(
        members.map(({ client }) => fetch(`http://${client}/health`).then((a) => a.text())),
      );
      return answers.every((text) => /"health":\s*"true"/.test(text));
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    endpoints: members.map(({ client }) => client),
    pids: started.map(({ pid }) => pid),
    stop,
  };
}
