/**
 * The operations of the model test. Each does one thing to the engine, does the same to the
 * oracle, and compares. All their choices come from their own seed, so that an operation means the
 * same when others before it are left out.
 */
import { destroyOn } from "../../native-free-engine/destroy.ts";
import type { ModelDriver } from "./model-driver.ts";
import { bytesOf, shown, valueIn } from "./model-oracle.ts";
import * as reads from "./model-reads.ts";
import {
  inFlight,
  issueBatch,
  issueDelete,
  issuePut,
  issueSome,
  type Random,
  settle,
  ttl,
} from "./model-writes.ts";
import { pick } from "./random.ts";

type Operation = (driver: ModelDriver, random: Random) => Promise<void> | void;

/** How often each comes, unless a preset says otherwise. */
export const usualWeights: Readonly<Record<string, number>> = {
  put: 60,
  delete: 15,
  expiring: 5,
  batch: 12,
  burst: 10,
  advance: 4,
  get: 20,
  getMany: 6,
  has: 4,
  getWhileWriting: 6,
  scan: 10,
  openScan: 5,
  readScan: 20,
  seekScan: 5,
  closeScan: 2,
  snapshot: 3,
  closeSnapshot: 2,
  flush: 3,
  compact: 2,
  compactBeside: 2,
  idle: 2,
  checkpoint: 1,
  openReader: 1,
  closeReader: 1,
  compareAll: 1,
  reopen: 1.5,
  reopenInFlight: 1,
  kill: 1.5,
  power: 1.5,
};

export const operations: Readonly<Record<string, Operation>> = {
  put: (driver, random) => settle(driver, issuePut(driver, random)),
  delete: (driver, random) => settle(driver, issueDelete(driver, random)),
  expiring: (driver, random) => settle(driver, issuePut(driver, random, ttl(random))),
  batch: (driver, random) => settle(driver, issueBatch(driver, random)),
  burst,
  advance: (driver, random) => driver.clock.advanceWall(1 + pick(random, 400)),
  get: reads.get,
  getMany: reads.getMany,
  has: reads.has,
  getWhileWriting: reads.getWhileWriting,
  scan: reads.scan,
  openScan: reads.openScan,
  readScan: reads.readScan,
  seekScan: reads.seekScan,
  closeScan: reads.closeScan,
  snapshot: reads.takeSnapshot,
  closeSnapshot: reads.closeSnapshot,
  async flush(driver) {
    await driver.engine.flush();
    driver.markDurable();
  },
  async compact(driver, random) {
    await driver.engine.compact(reads.rangeOf(reads.askedBy(driver, random)));
    driver.markDurable();
  },
  compactBeside(driver, random) {
    if (!driver.makeRoomIn(driver.asides)) return;
    const compacting = driver.engine.compact(reads.rangeOf(reads.askedBy(driver, random)));
    compacting.catch(() => {});
    driver.asides.push(compacting);
  },
  idle: (driver, random) => driver.clock.sleep(1 + pick(random, 200)),
  checkpoint: copyAndCompare,
  async openReader(driver) {
    if (!driver.makeRoomIn(driver.readers)) return;
    const engine = await driver.openAt("/db", { readOnly: true });
    driver.readers.push({ engine, state: driver.state });
  },
  async closeReader(driver, random) {
    const [reader] = driver.readers.splice(pick(random, driver.readers.length), 1);
    await reader?.engine.close();
  },
  async compareAll(driver) {
    await driver.compareAll();
    await driver.settleAsides();
  },
  reopen: (driver) => driver.reopen([]),
  reopenInFlight: (driver, random) => driver.reopen(issueSome(driver, random)),
  async kill(driver, random) {
    const unanswered = await inFlight(driver, random);
    await driver.crash({ survival: 1, random }, unanswered);
  },
  async power(driver, random) {
    const unanswered = await inFlight(driver, random);
    await driver.crash({ survival: [0, 0.5, 0.9][pick(random, 3)]!, random }, unanswered);
  },
};

/** Many writes at once; whoever reads meanwhile sees for each key some state on the way. */
async function burst(driver: ModelDriver, random: Random): Promise<void> {
  const issued = issueSome(driver, random);
  if (pick(random, 2) === 0) await undefined;
  const key = driver.preset.key(random);
  const seen = driver.engine.getSync(bytesOf(key));
  const possible = [valueIn(driver.present, key)];
  for (const change of issued.flatMap((one) => one.changes)) {
    if (change.key === key) possible.push(change.stored?.value);
  }
  if (!possible.some((value) => shown(value) === shown(seen))) {
    throw new Error(`getSync in a burst: ${shown(key)} is ${shown(seen)}, which nobody wrote`);
  }
  for (const one of issued) await settle(driver, one);
}

async function copyAndCompare(driver: ModelDriver, random: Random): Promise<void> {
  const directory = driver.freshDirectory();
  const copying = driver.engine.checkpoint(directory);
  const state = driver.state;
  const racing = pick(random, 2) === 0 ? issuePut(driver, random) : undefined;
  await copying;
  if (racing !== undefined) await settle(driver, racing);
  const copy = await driver.openAt(directory, {});
  const time = driver.clock.now();
  const states = racing === undefined ? [state] : [state, driver.state];
  // A write that was asked for in the same moment is in the copy or not.
  try {
    await driver.compareWith(copy, { state: states[0]!, time });
  } catch (error) {
    if (states.length === 1) throw error;
    await driver.compareWith(copy, { state: states[1]!, time });
  }
  await copy.close();
  await destroyOn(driver.disk, directory);
}
