/** Reads of the model test: point reads and scans, of the present and of snapshots. */
import type { Range } from "../../native-free-engine/api.ts";
import type { ModelDriver, OpenScan } from "./model-driver.ts";
import { bytesOf, pairsIn, type ScanAsked, type Sight, shown, valueIn } from "./model-oracle.ts";
import { input, issuePut, type Random, scribble, settle } from "./model-writes.ts";
import { pick } from "./random.ts";

export async function get(driver: ModelDriver, random: Random): Promise<void> {
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

export async function getMany(driver: ModelDriver, random: Random): Promise<void> {
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

export async function has(driver: ModelDriver, random: Random): Promise<void> {
  const { snapshot, sight } = viewBy(driver, random);
  const key = askedKey(driver, random);
  const answer = await driver.engine.has(bytesOf(key), { snapshot });
  if (answer !== (valueIn(sight, key) !== undefined))
    throw new Error(`has ${shown(key)}: ${answer}`);
}

export async function getWhileWriting(driver: ModelDriver, random: Random): Promise<void> {
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

export async function scan(driver: ModelDriver, random: Random): Promise<void> {
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

export function openScan(driver: ModelDriver, random: Random): void {
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

export async function readScan(driver: ModelDriver, random: Random): Promise<void> {
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

export function seekScan(driver: ModelDriver, random: Random): void {
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

export async function closeScan(driver: ModelDriver, random: Random): Promise<void> {
  const [open] = driver.scans.splice(pick(random, driver.scans.length), 1);
  await open?.scan.close();
  await open?.scan.close();
}

export function takeSnapshot(driver: ModelDriver): void {
  if (!driver.makeRoomIn(driver.snapshots)) return;
  driver.snapshots.push({ snapshot: driver.engine.snapshot(), sight: driver.present });
}

export async function closeSnapshot(driver: ModelDriver, random: Random): Promise<void> {
  const [open] = driver.snapshots.splice(pick(random, driver.snapshots.length), 1);
  await open?.snapshot.close();
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

export function askedBy(driver: ModelDriver, random: Random): ScanAsked {
  const asked: { -readonly [Name in keyof ScanAsked]: ScanAsked[Name] } = {};
  if (pick(random, 2) === 0) asked[pick(random, 2) === 0 ? "gt" : "gte"] = askedKey(driver, random);
  if (pick(random, 2) === 0) asked[pick(random, 2) === 0 ? "lt" : "lte"] = askedKey(driver, random);
  if (pick(random, 2) === 0) asked.reverse = true;
  return asked;
}

export function rangeOf({ gt, gte, lt, lte }: ScanAsked): Range {
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

const none = new Uint8Array(0);
