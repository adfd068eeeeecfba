/**
 * Makes tables in memory out of plain entries, and random entries out of a seed.
 */
import { compare } from "../../native-free-engine/base/bytes.ts";
import type { TableShape } from "../../native-free-engine/compaction/job.ts";
import { kindExpiring, kindTombstone, kindValue } from "../../native-free-engine/cursor.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { BlockCache } from "../../native-free-engine/table/block-cache.ts";
import type { BuiltTable } from "../../native-free-engine/table/meta.ts";
import { Table, type TableOptions } from "../../native-free-engine/table/table.ts";
import { TableWriter } from "../../native-free-engine/table/writer.ts";

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly kind: number;
  readonly sequence: number;
  readonly expiry: number;
}

export const path = "/db/000007.sst";
export const number = 7;
export const shape: TableShape = { hashSeed: 0x5eed, blockBytes: 512, compression: "none" };
export const everything = Number.MAX_SAFE_INTEGER;

export function text(string: string): Uint8Array {
  return new Uint8Array(Buffer.from(string));
}

export function entry(key: string | Uint8Array, value: string | Uint8Array = ""): Entry {
  return {
    key: typeof key === "string" ? text(key) : key,
    value: typeof value === "string" ? text(value) : value,
    kind: kindValue,
    sequence: 0,
    expiry: 0,
  };
}

export function newDisk(): MemoryDisk {
  const disk = new MemoryDisk();
  disk.makeDirectorySync("/db");
  return disk;
}

export function build(
  disk: MemoryDisk,
  entries: readonly Entry[],
  shaped: Partial<TableShape> = {},
): BuiltTable {
  const writer = new TableWriter({ disk, path, number, shape: { ...shape, ...shaped } });
  for (const { key, value, kind, sequence, expiry } of entries) {
    writer.addParts(key, 0, key.length, value, 0, value.length, kind, sequence, expiry);
  }
  return writer.finish({ min: 3, max: 900 });
}

export function optionsFor(disk: MemoryDisk, built: BuiltTable, cacheBytes = 1 << 20) {
  const cache = new BlockCache(cacheBytes);
  const options: TableOptions = { disk, path, meta: built, hashSeed: shape.hashSeed, cache };
  return options;
}

export function open(disk: MemoryDisk, built: BuiltTable, cacheBytes?: number): Table {
  return Table.open(optionsFor(disk, built, cacheBytes));
}

/** A small generator with all its state in one seed. */
export function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export function randomBytes(random: (below: number) => number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random(4) === 0 ? random(256) : 97 + random(3);
  return bytes;
}

/** Sorted entries over about `count` keys; with `versions`, some keys have several. */
export function randomEntries(
  random: (below: number) => number,
  options: { readonly count: number; readonly versions: boolean; readonly prefix?: string },
): Entry[] {
  const keys = new Map<string, Uint8Array>();
  const prefix = text(options.prefix ?? "");
  for (let i = 0; i < options.count; i++) {
    const rest = randomBytes(random, random(20) === 0 ? random(300) : random(12));
    const key = new Uint8Array([...prefix, ...rest]);
    keys.set(Buffer.from(key).toString("hex"), key);
  }
  const entries: Entry[] = [];
  for (const key of [...keys.values()].sort(compare)) {
    const versions = options.versions && random(4) === 0 ? 1 + random(30) : 1;
    let sequence = versions === 1 ? 0 : 2 ** 33 + random(1000);
    for (let version = 0; version < versions; version++) {
      const kind = [kindTombstone, kindValue, kindValue, kindExpiring][random(4)] ?? kindValue;
      const length = kind === kindTombstone ? 0 : random(30) === 0 ? random(3000) : random(90);
      const expiry = kind === kindExpiring ? 1.7e12 + random(1e6) : 0;
      entries.push({ key, value: randomBytes(random, length), kind, sequence, expiry });
      sequence -= 1 + random(9);
    }
  }
  return entries;
}
