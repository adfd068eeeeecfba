/**
 * Opening: a log of 64 MiB after a kill, and a large database after a clean close and after a
 * kill. The halves run in processes of their own: the first is killed or closes, the second opens.
 */
import { spawnSync } from "node:child_process";
import { openEngine } from "../../native-free-engine/index.ts";
import { Chance, keyOf, Values } from "../keys.ts";
import { load } from "../load.ts";
import type { Fact, SceneRequest } from "../scene.ts";
import { everwrite } from "../targets/everwrite.ts";

const logBytes = 64 << 20;
/** Larger than the log, so that nothing is flushed before the kill. */
const memtableBytes = 96 << 20;
const replayMostMs = 1000;
const openMostMs = 200;

/** Leaves a log of 64 MiB behind; the caller of this process kills it. */
export async function writeLog({ directory, valueBytes }: SceneRequest): Promise<Fact[]> {
  const values = new Values(valueBytes);
  const engine = await openEngine(directory, { memtableBytes });
  const chance = new Chance(1);
  while (engine.stats().memtableBytes < logBytes) {
    const puts = Array.from({ length: 1000 }, () => chance.below(10_000_000));
    await Promise.all(puts.map((index) => engine.put(keyOf(index), values.of(index))));
  }
  return [];
}

export async function replayLog({ directory, engine }: SceneRequest): Promise<Fact[]> {
  const began = performance.now();
  const opened = await openEngine(directory, { memtableBytes });
  const value = performance.now() - began;
  const { entries } = opened.stats().recovery;
  await opened.close();
  return [
    { engine, name: "log of 64 MiB: open", value, unit: "ms", goal: { most: replayMostMs } },
    { engine, name: "log of 64 MiB: entries", value: entries, unit: "" },
  ];
}

/** Leaves a database of n keys behind, closed or (where the caller kills this process) not. */
export async function writeAll(request: SceneRequest): Promise<Fact[]> {
  const { directory, n } = request;
  const target = await everwrite.open({ directory, durable: false });
  await load({ target, n, values: new Values(request.valueBytes) });
  await target.close();
  return [];
}

export async function openClean(request: SceneRequest): Promise<Fact[]> {
  // A gigabyte was just written: whatever is synced now waits for the kernel to write that.
  const [open] = await timedOpen(request, "while the kernel still writes them");
  spawnSync("sync");
  const facts = await timedOpen(request, "after a clean close");
  // The caller kills this process, which leaves the database as a crash would.
  const engine = await openEngine(request.directory);
  await engine.put("one", "more");
  const { goal: _, ...withoutGoal } = open!;
  return [withoutGoal, ...facts];
}

export function openKilled(request: SceneRequest): Promise<Fact[]> {
  return timedOpen(request, "after a kill");
}

async function timedOpen({ directory, engine, n }: SceneRequest, when: string): Promise<Fact[]> {
  const began = performance.now();
  const opened = await openEngine(directory);
  const openMs = performance.now() - began;
  await opened.get(keyOf(n >> 1));
  const firstGetMs = performance.now() - began;
  await opened.close();
  const name = `${n.toLocaleString("en-US")} keys ${when}`;
  return [
    { engine, name: `${name}: open`, value: openMs, unit: "ms", goal: { most: openMostMs } },
    { engine, name: `${name}: open and first get`, value: firstGetMs, unit: "ms" },
  ];
}
