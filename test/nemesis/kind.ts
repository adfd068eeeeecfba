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

/** So many processes go on at any time, apart from blackouts: a majority of the usual five. */
const liveMin = 3;

/** One that runs, if others are enough without it. */
export function victim(
  { cluster }: Scene,
  random: Random,
  isFit: (node: NodeProcess) => boolean = () => true,
): NodeProcess | undefined {
  const node = pick(cluster.live.filter(isFit), random);
  return cluster.live.length > liveMin ? node : undefined;
}

export function isOn(node: NodeProcess, volume: { readonly path: string } | undefined): boolean {
  return volume !== undefined && node.directory.startsWith(`${volume.path}/`);
}
