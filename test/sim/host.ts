/**
 * One machine of a world: its disk, its clocks and its number last, everything else lives from
 * start to crash. Opening does what the runtime does with a directory, without sockets and without
 * a process.
 */
import type { Clock } from "../../native-free-engine/clock.ts";
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
import { NodeClock } from "../../src/runtime/time.ts";
import { Store } from "../../src/store/store.ts";
import { EngineClock, MachineClock } from "./clocks.ts";
import type { Timeline } from "./timeline.ts";

/** What a directory holds, and what a copy of it brings back. */
export interface Image {
  readonly disk: MemoryDisk;
  /** Whose directory it is. */
  readonly of: NodeId;
  /** Of the latest process on it. */
  readonly started: number;
}

/** How slow a disk is: what each of its syncs takes is multiplied by this. */
export interface DiskPace {
  factor: number;
}

export interface Host {
  readonly id: NodeId;
  readonly clock: MachineClock;
  readonly pace: DiskPace;
  image: Image;
  life: Life | undefined;
  /** While its process is frozen: what waits for it. */
  backlog: (() => void)[] | undefined;
}

/** One run of a node's process. */
export interface Life {
  readonly node: Node;
  readonly store: Store;
  readonly engine: Engine;
  readonly engineClock: EngineClock;
  /** What the core takes for the time. */
  readonly clock: NodeClock;
  readonly answers: Map<number, (result: Result) => void>;
}

export interface OpenParts {
  readonly timeline: Timeline;
  readonly seed: number;
  /** Tells this life from all others of the world. */
  readonly life: number;
  readonly partitions: number;
  readonly memtableBytes: number;
  readonly r: number;
  readonly w: number;
  readonly cleanup: Partial<CleanupTuning>;
  /** For a directory that holds none. */
  readonly ring: RingState;
  onDamage(partition: Partition | undefined): void;
  onFatal(): void;
}

export function newHost(id: NodeId, timeline: Timeline, newDisk: NewDisk): Host {
  const pace = { factor: 1 };
  const image = { disk: newDisk(pace), of: id, started: 0 };
  const clock = new MachineClock(timeline);
  return { id, clock, pace, image, life: undefined, backlog: undefined };
}

export type NewDisk = (pace: DiskPace) => MemoryDisk;

/**
 * Disks whose syncs take up to so long: between a write and its acknowledgement there has to be a
 * moment in which the power can fail. With 0 there is none.
 */
export function disksOn(
  timeline: Timeline,
  { seed, diskMsMax }: { readonly seed: number; readonly diskMsMax: number },
): NewDisk {
  const now = (): number => timeline.now;
  if (diskMsMax === 0) return () => new MemoryDisk({ now });
  let disks = 0;
  return (pace) => {
    disks += 1;
    const random = seededRandom(seed * 64 + 63 + disks * 7_919);
    const schedule: Schedule = (run) =>
      new Promise((resolve, reject) => {
        timeline.after(((1 + random.below(999)) / 1_000) * diskMsMax * pace.factor, () => {
          try {
            resolve(run());
          } catch (error) {
            reject(error as Error);
          }
        });
      });
    return new MemoryDisk({ schedule, now });
  };
}

export const databaseDirectory = "/db";
export const newIdentity = () => ({ databaseId: "00".repeat(16), hashSeed: 7 });

export function openDatabase(
  disk: MemoryDisk,
  clock: Clock,
  memtableBytes = 256 << 10,
): Promise<Engine> {
  return openOn(
    { disk, clock, workers: inlineWorkers(disk, clock) },
    databaseDirectory,
    { durability: "sync", memtableBytes, cacheBytes: 1 << 20 },
    { memoryBytes: 1 << 30, newIdentity },
  );
}

export async function openLife(host: Host, parts: OpenParts): Promise<Life> {
  const { timeline, seed, r, w, partitions, memtableBytes, onDamage, onFatal } = parts;
  const { disk, of } = host.image;
  // As the runtime does, which knows a directory by the record of its identity.
  if (of !== host.id) throw new Error(`the directory belongs to node ${of}`);
  const engineClock = new EngineClock(timeline, host.clock);
  const engine = await openDatabase(disk, engineClock, memtableBytes);
  let drawn = 0;
  const newActor = (): string => actorOf(engineClock.now(), parts.life, ++drawn);
  const opening = Store.open({ engine, partitions, newActor, onDamage, onFatal });
  const store = await opening.catch(async (error: unknown) => {
    await engine.close();
    throw error;
  });
  const saved = await run(store, { kind: "load-meta", name: "ring" });
  if (saved.kind === "failed") throw new Error(`the ring cannot be read: ${saved.message}`);
  const bytes = saved.kind === "meta" ? saved.bytes : undefined;
  const known = bytes === undefined ? undefined : decodeRing(bytes);
  if (known === undefined) {
    await run(store, { kind: "save-meta", name: "ring", bytes: encodeRing(parts.ring) });
  }
  const clock = new NodeClock(
    () => host.clock.wall(),
    () => host.clock.elapsed(),
  );
  const started = Math.max(Math.floor(clock.now()), host.image.started + 1);
  host.image = { disk, of, started };
  const random = seededRandom(seed * 1_000_003 + parts.life);
  const ring = known ?? parts.ring;
  const node = new Node({ self: host.id, started, ring, random, r, w, cleanup: parts.cleanup });
  return { node, store, engine, engineClock, clock, answers: new Map() };
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
