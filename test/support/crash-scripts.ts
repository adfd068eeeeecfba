/**
 * Scripts for crash and error loops: each a setup with absurdly small limits and a seeded course of
 * calls, so that log rotation, flush, compaction, manifest roll, checkpoint, close and reopening
 * all happen within some hundred disk operations.
 */
import type { Durability } from "../../native-free-engine/api.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { pick, randomFrom } from "./random.ts";
import { Driver, type Setup } from "./script-driver.ts";

export interface Script {
  readonly name: string;
  readonly seed: number;
  readonly setup: Setup;
  /** When asynchronous calls to the disk do their work. */
  readonly slowCalls: boolean;
  run(driver: Driver): Promise<void>;
}

/** Levels that are full at once, so that entries sink through several within a script. */
const tinyLimits = {
  l0Trigger: 2,
  l0SlowAt: 6,
  l0StopAt: 12,
  baseBytes: 3000,
  growth: 2,
  tableBytes: 1500,
};

function setupOf(seed: number): Setup {
  const random = randomFrom(seed);
  const durability = (["os", "sync", "os", "interval"] as const)[seed % 4] as Durability;
  return {
    options: {
      memtableBytes: 1024 << pick(random, 3),
      cacheBytes: pick(random, 2) === 0 ? 0 : 1 << 20,
      durability,
      compression: pick(random, 4) === 0 ? "deflate" : "none",
    },
    tuning: {
      blockBytes: 256 << pick(random, 3),
      limits: tinyLimits,
      sealedMax: 1 + pick(random, 3),
      idleMs: pick(random, 2) === 0 ? 100 : 1e12,
      reserveBytes: 0,
      manifestRollBytes: pick(random, 3) === 0 ? 1 << 20 : 0,
    },
  };
}

/** A script of about `steps` steps; equal arguments make equal scripts. */
export function scriptOf(seed: number, steps: number): Script {
  const setup = setupOf(seed);
  const run = async (driver: Driver): Promise<void> => {
    const random = randomFrom(seed + 1);
    const phases = ["write", "flush", "write", "reopen", "write", "compact", "write", "checkpoint"];
    const perPhase = Math.max(1, Math.floor(steps / 6));
    await driver.open();
    for (const phase of [...phases, "write", "close", "open", "write"]) {
      if (phase !== "open" && !driver.hasEngine) break;
      if (phase === "write") await writeSome(driver, random, perPhase);
      else await special(driver, phase, random);
    }
    await driver.checkSnapshots();
    await driver.close();
  };
  const { options } = setup;
  const name = `script ${seed} (${options.durability}, memtable ${options.memtableBytes})`;
  return { name, seed, setup, slowCalls: seed % 3 === 0, run };
}

/** A disk for the script. `watch` is called before each operation. */
export function diskFor(script: Script, watch?: () => void): MemoryDisk {
  return new MemoryDisk({
    journal: true,
    watch,
    ...(script.slowCalls ? { schedule: onNextTurn } : {}),
  });
}

/** Runs it to its end, whatever the disk answers. */
export async function runScript(script: Script, disk: MemoryDisk): Promise<Driver> {
  const driver = new Driver(disk, script.setup, script.seed);
  await script.run(driver);
  return driver;
}

/** Puts, deletes and batches over some twenty keys, some awaited, some not. */
export async function writeSome(
  driver: Driver,
  random: () => number,
  steps: number,
): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const sync = pick(random, 3) === 0 ? { sync: true } : {};
    switch (pick(random, 8)) {
      case 0:
        driver.delete(keyOf(random), sync);
        break;
      case 1:
        driver.batch(batchOf(random), sync);
        break;
      case 2:
        driver.put(keyOf(random), lengthOf(random), { ...sync, ttlMs: 1e10 });
        break;
      default:
        driver.put(keyOf(random), lengthOf(random), sync);
    }
    if (pick(random, 3) > 0) await driver.settle();
    if (pick(random, 12) === 0) await driver.checkReads();
  }
  await driver.settle();
}

async function special(driver: Driver, phase: string, random: () => number): Promise<void> {
  switch (phase) {
    case "flush":
      await driver.flush();
      await driver.snapshot();
      break;
    case "compact":
      await driver.compact();
      await driver.checkSnapshots();
      await driver.snapshot();
      break;
    case "checkpoint":
      driver.put(keyOf(random), lengthOf(random));
      await driver.checkpoint("/copy");
      break;
    case "reopen":
      await driver.checkSnapshots();
      await driver.close();
      await driver.open();
      break;
    case "close":
      await driver.checkSnapshots();
      await driver.close();
      break;
    default:
      await driver.open();
  }
}

function keyOf(random: () => number): string {
  const n = pick(random, 24);
  // The empty key is a key, and some share a long prefix.
  return n === 0 ? "" : n < 12 ? `key-${n}` : `${"shared/prefix/".repeat(4)}${n}`;
}

function lengthOf(random: () => number): number {
  const n = pick(random, 40);
  return n === 0 ? 5000 : n < 4 ? 0 : pick(random, 160);
}

function batchOf(random: () => number): [string, number | undefined][] {
  return Array.from({ length: 2 + pick(random, 4) }, () => [
    keyOf(random),
    pick(random, 4) === 0 ? undefined : pick(random, 300),
  ]);
}

async function onNextTurn<T>(run: () => T): Promise<T> {
  await new Promise((resolve) => setImmediate(resolve));
  return run();
}
