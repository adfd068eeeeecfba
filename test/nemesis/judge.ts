/**
 * The verdict on a run, from what clients saw and what every owner's directory holds, exported by
 * processes of their own once all nodes have stopped. The rules are those of the simulator.
 */
import { spawn } from "node:child_process";
import { keyOf, partitionOf } from "../../src/core/key.ts";
import type { RingState } from "../../src/index.ts";
import { findWrongs, type Held } from "../sim/checks.ts";
import type { Door } from "./cluster.ts";
import type { HistoryWrite } from "./history.ts";
import { workloadOf, workloads } from "./workloads.ts";

/** One line of an export. */
export interface Entry {
  readonly key: string;
  readonly value?: string;
  readonly values?: readonly string[];
  readonly versions: string;
}

export type Contents = ReadonlyMap<string, Entry>;

export interface Evidence {
  readonly door: Door;
  readonly writes: readonly HistoryWrite[];
  readonly ring: Pick<RingState, "owners" | "n">;
  /** By the number of the node in the ring. */
  readonly contents: ReadonlyMap<number, Contents>;
  /** What a client reads at the end, by key. */
  readonly reads: ReadonlyMap<string, readonly string[]>;
}

const absent: Held = { values: [], versions: "" };

/** Everything that is wrong, in words. */
export function judge({ door, writes, ring, contents, reads }: Evidence): string[] {
  const wrongs: string[] = [];
  const held = new Map<string, readonly Held[]>();
  const keys = new Set(writes.map(({ key }) => key));
  for (const key of keys) {
    const owners = ownersOf(key, ring);
    const copies = owners.map((id) => heldOf(door, contents.get(id)?.get(key)));
    held.set(key, copies);
    const missing = owners.filter((id) => !contents.has(id));
    if (missing.length > 0) wrongs.push(`${key}: owner ${missing.join()} has no directory`);
    const [first = absent] = copies;
    const read = reads.get(key);
    if (read !== undefined && !isSameSet(read, first.values)) {
      wrongs.push(`${key}: a client reads ${read.join()}, stored is ${first.values.join()}`);
    }
  }
  for (const [id, entries] of contents) {
    for (const key of entries.keys()) {
      if (!keys.has(key)) wrongs.push(`node ${id} holds ${key}, which nobody wrote`);
    }
  }
  return [...wrongs, ...findWrongs(writes, held)];
}

function ownersOf(key: string, { owners }: Evidence["ring"]): readonly number[] {
  return owners[partitionOf(keyOf("", Buffer.from(key)), owners.length)] ?? [];
}

function heldOf(door: Door, entry: Entry | undefined): Held {
  if (entry === undefined) return absent;
  const values = entry.values ?? (entry.value === undefined ? [] : [entry.value]);
  const bytes = values.map((value) => Buffer.from(value));
  return { values: shownIn(door, entry.key, bytes), versions: entry.versions };
}

/** The names of what is stored under a key. */
export function shownIn(door: Door, key: string, values: readonly Uint8Array[]): readonly string[] {
  const workload = workloads[workloadOf(key)];
  if (workload === undefined) return values.map((bytes) => Buffer.from(bytes).toString());
  try {
    return workload.shown(door, values);
  } catch (error) {
    return [`a broken value (${String(error)})`];
  }
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}

/** Rejects when the directory cannot be read. */
export async function exportOf(kvctl: string, directory: string): Promise<Contents> {
  const child = spawn(process.execPath, [kvctl, "--db", directory, "export"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, KVCTL_DB: "", KVCTL_ENDPOINTS: "" },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`exporting ${directory}: exit ${code}: ${stderr}`);
  const entries = stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);
  return new Map(entries.map((entry) => [entry.key, entry]));
}
