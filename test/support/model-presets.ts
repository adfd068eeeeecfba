/**
 * Absurd engines: each preset makes something happen all the time that a sensible engine does
 * rarely, or takes a limit to where an off-by-one shows.
 */
import type { EngineOptions } from "../../native-free-engine/api.ts";
import type { Tuning } from "../../native-free-engine/options.ts";
import { pick } from "./random.ts";

export interface Preset {
  readonly name: string;
  readonly options: EngineOptions;
  readonly tuning?: Partial<Tuning>;
  /** One of the keys in play, as one char code per byte. */
  readonly key: (random: () => number) => string;
  readonly valueBytes: (random: () => number) => number;
  /** Values of one repeated byte, so that deflate has something to do. */
  readonly compressible?: boolean;
  /** Each read takes so long, so that cursors block. */
  readonly slowReadMs?: number;
  /** How often each operation comes, where it differs from the usual. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Steps of this preset for one of the usual, where they cost more. */
  readonly effort?: number;
}

const tiny = {
  l0Trigger: 2,
  l0SlowAt: 4,
  l0StopAt: 8,
  baseBytes: 4 << 10,
  growth: 3,
  tableBytes: 1 << 10,
};
const small: Partial<Tuning> = { blockBytes: 512, limits: tiny, idleMs: 40, reserveBytes: 0 };
const plain: EngineOptions = { memtableBytes: 4 << 10, cacheBytes: 64 << 10 };

const numbered = (count: number) => (random: () => number) =>
  `key-${String(pick(random, count)).padStart(4, "0")}`;
const upTo = (bytes: number) => (random: () => number) => pick(random, bytes + 1);

/** Few lengths, near the limits and the sizes at which copying changes its ways. */
const longLengths = [0, 1, 2, 39, 40, 41, 255, 256, 4095, 4096, 65535, 65536];

export const presets: readonly Preset[] = [
  {
    name: "small everything",
    options: plain,
    tuning: small,
    key: numbered(80),
    valueBytes: upTo(120),
  },
  {
    name: "a cache of one byte",
    options: { ...plain, cacheBytes: 1 },
    tuning: { ...small, blockBytes: 256 },
    key: numbered(80),
    valueBytes: upTo(200),
  },
  {
    name: "blocks of one entry, no cache",
    options: { ...plain, cacheBytes: 0 },
    tuning: { ...small, blockBytes: 1 },
    key: numbered(60),
    valueBytes: upTo(60),
  },
  {
    name: "a memtable of 1 KiB that nothing may wait behind",
    options: { ...plain, memtableBytes: 1 << 10 },
    tuning: { ...small, sealedMax: 1, limits: { ...tiny, l0SlowAt: 1, l0StopAt: 2 } },
    key: numbered(100),
    valueBytes: upTo(90),
  },
  {
    name: "compaction after every flush, levels that double",
    options: { ...plain, memtableBytes: 2 << 10 },
    tuning: { ...small, limits: { ...tiny, l0Trigger: 1, growth: 2, baseBytes: 1, tableBytes: 1 } },
    key: numbered(60),
    valueBytes: upTo(60),
  },
  {
    name: "no compaction but by idleness and by hand",
    options: plain,
    tuning: { ...small, limits: { ...tiny, l0Trigger: 99, l0SlowAt: 200, l0StopAt: 300 } },
    key: numbered(80),
    valueBytes: upTo(120),
  },
  {
    name: "deflate everywhere",
    options: { ...plain, compression: "deflate" },
    tuning: { ...small, blockBytes: 1024 },
    key: numbered(80),
    valueBytes: upTo(300),
    compressible: true,
  },
  {
    name: "compression by level",
    options: { ...plain, compression: ["none", "deflate", "none", "deflate"], cacheBytes: 2048 },
    tuning: small,
    key: numbered(80),
    valueBytes: upTo(300),
    compressible: true,
  },
  {
    name: "values larger than the memtable",
    options: { ...plain, memtableBytes: 16 << 10 },
    tuning: { ...small, limits: { ...tiny, baseBytes: 256 << 10, tableBytes: 64 << 10 } },
    key: numbered(12),
    valueBytes: (random) =>
      [0, 1, 15 << 10, 16 << 10, 17 << 10, 1 << 20, 1.2 * 2 ** 20][pick(random, 7)]!,
    effort: 6,
  },
  {
    name: "keys from 0 to 64 KiB",
    options: { ...plain, memtableBytes: 256 << 10, cacheBytes: 1 << 20 },
    tuning: { ...small, limits: { ...tiny, baseBytes: 1 << 20, tableBytes: 128 << 10 } },
    key: (random) =>
      "k".repeat(Math.max(0, longLengths[pick(random, longLengths.length)]! - 1)) +
      String.fromCharCode(97 + pick(random, 3)).repeat(pick(random, 4) === 0 ? 0 : 1),
    valueBytes: upTo(50),
    effort: 3,
  },
  {
    name: "one long prefix",
    options: { ...plain, memtableBytes: 8 << 10 },
    tuning: small,
    key: (random) => "p".repeat(300) + numbered(40)(random) + (pick(random, 2) === 0 ? "" : "p"),
    valueBytes: upTo(40),
  },
  {
    name: "binary keys that are prefixes of each other",
    options: plain,
    tuning: { ...small, blockBytes: 128 },
    key: (random) => {
      let key = "";
      for (let left = pick(random, 5); left > 0; left--)
        key += "\x00\x01\x7f\x80\xff"[pick(random, 5)];
      return key;
    },
    valueBytes: upTo(60),
  },
  {
    name: "many versions of few keys under snapshots",
    options: plain,
    tuning: { ...small, blockBytes: 256 },
    key: numbered(4),
    valueBytes: upTo(30),
    weights: { snapshot: 12, closeSnapshot: 6, burst: 20, openScan: 10 },
  },
  {
    name: "a slow disk and no cache",
    options: { ...plain, cacheBytes: 0 },
    tuning: small,
    key: numbered(60),
    valueBytes: upTo(100),
    slowReadMs: 5,
    effort: 3,
  },
  {
    name: "every write synced, a manifest for every change",
    options: { ...plain, durability: "sync" },
    tuning: { ...small, manifestRollBytes: 1 },
    key: numbered(80),
    valueBytes: upTo(120),
  },
  {
    name: "synced now and then",
    options: { ...plain, durability: "interval" },
    tuning: { ...small, manifestRollBytes: 600 },
    key: numbered(80),
    valueBytes: upTo(120),
    weights: { power: 6 },
  },
  {
    name: "nearly everything expires",
    options: plain,
    tuning: { ...small, blockBytes: 256 },
    key: numbered(30),
    valueBytes: upTo(60),
    weights: { expiring: 60, put: 10, advance: 15, snapshot: 6 },
  },
  {
    name: "mostly deletions",
    options: plain,
    tuning: { ...small, limits: { ...tiny, growth: 2 } },
    key: numbered(120),
    valueBytes: upTo(40),
    weights: { delete: 80, put: 30, compact: 6 },
  },
];
