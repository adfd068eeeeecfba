/**
 * Which table is newer, where no manifest says: trees as they grow from random writes, flushes and
 * compactions lose their manifests, and salvage must show what was written last. It may be wrong
 * only where it says that the order was inferred.
 */
import { expect, test } from "vitest";
import { MemoryDisk } from "../../../native-free-engine/disk/memory-disk.ts";
import type { LsmEngine } from "../../../native-free-engine/engine.ts";
import { salvageOn } from "../../../native-free-engine/salvage.ts";
import { type Aged, orderByAge } from "../../../native-free-engine/salvage-order.ts";
import { filesOf } from "../../support/damage-samples.ts";
import { pick, randomFrom, seed } from "../../support/random.ts";
import { directory, newIdentity, openStill, stillClock } from "../../support/still-world.ts";

test("contents survive the loss of every manifest, as long as no order was inferred", async () => {
  let certain = 0;
  for (let run = 0; run < 60; run++) {
    const random = randomFrom(seed + run);
    const disk = new MemoryDisk();
    disk.makeDirectorySync(directory);
    const engine = await openStill(disk);
    const contents = await writeTree(engine, random);
    const left = disk.clone();
    for (const { file, kind } of filesOf(left)) {
      if (kind === "manifest" || kind === "current") left.removeSync(`${directory}/${file}`);
    }
    const { orderInferred } = await salvageOn(left, stillClock, directory, newIdentity);
    if (orderInferred) continue;
    certain += 1;
    expect(await contentsOf(left), `SEED=${seed + run}`).toEqual(contents);
  }
  expect(certain).toBeGreaterThan(20);
});

test("what came later is newer, whatever the levels say", () => {
  const moved = aged({ number: 5, level: 0, sequences: [0, 100] });
  const merged = aged({ number: 9, level: 1, sequences: [100, 300] });
  expect(orderOf([moved, merged])).toEqual({ numbers: [9, 5], inferred: false });
});

test("of tables whose sequences meet, the one written for a shallower level is newer", () => {
  const shallow = aged({ number: 7, level: 1, sequences: [150, 200] });
  const deep = aged({ number: 9, level: 2, sequences: [0, 300] });
  expect(orderOf([deep, shallow])).toEqual({ numbers: [7, 9], inferred: true });
});

test("tables that have no key in common make one run", () => {
  const first = aged({ number: 3, level: 2, sequences: [0, 50], keys: ["a", "c"] });
  const second = aged({ number: 4, level: 0, sequences: [50, 60], keys: ["d", "f"] });
  const { runs, inferred } = orderByAge([second, first]);
  expect(runs.map((run) => run.map(({ number }) => number))).toEqual([[3, 4]]);
  expect(inferred).toBe(false);
});

/** Stretches of keys, so that tables are often disjoint and move down as they are. */
async function writeTree(
  engine: LsmEngine,
  random: () => number,
): Promise<ReadonlyMap<string, string>> {
  const contents = new Map<string, string>();
  for (let round = 0; round < 12; round++) {
    const from = pick(random, 60);
    for (let i = from; i < from + 1 + pick(random, 20); i++) {
      const key = `key ${String(i).padStart(3, "0")}`;
      if (pick(random, 5) === 0) {
        await engine.delete(key);
        contents.delete(key);
      } else {
        await engine.put(key, `${round}`);
        contents.set(key, `${round}`);
      }
    }
    if (pick(random, 2) === 0) await engine.flush();
    if (pick(random, 3) === 0) await engine.compact(rangeOf(random));
  }
  return contents;
}

function rangeOf(random: () => number) {
  const from = pick(random, 60);
  const key = (i: number) => `key ${String(i).padStart(3, "0")}`;
  return { gte: key(from), lt: key(from + pick(random, 30)) };
}

async function contentsOf(disk: MemoryDisk): Promise<ReadonlyMap<string, string>> {
  const engine = await openStill(disk);
  const found = new Map<string, string>();
  for await (const [key, value] of engine.scan()) {
    found.set(Buffer.from(key).toString(), Buffer.from(value).toString());
  }
  await engine.close();
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function aged(about: {
  readonly number: number;
  readonly level: number;
  readonly sequences: readonly [number, number];
  readonly keys?: readonly [string, string];
}): Aged {
  const { number, level, sequences, keys = ["a", "z"] } = about;
  const meta = {
    number,
    bytes: 1000,
    smallest: Buffer.from(keys[0]),
    largest: Buffer.from(keys[1]),
    entries: 10,
    tombstones: 0,
    minSequence: sequences[0],
    maxSequence: sequences[1],
    firstExpiry: 0,
  };
  return { meta, number, level, isKnown: true };
}

function orderOf(tables: readonly Aged[]) {
  const { runs, inferred } = orderByAge(tables);
  return { numbers: runs.flat().map(({ number }) => number), inferred };
}
