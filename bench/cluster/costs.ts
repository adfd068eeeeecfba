/**
 * What one operation costs Everwrite: microseconds of each role, messages, hedges, bytes on the
 * wire and on the disks. One node coordinates everything, so that the roles are three processes.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { withScratch } from "../cleanup.ts";
import { runChild } from "../fork-child.ts";
import type { Fact } from "../scene.ts";
import { ours } from "../table.ts";
import { messagesFor } from "./node-stats.ts";
import type { ClientDone, ClientPlan, ClusterMeasurement, ClusterRow } from "./plan.ts";
import { breakdownOf, type Role } from "./profile.ts";
import { warmUpSeconds } from "./rounds.ts";
import { pinnedStore } from "./stores/everwrite.ts";

export interface CostsRequest {
  readonly n: number;
  readonly valueBytes: number;
  readonly seconds: number;
  readonly directory: string;
  readonly round: number;
  /** Also which parts of the code take the time; sampling slows everything down a little. */
  readonly isProfiled: boolean;
}

const many = 64;
const rows: readonly ClusterRow[] = [
  { workload: "write", callers: many },
  { workload: "read", callers: many },
  { workload: "read-one", callers: many },
];
const messagesMost: Readonly<Record<string, number>> = { write: 6, read: 4, "read-one": 2 };
const hedgesPercentMost = 5;
const minutesMax = 10;
const fileOf: Readonly<Record<Role, string>> = {
  client: "client",
  coordinator: "node-1",
  replica: "node-2",
};

/** A profile covers a whole process, so that each row then has one of its own. */
export async function costs(request: CostsRequest): Promise<Fact[]> {
  if (!request.isProfiled) return (await play(request, rows)).flatMap(factsOf);
  const facts: Fact[] = [];
  for (const row of rows) facts.push(...(await play(request, [row])).flatMap(factsOf));
  return facts;
}

interface Played {
  readonly row: ClusterRow;
  readonly measurement: ClusterMeasurement;
  readonly shares: ReadonlyMap<Role, ReadonlyMap<string, number>>;
}

async function play(
  request: CostsRequest,
  chosen: readonly ClusterRow[],
): Promise<readonly Played[]> {
  const { n, valueBytes, seconds, round, isProfiled } = request;
  return withScratch(request.directory, async (scratch) => {
    const servers = join(scratch, "servers");
    const profiles = join(scratch, "profiles");
    for (const path of [servers, profiles]) mkdirSync(path);
    const running = await pinnedStore.start(servers, isProfiled ? { profiles } : {});
    const done: ClientDone[] = [];
    try {
      const { endpoints, pids } = running;
      const where = { store: pinnedStore.name, endpoints, pids, directory: servers };
      const timing = { seconds, warmUpSeconds: warmUpSeconds(seconds), rate: 0 };
      const plan: ClientPlan = { ...where, ...timing, n, valueBytes, round, rows: chosen };
      const profiling = ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
      const ending = await runChild<ClientDone>({
        script: "cluster/client-child",
        argument: JSON.stringify(plan),
        msMax: minutesMax * 60_000,
        execArgv: isProfiled ? [...profiling, `--cpu-prof-name=client.cpuprofile`] : [],
        onMessage: (row) => done.push(row),
      });
      if (ending !== "code 0") throw new Error(`the client ended with ${ending}`);
    } finally {
      await running.stop();
    }
    const shares = new Map<Role, ReadonlyMap<string, number>>();
    for (const [role, name] of Object.entries(fileOf) as [Role, string][]) {
      if (isProfiled) shares.set(role, breakdownOf(join(profiles, `${name}.cpuprofile`)));
    }
    return done.map(({ measurement, failure, ...row }) => {
      if (measurement === undefined) throw new Error(failure);
      return { row, measurement, shares };
    });
  });
}

function factsOf({ row: { workload }, measurement, shares }: Played): Fact[] {
  const { operations, clientCpuMs, serverCpuMs, counts, wireBytes, writtenBytes } = measurement;
  const fact = (name: string, unit: string, value: number, most?: number): Fact => ({
    ...{ engine: ours, name: `${workload}: ${name}`, unit, value },
    ...(most === undefined ? {} : { goal: { most } }),
  });
  const [coordinatorMs = 0, ...replicasMs] = serverCpuMs;
  const replicaMs = replicasMs.reduce((sum, ms) => sum + ms, 0) / Math.max(1, replicasMs.length);
  const micros: Readonly<Record<Role, number>> = {
    client: (1000 * clientCpuMs) / operations,
    coordinator: (1000 * coordinatorMs) / operations,
    replica: (1000 * replicaMs) / operations,
  };
  // A hedge is one question more, and its answer.
  const hedges = (counts["notices.hedged"] ?? 0) / operations;
  const messages = messagesFor(counts, operations) - 2 * hedges;
  const facts = [
    fact("operations", "/s", operations / measurement.seconds),
    fact("messages but for hedges", "messages", messages, messagesMost[workload]),
    fact("bytes on the wire", "B", wireBytes / operations),
  ];
  if (workload === "write") facts.push(fact("bytes to disks", "B", writtenBytes / operations));
  else {
    // Less is better, which the unit % would turn around in a comparison.
    facts.push(fact("hedges in a hundred", "hedges", 100 * hedges, hedgesPercentMost));
  }
  for (const [role, value] of Object.entries(micros) as [Role, number][]) {
    facts.push(fact(`CPU of the ${role}`, "µs", value));
    for (const [part, share] of shares.get(role) ?? []) {
      facts.push(fact(`  ${role}, ${part}`, "µs", share * value));
    }
  }
  return facts;
}
