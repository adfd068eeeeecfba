/**
 * One machine of a world: its disk and its number last, everything else lives from start to crash.
 * Opening does what the runtime does with a directory, without sockets and without a process.
 */
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { Schedule } from "../../native-free-engine/disk/memory-file.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { openOn } from "../../native-free-engine/open.ts";
import type { CleanupTuning } from "../../src/core/cleanup/cleanup.ts";
import type { Event, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import type { Result } from "../../src/core/message.ts";
import { Node } from "../../src/core/node.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { decodeRing, encodeRing } from "../../src/core/wire/ring.ts";
import { Store } from "../../src/store/store.ts";
import { type Timeline, TimelineClock } from "./timeline.ts";

/** What a directory holds, and what a copy of it brings back. */
export interface Image {
  readonly disk: MemoryDisk;
  /** Of the latest process on it. */
  readonly started: number;
}

export interface Host {
  readonly id: NodeId;
  image: Image;
  life: Life | undefined;
  /** How far its clock is ahead, from its next start on. */
  aheadMs: number;
  /** While its process is frozen: what waits for it. */
  backlog: (() => void)[] | undefined;
}

/** One run of a node's process. */
export interface Life {
  readonly node: Node;
  readonly store: Store;
  readonly engine: Engine;
  readonly clock: TimelineClock;
  readonly answers: Map<number, (result: Result) => void>;
}

export interface OpenParts {
  readonly timeline: Timeline;
  readonly seed: number;
  /** Tells this life from all others of the world. */
  readonly life: number;
  readonly partitions: number;
  readonly r: number;
  readonly w: number;
  readonly cleanup: Partial<CleanupTuning>;
  /** For a directory that holds none. */
  readonly ring: RingState;
  onDamage(partition: Partition | undefined): void;
  onFatal(): void;
}

export function newHost(id: NodeId, disk: MemoryDisk): Host {
  return { id, image: { disk, started: 0 }, life: undefined, aheadMs: 0, backlog: undefined };
}

/**
 * Disks whose syncs take up to so long: between a write and its acknowledgement there has to be a
 * moment in which the power can fail. With 0 there is none.
 */
export function disksOn(
  timeline: Timeline,
  { seed, diskMsMax }: { readonly seed: number; readonly diskMsMax: number },
): () => MemoryDisk {
  if (diskMsMax === 0) return () => new MemoryDisk();
  const random = seededRandom(seed * 64 + 63);
  const schedule: Schedule = (run) =>
    new Promise((resolve, reject) => {
      timeline.after(((1 + random.below(999)) / 1_000) * diskMsMax, () => {
        try {
          resolve(run());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  return () => new MemoryDisk({ schedule });
}

export async function openLife(host: Host, parts: OpenParts): Promise<Life> {
  const { timeline, seed, r, w, partitions, onDamage, onFatal } = parts;
  const { disk } = host.image;
  const clock = new TimelineClock(timeline, host.aheadMs);
  const engine = await openOn(
    { disk, clock, workers: inlineWorkers(disk, clock) },
    "/db",
    { durability: "sync", memtableBytes: 256 << 10, cacheBytes: 1 << 20 },
    { memoryBytes: 1 << 30, newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }) },
  );
  let drawn = 0;
  const newActor = (): string => actorOf(clock.now(), parts.life, ++drawn);
  const store = await Store.open({ engine, partitions, newActor, onDamage, onFatal });
  const saved = await run(store, { kind: "load-meta", name: "ring" });
  const bytes = saved.kind === "meta" ? saved.bytes : undefined;
  const known = bytes === undefined ? undefined : decodeRing(bytes);
  if (known === undefined) {
    await run(store, { kind: "save-meta", name: "ring", bytes: encodeRing(parts.ring) });
  }
  const started = Math.max(clock.now(), host.image.started + 1);
  host.image = { disk, started };
  const random = seededRandom(seed * 1_000_003 + parts.life);
  const ring = known ?? parts.ring;
  const node = new Node({ self: host.id, started, ring, random, r, w, cleanup: parts.cleanup });
  return { node, store, engine, clock, answers: new Map() };
}

/** Without its time, which is that of the node it happens to. */
export type Happening = Event extends infer Each
  ? Each extends Event
    ? Omit<Each, "now">
    : never
  : never;

function run(store: Store, work: StoreWork): Promise<StoreOutcome> {
  return new Promise((resolve) => store.run(work, resolve));
}

/** Unlike any other, as the real ones are by time and chance. */
function actorOf(now: number, life: number, drawn: number): string {
  const time = now.toString(16).padStart(11, "0").slice(-10);
  return time + (life * 4096 + drawn).toString(16).padStart(6, "0");
}
