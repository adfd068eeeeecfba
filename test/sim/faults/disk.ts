/** Faults of disks: full, failing, slow, older than they should be, another node's, rotten. */
import type { MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import type { NodeId } from "../../../src/core/ids.ts";
import type { Random } from "../../../src/core/random.ts";
import type { Image } from "../host.ts";
import type { Operator } from "../operator.ts";
import { type Kind, pick } from "../trouble.ts";
import type { World } from "../world.ts";

const blockBytes = 4096;
/** Steps of the disk from the strike to the fault. */
const stepsMax = 30;
const slownessMax = 100;
const bitsMax = 8;

/** Disks that take nothing more: their nodes refuse, and die of it. */
export function fullDisks(liveMin: number): Kind {
  return {
    name: "disk-full",
    everyMs: 6_000,
    strike: (world, random) => {
      const node = pick(world.live, random);
      if (node === undefined || world.live.length <= liveMin) return "";
      world.setCapacity(node, 1);
      return `the disk of node ${node} is full`;
    },
  };
}

/** A write, sync or read that fails, once or for ever. */
export function failingDisks(liveMin: number): Kind {
  return {
    name: "disk-error",
    everyMs: 6_000,
    strike: (world, random) => {
      const node = pick(world.live, random);
      const fault = random.below(2) === 0 ? "EIO" : "EIO-sticky";
      const [isRead, steps] = [random.below(3) === 0, 1 + random.below(stepsMax)];
      if (node === undefined || world.live.length <= liveMin) return "";
      const disk = world.diskOf(node);
      if (isRead) disk.failReadAt(disk.reads + steps, "EIO");
      else disk.failAt(disk.operations + steps, fault);
      const what = isRead ? `read ${steps} gives EIO` : `step ${steps} gives ${fault}`;
      return `${what} on the disk of node ${node}`;
    },
  };
}

/** One disk that takes long for everything. */
export const slowDisks: Kind = {
  name: "disk-slow",
  everyMs: 5_000,
  strike: (world, random) => {
    const [node, isSlow] = [pick(world.live, random), random.below(2) === 0];
    const factor = 2 + random.below(slownessMax);
    for (const id of world.ids) world.setDiskPace(id, 1);
    if (node === undefined || !isSlow) return "";
    world.setDiskPace(node, factor);
    return `the disk of node ${node} is ${factor} times as slow`;
  },
};

/** A directory is put back from a copy that was made some seconds before. */
export function oldDisks(operator: Operator): Kind {
  let copy: { readonly node: NodeId; readonly image: Image } | undefined;
  return {
    name: "disk-old",
    everyMs: 4_000,
    strike: async (world, random) => {
      const node = pick(world.startable, random);
      if (copy === undefined) {
        if (node !== undefined) copy = { node, image: world.imageOf(node) };
        return "";
      }
      const { image, node: old } = copy;
      // The same process must not go on with it: a copy of a disk in use is not told so soon.
      const isOlder = world.startable.includes(old) && world.imageOf(old).started > image.started;
      if (!isOlder || !operator.atlas.mayDestroy(world, old)) return "";
      operator.atlas.destroyed();
      copy = undefined;
      world.restore(old, image);
      return `node ${old} comes back with an old disk: ${await operator.start(world, old)}`;
    },
  };
}

/** A node is started with the disk of another, which it refuses; then it gets back its own. */
export function foreignDisks(operator: Operator): Kind {
  return {
    name: "disk-foreign",
    everyMs: 8_000,
    strike: async (world, random) => {
      const [node, other] = [pick(world.startable, random), pick(world.ids, random)];
      if (node === undefined || other === undefined || node === other) return "";
      if (await world.startsWith(node, world.imageOf(other))) {
        throw new Error(`node ${node} starts with the disk of node ${other}`);
      }
      return `node ${node} refuses the disk of ${other}: ${await operator.start(world, node)}`;
    },
  };
}

/** Bits turn over, or a block is found where another was written. */
export function rot(operator: Operator, how: "rot" | "misdirected"): Kind {
  return {
    name: how === "rot" ? "disk-rot" : "disk-misdirected",
    everyMs: 8_000,
    strike: (world, random) => {
      const node = pick(world.ids, random);
      if (node === undefined || !operator.atlas.mayDestroy(world, node)) return "";
      const what = spoil(world, node, random, how);
      if (what === "") return "";
      operator.atlas.destroyed();
      operator.atlas.damaged.add(node);
      world.watch.lost(node);
      return `${what} on the disk of node ${node}`;
    },
  };
}

function spoil(world: World, node: NodeId, random: Random, how: "rot" | "misdirected"): string {
  const disk = world.diskOf(node);
  const files = disk.files().filter((path) => disk.bytesOf(path).length > 0);
  const path = files[random.below(1 << 20) % files.length];
  if (path === undefined) return "";
  if (how === "rot") return turnBits(disk, path, random);
  const source = files[random.below(1 << 20) % files.length] ?? path;
  return misdirect(disk, { path, source }, random);
}

function turnBits(disk: MemoryDisk, path: string, random: Random): string {
  const bytes = disk.bytesOf(path);
  const bits = 1 + random.below(bitsMax);
  for (let bit = 0; bit < bits; bit++) {
    const at = random.below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  }
  disk.replace(path, bytes);
  return `${bits} bits of ${path} turn over`;
}

function misdirect(
  disk: MemoryDisk,
  { path, source }: { readonly path: string; readonly source: string },
  random: Random,
): string {
  const bytes = disk.bytesOf(path);
  const from = disk.bytesOf(source);
  const at = blockBytes * random.below(Math.ceil(bytes.length / blockBytes));
  const start = blockBytes * random.below(Math.ceil(from.length / blockBytes));
  const block = from.subarray(start, start + Math.min(blockBytes, bytes.length - at));
  bytes.set(block, at);
  disk.replace(path, bytes);
  return `bytes ${start} of ${source} stand at ${at} of ${path}`;
}
