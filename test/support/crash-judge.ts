/**
 * What must be true of a database after a crash: it opens, shows exactly what some number of units
 * led to, no fewer than were promised, and takes and keeps writes again.
 */
import type { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import type { LsmEngine } from "../../native-free-engine/engine.ts";
import { isEngineError } from "../../native-free-engine/errors.ts";
import { countState } from "./crash-states.ts";
import type { History, Mark } from "./history.ts";
import {
  type Checkpoint,
  contentsIn,
  type Driver,
  openEngine,
  type Setup,
} from "./script-driver.ts";

/** Opens the database and says after how many units it stands; throws when after none. */
export async function judge(
  disk: MemoryDisk,
  setup: Setup,
  history: History,
  bounds: { readonly from: number; readonly to: number },
): Promise<{ readonly engine: LsmEngine; readonly units: number }> {
  countState();
  const engine = await openEngine(disk, setup);
  const contents = await contentsIn(engine, history.keys);
  const units = history.find(contents, bounds);
  if (units < 0) {
    const elsewhere = history.find(contents, { from: 0, to: history.issued });
    const shown = elsewhere < 0 ? "of no number of units" : `of ${elsewhere} units`;
    await engine.close();
    throw new Error(`contents are ${shown}, not of ${bounds.from} to ${bounds.to}`);
  }
  return { engine, units };
}

/** What a power cut may leave of a history: never less than is durable. */
export function afterPowerCut(mark: Mark): { from: number; to: number } {
  return { from: mark.durable, to: mark.issued };
}

/** What a killed process leaves: never less than was acknowledged. */
export function afterKill(mark: Mark): { from: number; to: number } {
  return { from: mark.seen, to: mark.issued };
}

/** A checkpoint that was acknowledged is whole; one in the making is whole or is no database. */
export async function judgeCheckpoint(
  disk: MemoryDisk,
  driver: Driver,
  checkpoint: Checkpoint,
  now: Mark,
): Promise<void> {
  const { at, from, to } = checkpoint;
  if (to === undefined && !disk.existsSync(`${at}/CURRENT`)) return;
  const { options, tuning } = driver.setup;
  try {
    const setup = { tuning, options: { ...options, createIfMissing: false } };
    const engine = await openEngine(disk, setup, at);
    const contents = await contentsIn(engine, driver.history.keys);
    await engine.close();
    const bounds = { from: from.seen, to: (to ?? now).issued };
    if (driver.history.find(contents, bounds) < 0) {
      throw new Error(`the checkpoint is of no state from ${bounds.from} to ${bounds.to} units`);
    }
  } catch (error) {
    if (to === undefined && isEngineError(error)) return;
    throw error;
  }
}
