/**
 * The client process of one store in one round: writes all keys once, then runs the rows and sends
 * each as soon as it is measured. It reads what the servers have used itself, right at the ends of
 * a row.
 */
import { Chance, keyOf, Shuffle, Values } from "../keys.ts";
import { send, serve } from "../parent.ts";
import { diskBytes } from "../resources.ts";
import { closedLoop, type Driven, openLoop } from "./drive.ts";
import { differenceOf } from "./node-stats.ts";
import type { ClientDone, ClientPlan, ClusterMeasurement, ClusterRow } from "./plan.ts";
import { loopbackBytes, usageOf } from "./process-usage.ts";
import type { StoreClient } from "./store.ts";
import { storeNamed } from "./stores/all.ts";

/** The first writes go this many at a time. */
const loadCallers = 64;

serve(async (plan: ClientPlan) => {
  const { n, endpoints, rows } = plan;
  const keys = Array.from({ length: n }, (_, i) => keyOf(i).toString());
  const callers = Math.max(loadCallers, ...rows.map((row) => row.callers));
  const client = await storeNamed(plan.store).connect({ endpoints, keys, callers });
  const values = new Values(plan.valueBytes);
  await fill(client, n, values);
  for (const row of rows) {
    try {
      const load = loadOf(plan, row, { client, values });
      if (plan.warmUpSeconds > 0) await load(plan.warmUpSeconds);
      const measurement = await measured(plan, client, () => load(plan.seconds));
      await send<ClientDone>({ ...row, measurement });
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      await send<ClientDone>({ ...row, measurement: undefined, failure });
    }
  }
  await client.close();
  // A client of a peer may keep timers of its own.
  process.disconnect();
  process.exit();
});

async function fill(client: StoreClient, n: number, values: Values): Promise<void> {
  let next = 0;
  const call = async (caller: number): Promise<void> => {
    while (next < n) {
      const index = next++;
      await client.write({ index, caller }, values.of(index));
    }
  };
  await Promise.all(Array.from({ length: loadCallers }, (_, caller) => call(caller)));
}

interface Means {
  readonly client: StoreClient;
  readonly values: Values;
}

function loadOf(
  plan: ClientPlan,
  { workload, callers }: ClusterRow,
  { client, values }: Means,
): (seconds: number) => Promise<Driven> {
  const { n, valueBytes, rate, round } = plan;
  const chance = new Chance(7 * round + callers);
  let version = 0;
  const write = (index: number, caller: number): unknown =>
    client.write({ index, caller }, values.of(index, ++version));
  const checked = (answer: unknown): void => {
    const found = client.bytesIn(answer);
    if (found !== valueBytes) throw new Error(`a read gave ${found} bytes, not ${valueBytes}`);
  };
  const ignored = (): void => undefined;
  // Callers write keys of their own, so that no two writes of a key are under way at a time.
  const share = Math.floor(n / callers);
  const ownOf = (caller: number): number => chance.below(share) * callers + caller;
  switch (workload) {
    case "write":
      return (seconds) =>
        closedLoop({
          ...{ callers, seconds, answered: ignored },
          operate: (caller) => write(ownOf(caller), caller),
        });
    case "read":
    case "read-one": {
      const replicas = workload === "read" ? 2 : 1;
      return (seconds) =>
        closedLoop({
          ...{ callers, seconds, answered: checked },
          operate: (caller) => client.read({ index: chance.below(n), caller }, replicas),
        });
    }
    case "paced": {
      const shuffle = new Shuffle(n, round);
      return (seconds) =>
        openLoop({
          ...{ rate, answered: ignored, goesOn: (elapsedMs) => elapsedMs < seconds * 1000 },
          operate: (i) => {
            const caller = i % loadCallers;
            const index = shuffle.at(i % n);
            if (i % 2 === 0) return write(index, caller);
            return client.read({ index, caller }, 2);
          },
        });
    }
  }
}

async function measured(
  plan: ClientPlan,
  client: StoreClient,
  load: () => Promise<Driven>,
): Promise<ClusterMeasurement> {
  const countsBefore = (await client.counts?.()) ?? {};
  const before = snapshot(plan);
  const driven = await load();
  const after = snapshot(plan);
  const countsAfter = (await client.counts?.()) ?? {};
  const peaks = [...after.servers, after.client].map(({ peakBytes }) => peakBytes);
  return {
    ...driven,
    clientCpuMs: after.client.cpuMs - before.client.cpuMs,
    serverCpuMs: after.servers.map(({ cpuMs }, i) => cpuMs - (before.servers[i]?.cpuMs ?? 0)),
    peakBytes: peaks.reduce((sum, bytes) => sum + bytes, 0),
    diskBytes: diskBytes(plan.directory),
    writtenBytes: writtenIn(after) - writtenIn(before),
    wireBytes: after.wireBytes - before.wireBytes,
    counts: differenceOf(countsBefore, countsAfter),
  };
}

function snapshot({ pids }: ClientPlan) {
  const { user, system } = process.cpuUsage();
  const client = { ...usageOf(process.pid), cpuMs: (user + system) / 1000 };
  return { servers: pids.map(usageOf), client, wireBytes: loopbackBytes() };
}

function writtenIn({ servers }: ReturnType<typeof snapshot>): number {
  return servers.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0);
}
