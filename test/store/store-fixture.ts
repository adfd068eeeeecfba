/** A store on an engine on a disk in memory, asked by promises. */
import type { Durability } from "../../native-free-engine/api.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { openOn } from "../../native-free-engine/open.ts";
import {
  type CausalContext,
  type Change,
  emptyContext,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Key, keyOf } from "../../src/core/key.ts";
import { Store, type StoreOptions } from "../../src/store/store.ts";
import { ModelClock } from "../support/model-clock.ts";

export const partitions = 16;
let drawn = 0;

/** Never the same twice, in the order of drawing. */
export function newActor(): string {
  drawn += 1;
  return drawn.toString(16).padStart(16, "0");
}

export interface OpenStore {
  readonly disk: MemoryDisk;
  readonly engine: Engine;
  readonly store: Store;
}

export async function openStore(
  disk = new MemoryDisk(),
  options: Partial<StoreOptions> & { readonly durability?: Durability } = {},
): Promise<OpenStore> {
  const engine = await openEngineOn(disk, options.durability);
  const store = await Store.open({ engine, partitions, newActor, ...options });
  return { disk, engine, store };
}

export function openEngineOn(disk: MemoryDisk, durability: Durability = "sync"): Promise<Engine> {
  const clock = new ModelClock();
  const world = { disk, clock, workers: inlineWorkers(disk, clock) };
  return openOn(
    world,
    "/db",
    { durability, memtableBytes: 256 << 10, cacheBytes: 1 << 20 },
    { memoryBytes: 1 << 26, newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }) },
  );
}

export async function closeStore({ store, engine }: OpenStore): Promise<void> {
  await store.close();
  await engine.close();
}

/** The last answer to the work: `durable` or a failure for a write. */
export function ask(store: Store, work: StoreWork): Promise<StoreOutcome> {
  return new Promise((resolve) => {
    store.run(work, (outcome) => {
      if (outcome.kind !== "written") resolve(outcome);
    });
  });
}

/** What a coordinator allows a key to hold. */
export const room = { siblingsMax: 64, siblingBytesMax: 1 << 22 };

export type Written = Extract<StoreOutcome, { kind: "written" }>;

/** Both answers to a write that is expected to succeed. */
export function coordinate(
  store: Store,
  key: Key,
  change: Change,
  more: { readonly context?: CausalContext; readonly targets?: readonly NodeId[] } = {},
): Promise<Written> {
  const { context = emptyContext, targets = [] } = more;
  return new Promise((resolve, reject) => {
    let written: Written | undefined;
    store.run({ kind: "write", key, context, change, targets, ...room }, (outcome) => {
      if (outcome.kind === "written") written = outcome;
      else if (outcome.kind === "durable" && written !== undefined) resolve(written);
      else reject(new Error(JSON.stringify(outcome)));
    });
  });
}

export async function heldOf(
  store: Store,
  key: Key,
  targets: readonly NodeId[] = [],
): Promise<Versions> {
  const outcome = await ask(store, { kind: "read", key, targets });
  if (outcome.kind !== "versions") throw new Error(JSON.stringify(outcome));
  return outcome.versions;
}

export function keyFrom(text: string, bucket = ""): Key {
  return keyOf(bucket, new TextEncoder().encode(text));
}

export function valuesIn(versions: Versions): string[] {
  return versions.siblings.map(({ value }) => new TextDecoder().decode(value));
}

let operations = 0;

/** A write of a client, each a new operation. Without a text it deletes. */
export function change(text: string | undefined, more: Partial<Change> = {}): Change {
  operations += 1;
  const value = text === undefined ? undefined : new TextEncoder().encode(text);
  const operation = { at: 1_700_000_000_000, nonce: operations, retried: false };
  return { operation, time: 1_700_000_000_123, expiresAt: 0, value, ...more };
}

/** Versions as another node makes them. */
export function foreign(text: string | undefined, seen: Versions = noVersions): Versions {
  return write(seen, seen, { actor: newActor(), counter: 1 }, change(text)).versions;
}
