/**
 * What a caller may choose, checked at the door, and the constants behind it. Tests pass other
 * constants (blocks of 256 bytes, a cache of one byte) through `Tuning`; users cannot.
 */
import type { Compression, Durability, EngineOptions } from "./api.ts";
import { cacheBytesMax, memtableBytesMax, memtableBytesMin } from "./base/limits.ts";
import { describe } from "./base/text.ts";
import type { LevelLimits } from "./compaction/pick.ts";
import { EngineError } from "./errors.ts";

export interface Settings {
  readonly createIfMissing: boolean;
  readonly errorIfExists: boolean;
  readonly readOnly: boolean;
  readonly durability: Durability;
  readonly memtableBytes: number;
  readonly cacheBytes: number;
  readonly compression: readonly ("none" | "deflate")[];
  readonly workers: boolean;
  readonly tuning: Tuning;
}

export interface Tuning {
  readonly blockBytes: number;
  readonly limits: LevelLimits;
  /** Full memtables that may wait for their flush before writes have to wait. */
  readonly sealedMax: number;
  /** Quiet time after which tables of level 0 are merged although they are few. */
  readonly idleMs: number;
  /** Below this much free space on the disk, writes are refused. */
  readonly reserveBytes: number;
  /** A manifest that is longer than this may be replaced by a fresh one. */
  readonly manifestRollBytes: number;
}

const defaultMemtableBytes = 16 << 20;
/** With it 10 million keys are loaded and read in less than 400 MiB, Node's own 60 among them. */
const defaultCacheBytes = 128 << 20;

export function defaultTuning(memtableBytes: number): Tuning {
  return {
    blockBytes: 4096,
    limits: {
      // As many as level 1 holds when full: a merge then rewrites no more of that than it brings.
      // Against 4, by the time that level 0 was empty again, 4 million random puts were written 3.2
      // times instead of 3.8, and 2 million 3.2 instead of 3.4.
      l0Trigger: 8,
      l0SlowAt: 16,
      l0StopAt: 32,
      baseBytes: 8 * memtableBytes,
      growth: 10,
      tableBytes: 32 << 20,
    },
    sealedMax: 2,
    idleMs: 100,
    reserveBytes: Math.min(64 << 20, 4 * memtableBytes),
    manifestRollBytes: 1 << 20,
  };
}

/** Fills in defaults; throws OPTION_INVALID naming the option, the value and what is allowed. */
export function settingsOf(
  options: EngineOptions,
  machine: { readonly memoryBytes: number },
  tuning?: Partial<Tuning>,
): Settings {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`options must be an object, got ${describe(options)}`);
  }
  const memtableBytes = integer("memtableBytes", options.memtableBytes, defaultMemtableBytes, {
    min: memtableBytesMin,
    max: memtableBytesMax,
  });
  const eighth = Math.floor(machine.memoryBytes / 8);
  const cacheBytes = integer(
    "cacheBytes",
    options.cacheBytes,
    Math.min(defaultCacheBytes, eighth),
    { min: 0, max: cacheBytesMax },
  );
  const readOnly = flag("readOnly", options.readOnly, false);
  return {
    createIfMissing: flag("createIfMissing", options.createIfMissing, true) && !readOnly,
    errorIfExists: flag("errorIfExists", options.errorIfExists, false),
    readOnly,
    durability: oneOf("durability", options.durability ?? "os", ["os", "interval", "sync"]),
    memtableBytes,
    cacheBytes,
    compression: compressionOf(options.compression ?? "none"),
    workers: flag("workers", options.workers, true),
    tuning: { ...defaultTuning(memtableBytes), ...tuning },
  };
}

/** The choice for tables of that level: the last one given holds for all below. */
export function compressionAt(
  compression: readonly ("none" | "deflate")[],
  level: number,
): "none" | "deflate" {
  return compression[Math.min(level, compression.length - 1)] ?? "none";
}

function compressionOf(choice: Compression): readonly ("none" | "deflate")[] {
  const levels: readonly unknown[] = typeof choice === "string" ? [choice] : choice;
  if (!Array.isArray(levels) || levels.length === 0) {
    throw invalid("compression", choice, 'must be "none", "deflate" or one of them per level');
  }
  return levels.map((level) => oneOf("compression", level, ["none", "deflate"]));
}

function integer(
  name: string,
  value: number | undefined,
  otherwise: number,
  bounds: { readonly min: number; readonly max: number },
): number {
  if (value === undefined) return otherwise;
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
  throw invalid(name, value, `must be a whole number from ${bounds.min} to ${bounds.max}`);
}

function flag(name: string, value: boolean | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === "boolean") return value;
  throw invalid(name, value, "must be true or false");
}

function oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[]): T {
  const match = allowed.find((choice) => choice === value);
  if (match !== undefined) return match;
  throw invalid(name, value, `must be one of ${allowed.join(", ")}`);
}

function invalid(name: string, value: unknown, rule: string): EngineError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new EngineError("OPTION_INVALID", `option ${name} ${rule}, got ${shown.slice(0, 64)}`);
}
