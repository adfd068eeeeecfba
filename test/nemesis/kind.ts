/** What a kind of fault is, and what all of them work on. */
import type { Random } from "../../src/core/random.ts";
import type { Client } from "../../src/index.ts";
import type { Cluster } from "./cluster.ts";
import type { Ability } from "./doctor.ts";
import type { Mending } from "./mending.ts";
import type { Hub } from "./namespaces.ts";
import type { NodeProcess } from "./node-process.ts";
import { pick } from "./schedule.ts";
import type { ImageVolume, MemoryVolume } from "./volumes.ts";

export interface Scene {
  readonly cluster: Cluster;
  /** For an operator's commands. */
  readonly client: Client;
  readonly mending: Mending;
  readonly isClosed: boolean;
  readonly hub: Hub | undefined;
  readonly memory: MemoryVolume | undefined;
  readonly image: ImageVolume | undefined;
  /** How many members the cluster was founded with. */
  readonly size: number;
}

export interface Kind {
  readonly name: string;
  /** From one to the next it takes up to twice so long. */
  readonly everyMs: number;
  readonly needs: readonly Ability[];
  /** Does one thing, and says what. Empty: nothing could be done now. */
  readonly strike: (scene: Scene, random: Random) => string | Promise<string>;
}

/** So many nodes go on serving when one of them is struck: a majority of the usual five. */
const readyMin = 3;

/**
 * One that runs, if others are enough without it. A node that is still starting does not count,
 * so a slow machine is not struck faster than its nodes come back.
 */
export function victim({ cluster }: Scene, random: Random): NodeProcess | undefined {
  const node = pick(cluster.live, random);
  if (node === undefined) return undefined;
  const others = cluster.live.filter((one) => one.isReady && one !== node);
  return others.length >= readyMin ? node : undefined;
}

/** Whether there is much to lose: nearly all serve. */
export function areMostReady({ cluster, size }: Scene): boolean {
  return cluster.live.filter(({ isReady }) => isReady).length >= size - 1;
}

export function isOn(node: NodeProcess, volume: { readonly path: string } | undefined): boolean {
  return volume !== undefined && node.directory.startsWith(`${volume.path}/`);
}
