/**
 * The operations of the model test. Each does one thing to the engine, does the same to the
 * oracle, and compares. All their choices come from their own seed, so that an operation means the
 * same when others before it are left out.
 */
import type { BatchOperation, BytesInput, Range } from "../../native-free-engine/api.ts";
import { destroyOn } from "../../native-free-engine/destroy.ts";
import type { Issued, ModelDriver, OpenScan } from "./model-driver.ts";
import {
  bytesOf,
  type Change,
  pairsIn,
  type ScanAsked,
  type Sight,
  type Stored,
  shown,
  valueIn,
} from "./model-oracle.ts";
import { pick } from "./random.ts";

type Random = () => number;
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
  get,
  getMany,
  has,
  getWhileWriting,
  scan,
  openScan,
  readScan,
  seekScan,
  closeScan,
  snapshot: takeSnapshot,
  closeSnapshot,
  async flush(driver) {
    await driver.engine.flush();
    driver.markDurable();
  },
  async compact(driver, random) {
    await driver.engine.compact(rangeOf(askedBy(driver, random)));
    driver.markDurable();
  },
  compactBeside(driver, random) {
    if (!driver.makeRoomIn(driver.asides)) return;
    const compacting = driver.engine.compact(rangeOf(askedBy(driver, random)));
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

function issuePut(driver: ModelDriver, random: Random, ttlMs?: number): Issued {
  const key = driver.preset.key(random);
  const stored = storedBy(driver, random, ttlMs);
  const sync = pick(random, 8) === 0;
  const bytes = input(key, random);
  const value = stored.value.slice();
  const promise = driver.engine.put(bytes, value, {
    sync: sync || undefined,
    ttlMs,
  });
  scribble(bytes, value);
  return { changes: [{ key, stored }], promise, sync };
}

function issueDelete(driver: ModelDriver, random: Random): Issued {
  const key = driver.preset.key(random);
  const sync = pick(random, 8) === 0;
  const bytes = input(key, random);
  const promise = driver.engine.delete(bytes, { sync: sync || undefined });
  scribble(bytes);
  return { changes: [{ key, stored: undefined }], promise, sync };
}

function issueBatch(driver: ModelDriver, random: Random): Issued {
  const changes: Change[] = [];
  const batch: BatchOperation[] = [];
  const buffers: BytesInput[] = [];
  for (let left = pick(random, 12); left > 0; left--) {
    const key = driver.preset.key(random);
    const bytes = input(key, random);
    buffers.push(bytes);
    if (pick(random, 3) === 0) {
      changes.push({ key, stored: undefined });
      batch.push({ type: "del", key: bytes });
      continue;
    }
    const ttlMs = pick(random, 6) === 0 ? ttl(random) : undefined;
    const stored = storedBy(driver, random, ttlMs);
    const value = stored.value.slice();
    buffers.push(value);
    changes.push({ key, stored });
    batch.push({ type: "put", key: bytes, value, ttlMs });
  }
  const sync = changes.length > 0 && pick(random, 4) === 0;
  const promise = driver.engine.batch(batch, { sync: sync || undefined });
  scribble(...buffers);
  batch.length = 0;
  return { changes, promise, sync };
}

function issueSome(driver: ModelDriver, random: Random): Issued[] {
  return Array.from({ length: pick(random, 20) }, () => {
    const kind = pick(random, 10);
    if (kind < 2) return issueDelete(driver, random);
    if (kind < 4) return issueBatch(driver, random);
    return issuePut(driver, random, kind === 4 ? ttl(random) : undefined);
  });
}

/** Writes nobody has waited for, at some moment of their way to the disk. */
async function inFlight(driver: ModelDriver, random: Random): Promise<Issued[]> {
  const issued = issueSome(driver, random);
  for (let ticks = pick(random, 6); ticks > 0; ticks--) await undefined;
  if (pick(random, 3) === 0) await driver.clock.sleep(0);
  return issued;
}

async function settle(driver: ModelDriver, issued: Issued): Promise<void> {
  await issued.promise;
  driver.acknowledge(issued);
}

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

async function get(driver: ModelDriver, random: Random): Promise<void> {
  const { snapshot, sight } = viewBy(driver, random);
  for (let left = 1 + pick(random, 4); left > 0; left--) {
    const key = askedKey(driver, random);
    const bytes = input(key, random);
    const wanted = valueIn(sight, key);
    const answer = driver.engine.get(bytes, { snapshot });
    scribble(bytes);
    const value = await answer;
    driver.expectValue(value, wanted, `get ${shown(key)}`);
    driver.expectValue(driver.engine.getSync(bytesOf(key), { snapshot }), wanted, "getSync");
    if (value !== undefined && wanted !== undefined) driver.keep(value, wanted);
  }
}

async function getMany(driver: ModelDriver, random: Random): Promise<void> {
  const { snapshot, sight } = viewBy(driver, random);
  const count = pick(random, 10) === 0 ? 300 : pick(random, 20);
  const keys = Array.from({ length: count }, () => askedKey(driver, random));
  const asked = driver.engine.getMany(keys.map(bytesOf), { snapshot });
  // The answer is of the moment of the call.
  const racing = issuePut(driver, random);
  const values = await asked;
  await settle(driver, racing);
  for (const [i, key] of keys.entries()) {
    driver.expectValue(values[i], valueIn(sight, key), `getMany ${shown(key)}`);
  }
}

async function has(driver: ModelDriver, random: Random): Promise<void> {
  const { snapshot, sight } = viewBy(driver, random);
  const key = askedKey(driver, random);
  const answer = await driver.engine.has(bytesOf(key), { snapshot });
  if (answer !== (valueIn(sight, key) !== undefined))
    throw new Error(`has ${shown(key)}: ${answer}`);
}

async function getWhileWriting(driver: ModelDriver, random: Random): Promise<void> {
  const issued = issuePut(driver, random);
  await issued.promise;
  const { key, stored } = issued.changes[0]!;
  const answer = driver.engine.get(bytesOf(key));
  const erased = driver.engine.delete(bytesOf(key));
  driver.expectValue(await answer, stored!.value, `get ${shown(key)} before its deletion`);
  await erased;
  driver.acknowledge(issued);
  const changes = [{ key, stored: undefined }];
  driver.acknowledge({ changes, promise: erased, sync: false });
}

async function scan(driver: ModelDriver, random: Random): Promise<void> {
  const { snapshot, sight } = viewBy(driver, random);
  const asked = askedBy(driver, random);
  const limit = pick(random, 3) === 0 ? pick(random, 20) : -1;
  const wanted = pairsIn(sight, asked).slice(0, limit < 0 ? undefined : limit);
  const values = pick(random, 4) > 0;
  const { reverse } = asked;
  const opened = driver.engine.scan({ ...rangeOf(asked), reverse, limit, snapshot, values });
  const pairs = [];
  for await (const pair of opened) pairs.push(pair);
  const shownValues = wanted.map(([key, value]) => [key, values ? value : none] as const);
  driver.expectPairs(pairs, shownValues, `scan ${describe(asked)}`);
}

function openScan(driver: ModelDriver, random: Random): void {
  if (!driver.makeRoomIn(driver.scans)) return;
  const { snapshot, sight } = viewBy(driver, random);
  const asked = askedBy(driver, random);
  const limit = pick(random, 3) === 0 ? pick(random, 40) : -1;
  const all = pairsIn(sight, asked);
  const { reverse } = asked;
  const opened = driver.engine.scan({ ...rangeOf(asked), reverse, limit, snapshot });
  const left = limit < 0 ? Number.POSITIVE_INFINITY : limit;
  driver.scans.push({ scan: opened, asked, all, rest: all, left });
}

async function readScan(driver: ModelDriver, random: Random): Promise<void> {
  const open = driver.anyOf(driver.scans, random);
  if (open === undefined) return;
  const count = 1 + pick(random, 30);
  const pairs = await open.scan.nextMany(count);
  const wanted = open.rest.slice(0, Math.min(count, open.left));
  driver.expectPairs(pairs, wanted, `nextMany(${count}) of ${describe(open.asked)}`);
  for (const [i, [, value]] of pairs.entries()) driver.keep(value, wanted[i]![1]);
  open.rest = open.rest.slice(wanted.length);
  open.left -= wanted.length;
}

function seekScan(driver: ModelDriver, random: Random): void {
  const open: OpenScan | undefined = driver.anyOf(driver.scans, random);
  if (open === undefined) return;
  const target = askedKey(driver, random);
  const bytes = input(target, random);
  open.scan.seek(bytes);
  scribble(bytes);
  const from = open.all.findIndex(([key]) =>
    open.asked.reverse === true ? key <= target : key >= target,
  );
  open.rest = from < 0 ? [] : open.all.slice(from);
}

async function closeScan(driver: ModelDriver, random: Random): Promise<void> {
  const [open] = driver.scans.splice(pick(random, driver.scans.length), 1);
  await open?.scan.close();
  await open?.scan.close();
}

function takeSnapshot(driver: ModelDriver): void {
  if (!driver.makeRoomIn(driver.snapshots)) return;
  driver.snapshots.push({ snapshot: driver.engine.snapshot(), sight: driver.present });
}

async function closeSnapshot(driver: ModelDriver, random: Random): Promise<void> {
  const [open] = driver.snapshots.splice(pick(random, driver.snapshots.length), 1);
  await open?.snapshot.close();
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

/** The present, or one of the snapshots. */
function viewBy(driver: ModelDriver, random: Random) {
  const held = pick(random, 2) === 0 ? driver.anyOf(driver.snapshots, random) : undefined;
  const sight: Sight = held?.sight ?? driver.present;
  return { snapshot: held?.snapshot, sight };
}

/** A key in play, or one close to it. */
function askedKey(driver: ModelDriver, random: Random): string {
  const key = driver.preset.key(random);
  switch (pick(random, 12)) {
    case 0:
      return key.slice(0, pick(random, key.length + 1));
    case 1:
      return key.length < 65536 ? `${key}\0` : key;
    case 2:
      return key.length < 65536 ? `${key}\xff` : key;
    case 3:
      return pick(random, 2) === 0 ? "" : "\xff\xff";
    default:
      return key;
  }
}

function askedBy(driver: ModelDriver, random: Random): ScanAsked {
  const asked: { -readonly [Name in keyof ScanAsked]: ScanAsked[Name] } = {};
  if (pick(random, 2) === 0) asked[pick(random, 2) === 0 ? "gt" : "gte"] = askedKey(driver, random);
  if (pick(random, 2) === 0) asked[pick(random, 2) === 0 ? "lt" : "lte"] = askedKey(driver, random);
  if (pick(random, 2) === 0) asked.reverse = true;
  return asked;
}

function rangeOf({ gt, gte, lt, lte }: ScanAsked): Range {
  return {
    ...(gt === undefined ? {} : { gt: bytesOf(gt) }),
    ...(gte === undefined ? {} : { gte: bytesOf(gte) }),
    ...(lt === undefined ? {} : { lt: bytesOf(lt) }),
    ...(lte === undefined ? {} : { lte: bytesOf(lte) }),
  };
}

function describe(asked: ScanAsked): string {
  const bounds = (["gt", "gte", "lt", "lte"] as const)
    .filter((name) => asked[name] !== undefined)
    .map((name) => `${name} ${shown(asked[name])}`);
  return [...bounds, asked.reverse === true ? "backward" : "forward"].join(", ");
}

function storedBy(driver: ModelDriver, random: Random, ttlMs: number | undefined): Stored {
  const value = new Uint8Array(Math.floor(driver.preset.valueBytes(random)));
  if (driver.preset.compressible === true && pick(random, 2) === 0) {
    value.fill(pick(random, 256));
  } else {
    const salt = Math.floor(random() * 2 ** 32);
    for (let i = 0; i < value.length; i++) value[i] = Math.imul(salt + i, 0x9e3779b1) >>> 24;
  }
  const expiry = ttlMs === undefined ? Number.POSITIVE_INFINITY : driver.clock.now() + ttlMs;
  return { value, expiry };
}

function ttl(random: Random): number {
  return pick(random, 3) === 0 ? 1 + pick(random, 5) : 1 + pick(random, 2000);
}

/** As text where it can be text. */
function input(key: string, random: Random): BytesInput {
  const isAscii = !/[^\x00-\x7f]/.test(key);
  return isAscii && pick(random, 2) === 0 ? key : bytesOf(key);
}

/** What callers do with their buffers after a call is their business. */
function scribble(...inputs: BytesInput[]): void {
  for (const bytes of inputs) if (typeof bytes !== "string") bytes.fill(0xee);
}

const none = new Uint8Array(0);
