/**
 * The workloads, as data: db_bench's names and YCSB's letters. Each belongs to a plan, which is
 * what one process does with one database: `fill` plans begin with an empty one and have one row;
 * `stored` and `ycsb` load it first, outside the measured time, and then run their rows in order.
 */
import type { DurabilityClass } from "./measurement.ts";

export type PlanKind = "fill" | "stored" | "ycsb";

export type Operation =
  | "batch"
  | "put"
  | "putDurable"
  | "get"
  | "getSync"
  | "getMany"
  | "missing"
  | "scan"
  | "seek"
  | "delete"
  | "mix";

export type Order = "sequential" | "shuffled" | "random";

/** YCSB: shares of a hundred. */
export interface Mix {
  readonly read: number;
  readonly update: number;
  readonly insert: number;
  readonly scan: number;
  readonly readModifyWrite: number;
  /** Reads prefer what was inserted last. */
  readonly latest: boolean;
}

export interface Workload {
  readonly name: string;
  readonly what: string;
  readonly plan: PlanKind;
  readonly operation: Operation;
  readonly callers: readonly number[];
  readonly durability: DurabilityClass;
  readonly order: Order;
  /** Entries that one operation counts for. */
  readonly unit: number;
  /** Operations as a share of n / unit. */
  readonly share: number;
  readonly reverse: boolean;
  readonly mix?: Mix;
}

export const batchEntries = 1000;
export const manyKeys = 100;
/** YCSB E scans up to so many entries. */
export const scanEntriesMax = 100;

const many: readonly number[] = [1, 128];
const one: readonly number[] = [1];
const base = { callers: many, unit: 1, share: 1, reverse: false };

const fill = { ...base, plan: "fill", durability: "os", order: "shuffled" } as const;
const read = { ...base, plan: "stored", durability: "read", order: "random" } as const;
const change = { ...base, plan: "stored", durability: "os", order: "random" } as const;

const noMix: Mix = {
  read: 0,
  update: 0,
  insert: 0,
  scan: 0,
  readModifyWrite: 0,
  latest: false,
};

/** In the order in which a plan runs them: those that change the data come last. */
export const workloads: readonly Workload[] = [
  {
    ...fill,
    name: "fillbatch",
    what: "batches of 1,000 puts, each key once, in random order",
    operation: "batch",
    callers: one,
    unit: batchEntries,
  },
  { ...fill, name: "fillseq", what: "puts in key order", operation: "put", order: "sequential" },
  { ...fill, name: "fillrandom", what: "puts, each key once, in random order", operation: "put" },
  {
    ...fill,
    name: "fillsync",
    what: "puts that survive a power cut, in random order",
    operation: "putDurable",
    durability: "power cut",
    share: 0.05,
  },
  { ...read, name: "readrandom", what: "awaited gets of present keys", operation: "get" },
  { ...read, name: "getsync", what: "synchronous gets", operation: "getSync", callers: one },
  {
    ...read,
    name: "readmissing",
    what: "awaited gets of keys that are absent, between present ones",
    operation: "missing",
  },
  {
    ...read,
    name: "readmany",
    what: "getMany of 100 keys, counted in keys",
    operation: "getMany",
    callers: one,
    unit: manyKeys,
  },
  { ...read, name: "readseq", what: "a full scan, in entries", operation: "scan", callers: one },
  {
    ...read,
    name: "readreverse",
    what: "a full scan from the end, in entries",
    operation: "scan",
    callers: one,
    reverse: true,
  },
  {
    ...read,
    name: "seekrandom",
    what: "open a scan at a random key, read one entry, close",
    operation: "seek",
    share: 0.1,
  },
  { ...change, name: "overwrite", what: "puts of random present keys", operation: "put" },
  { ...change, name: "deleterandom", what: "deletes of random keys", operation: "delete" },
  ycsb("a", "50 % reads, 50 % updates", { read: 50, update: 50 }),
  ycsb("b", "95 % reads, 5 % updates", { read: 95, update: 5 }),
  ycsb("c", "reads only", { read: 100 }),
  ycsb("f", "50 % reads, 50 % read-modify-writes", { read: 50, readModifyWrite: 50 }),
  ycsb("d", "95 % reads of the latest, 5 % inserts", { read: 95, insert: 5, latest: true }),
  ycsb("e", "95 % scans of 1 to 100 entries, 5 % inserts", { scan: 95, insert: 5 }, 0.05),
];

export function workloadNamed(name: string): Workload {
  const found = workloads.find((workload) => workload.name === name);
  if (found === undefined) throw new Error(`there is no workload named ${name}`);
  return found;
}

function ycsb(letter: string, what: string, mix: Partial<Mix>, share = 1): Workload {
  return {
    ...base,
    name: `ycsb-${letter}`,
    what: `YCSB ${letter.toUpperCase()}, zipfian: ${what}`,
    plan: "ycsb",
    operation: "mix",
    durability: mix.read === 100 ? "read" : "os",
    order: "random",
    share,
    mix: { ...noMix, ...mix },
  };
}
