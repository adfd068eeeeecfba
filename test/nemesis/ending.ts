/**
 * The second half of a run: everything is healed, calls succeed again, replicas come to agree
 * within a bounded time, and then it is looked at what there is, through clients and on the disks.
 */
import { join } from "node:path";
import type { RingState } from "../../src/index.ts";
import { copies, type Door, isWell } from "./cluster.ts";
import type { History } from "./history.ts";
import { type Contents, type Evidence, exportOf, shownIn } from "./judge.ts";
import type { Scene } from "./kind.ts";
import { type Lanes, until } from "./lanes.ts";

export interface Ending {
  readonly scene: Scene;
  readonly lanes: Lanes;
  readonly history: History;
  readonly wrongs: string[];
  readonly settleMsMax: number;
}

const reviveMs = 500;
const resumeMsMax = 60_000;
const readMsMax = 20_000;
const stopMsMax = 60_000;

/** Gives how long replicas took to agree after the last call. What does not happen is a wrong. */
export async function settle({ scene, lanes, history, ...rest }: Ending): Promise<number> {
  const { cluster, client, mending } = scene;
  const { wrongs, settleMsMax } = rest;
  await mending.all();
  cluster.links.calmAll();
  const revive = setInterval(() => {
    for (const node of cluster.nodes) {
      node.resume();
      if (node.state === "down") cluster.start(node);
    }
  }, reviveMs);
  const healedAtMs = history.nowMs;
  try {
    const what = "every workload to succeed again";
    await until(() => lanes.haveAllSucceededSince(healedAtMs), { msMax: resumeMsMax, what }).catch(
      (error: Error) => wrongs.push(error.message),
    );
    await lanes.stop();
    const quietAtMs = history.nowMs;
    const holds = (status: Parameters<typeof isWell>[0]): boolean =>
      status.nodes.every(({ state }) => state === "member") &&
      isWell(status, cluster.present.length);
    await cluster.until(client, { msMax: settleMsMax, holds }).catch((error: Error) => {
      wrongs.push(`the replicas did not come to agree ${error.message}`);
    });
    return history.nowMs - quietAtMs;
  } finally {
    clearInterval(revive);
  }
}

/** What the cluster shows, and then, once it has stopped, what each directory holds. */
export async function gather(
  { scene, history, wrongs }: Omit<Ending, "lanes" | "settleMsMax">,
  parts: { readonly door: Door; readonly package: string },
): Promise<Pick<Evidence, "ring" | "reads" | "contents">> {
  const { cluster, client } = scene;
  const ring = (await client.admin("ring", {}, { timeoutMs: readMsMax })) as RingState;
  const reads = new Map<string, readonly string[]>();
  for (const key of new Set(history.writes.map(({ key: written }) => written))) {
    try {
      const found = await client.get(key, { r: copies, strict: true, timeoutMs: readMsMax });
      reads.set(key, shownIn(parts.door, key, found.values));
    } catch (error) {
      wrongs.push(`${key} cannot be read at the end: ${String(error)}`);
    }
  }
  const nodes = cluster.present;
  await Promise.all(nodes.map((node) => node.stop(stopMsMax)));
  const kvctl = join(parts.package, "bin", "kvctl.js");
  const contents = new Map<number, Contents>();
  const read = async ({ id, directory }: (typeof nodes)[number]): Promise<void> => {
    try {
      contents.set(id ?? 0, await exportOf(kvctl, directory));
    } catch (error) {
      wrongs.push(String(error));
    }
  };
  await Promise.all(nodes.map(read));
  return { ring, reads, contents };
}
