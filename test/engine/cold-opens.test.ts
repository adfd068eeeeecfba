/**
 * On a disk whose reads take long, one of them blocks the event loop, and no more: neither the
 * blocks nor the tails of tables that are opened for the first time.
 */
import { expect, test } from "vitest";
import type { Engine } from "../../native-free-engine/api.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import type { Disk, DiskFile } from "../../native-free-engine/disk/disk.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { openOn } from "../../native-free-engine/open.ts";
import { ModelClock } from "../support/model-clock.ts";

const readMs = 5;
const tables = 6;
const keyOf = (i: number) => `key${String(i).padStart(4, "0")}`;

test.each([
  ["gets", async (engine: Engine) => Promise.all(all((i) => engine.get(keyOf(i))))],
  ["getMany", async (engine: Engine) => engine.getMany(all(keyOf))],
  ["a scan", async (engine: Engine) => (await engine.scan().nextMany(1000)).map(([, v]) => v)],
  [
    "a scan backwards",
    async (engine: Engine) =>
      (await engine.scan({ reverse: true }).nextMany(1000)).map(([, v]) => v).reverse(),
  ],
  [
    "a scan from a key on",
    async (engine: Engine) => {
      const found = await engine.scan({ gte: keyOf(30) }).nextMany(1000);
      const before = await engine.getMany(all(keyOf).slice(0, 30));
      return [...before, ...found.map(([, value]) => value)];
    },
  ],
])("%s of tables not yet open block once", async (_, read) => {
  const { engine, counted } = await reopened();
  const values = await read(engine);
  expect(values.map((value) => Buffer.from(value!).toString())).toEqual(all((i) => `value ${i}`));
  // Opening is two reads in a row: the footer says where the rest begins.
  expect(counted.blocking).toBeLessThanOrEqual(2);
  expect(counted.awaited).toBeGreaterThanOrEqual(tables);
  await engine.close();
});

test("a close while tables are being opened leaves no file open", async () => {
  for (let steps = 0; steps < 60; steps += 4) {
    const { engine, counted } = await reopened();
    const scan = engine.scan();
    const settled = Promise.allSettled([engine.getMany(all(keyOf)), scan.nextMany(1000)]);
    for (let i = 0; i < steps; i++) await undefined;
    await engine.close();
    const [many] = await settled;
    expect(many.status, `${steps} steps before the close`).toBe("fulfilled");
    expect(counted.open.size, `${steps} steps before the close`).toBe(0);
  }
});

const all = <T>(of: (i: number) => T): T[] => Array.from({ length: 10 * tables }, (_, i) => of(i));

/** A database of several tables, opened anew on a disk that has become slow. */
async function reopened() {
  const disk = new MemoryDisk();
  const clock = new ModelClock();
  const counted = { blocking: 0, awaited: 0, open: new Set<DiskFile>(), isOn: false };
  const open = () => {
    const slow = slowed(disk, clock, counted);
    const world = { disk: slow, clock, workers: inlineWorkers(slow, clock) };
    const newIdentity = () => ({ databaseId: "00".repeat(16), hashSeed: 7 });
    return openOn(world, "/db", {}, { memoryBytes: 1 << 26, newIdentity });
  };
  const first = await open();
  for (let i = 0; i < 10 * tables; i++) {
    await first.put(keyOf(i), `value ${i}`);
    if (i % 10 === 9) await first.flush();
  }
  await first.close();
  const engine = await open();
  counted.isOn = true;
  return { engine, counted };
}

function slowed(
  disk: Disk,
  clock: ModelClock,
  counted: {
    blocking: number;
    awaited: number;
    readonly open: Set<DiskFile>;
    readonly isOn: boolean;
  },
): Disk {
  const slowFile = (file: DiskFile): DiskFile => {
    counted.open.add(file);
    return new Proxy(file, {
      get(target, name) {
        if (name === "closeSync") counted.open.delete(file);
        if (name === "readSync" || name === "read") {
          return (...args: Parameters<DiskFile["readSync"]>) => {
            if (counted.isOn) {
              if (name === "readSync") counted.blocking += 1;
              else counted.awaited += 1;
              clock.advance(readMs);
            }
            return target[name](...args);
          };
        }
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return new Proxy(disk, {
    get(target, name) {
      if (name === "openSync") {
        return (...args: Parameters<Disk["openSync"]>) => slowFile(target.openSync(...args));
      }
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
