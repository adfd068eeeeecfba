/**
 * No caller can starve the event loop: timers fire on time during calls in an endless loop, because
 * answers from memory settle on the next turn once a turn has lasted a millisecond, and long work
 * is done in slices. On a slow disk, one read of an episode blocks, and no more.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../native-free-engine/api.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { openEngine } from "../../native-free-engine/index.ts";
import { openOn } from "../../native-free-engine/open.ts";
import { bestLateness } from "../support/loop-probe.ts";
import { ModelClock } from "../support/model-clock.ts";

/** Timers of 10 ms are at most that late in the best of a few tries. */
const bound = { ms: 30, tries: 6 };
const loadMs = 150;
const entries = 60_000;
const deleted = 400_000;
const megabyte = new Uint8Array(1 << 20);

const scratch = mkdtempSync(join(tmpdir(), "everwrite-fairness-"));
let engine: Engine;
let deletions: Engine;
let versions: Engine;

beforeAll(async () => {
  engine = await openEngine(join(scratch, "entries"));
  for (let from = 0; from < entries; from += 1000) {
    const value = "v".repeat(20);
    await engine.batch(namesFrom(from, 1000).map((key) => ({ type: "put", key, value })));
  }
  await engine.flush();
  for (let i = 0; i < 8; i++) await engine.put(`large-${i}`, megabyte);
  // Small memtables would be flushed and cleaned up: what is passed here stands in one.
  deletions = await openEngine(join(scratch, "deletions"), { memtableBytes: 64 << 20 });
  for (let from = 0; from < deleted; from += 1000) {
    const keys = Array.from({ length: 1000 }, (_, k) => nameOf(from + k));
    await deletions.batch(keys.map((key) => ({ type: "del", key })));
  }
  versions = await openEngine(join(scratch, "versions"), { memtableBytes: 64 << 20 });
  for (let i = 0; i < deleted; i += 1000) {
    const put = { type: "put" as const, key: "one", value: "" };
    await versions.batch(Array.from({ length: 1000 }, () => put));
  }
});

afterAll(async () => {
  await engine.close();
  await deletions.close();
  await versions.close();
  rmSync(scratch, { recursive: true, force: true });
});

describe("a timer fires on time", () => {
  const loops: Record<string, (i: number) => Promise<unknown>> = {
    "get of a key in a table": (i) => engine.get(nameOf(i % entries)),
    "get of an absent key": (i) => engine.get(`absent-${i}`),
    "get of a value of 1 MiB": (i) => engine.get(`large-${i % 8}`),
    has: (i) => engine.has(nameOf(i % entries)),
    "getMany of 100 keys": (i) => engine.getMany(namesFrom(i * 100, 100)),
    "getMany of 20,000 keys": (i) => engine.getMany(namesFrom(i * 1000, 20_000)),
    "getMany of values of 1 MiB": () =>
      engine.getMany(Array.from({ length: 64 }, (_, k) => `large-${k % 8}`)),
    put: (i) => engine.put(nameOf(i % entries), "again"),
    "put, synced": (i) => engine.put(nameOf(i % entries), "again", { sync: true }),
    "put of values of 1 MiB": (i) => engine.put(`large-${i % 8}`, megabyte),
    delete: (i) => engine.delete(`absent-${i}`),
    "batch of 1,000": (i) =>
      engine.batch(namesFrom(i * 1000, 1000).map((key) => ({ type: "put", key, value: "b" }))),
    "snapshot and scan of one entry": async (i) => {
      const snapshot = engine.snapshot();
      const scan = engine.scan({ snapshot, gte: nameOf(i % entries), limit: 1 });
      await scan.nextMany(1);
      await scan.close();
      await snapshot.close();
    },
  };
  for (const [name, call] of Object.entries(loops)) {
    test(`during for (;;) await ${name}`, async () => {
      const late = await bestLateness(async () => {
        const until = performance.now() + loadMs;
        for (let i = 0; performance.now() < until; i++) await call(i);
      }, bound);
      expect(late).toBeLessThanOrEqual(bound.ms);
    });
  }

  const many: Record<string, (i: number) => Promise<unknown>> = {
    put: (i) => engine.put(nameOf(i % entries), "many"),
    "scan 100 entries": async (i) => {
      const scan = engine.scan({ gte: nameOf(i % entries), limit: 100 });
      await scan.nextMany(100);
      await scan.close();
    },
  };
  test.each(Object.keys(many))("while many callers %s at once", async (name) => {
    const late = await bestLateness(async () => {
      const until = performance.now() + loadMs;
      const caller = async (from: number): Promise<void> => {
        for (let i = from; performance.now() < until; i++) await many[name]?.(i * 97);
      };
      await Promise.all(Array.from({ length: 128 }, (_, from) => caller(from)));
    }, bound);
    expect(late).toBeLessThanOrEqual(bound.ms);
  });

  const scans: Record<string, () => Promise<number>> = {
    "nextMany(1e6)": async () => (await engine.scan().nextMany(1e6)).length,
    "nextMany(1e6) backward": async () =>
      (await engine.scan({ reverse: true }).nextMany(1e6)).length,
    "nextMany(1e6) over values of 1 MiB": async () => {
      const large = await engine.scan({ gte: "large-", lt: "large-~" }).nextMany(1e6);
      return large.length * entries;
    },
    "for await": async () => {
      let count = 0;
      for await (const _ of engine.scan()) count += 1;
      return count;
    },
  };
  for (const [name, scan] of Object.entries(scans)) {
    test(`during a long scan by ${name}`, async () => {
      const late = await bestLateness(async () => {
        expect(await scan()).toBeGreaterThanOrEqual(entries);
      }, bound);
      expect(late).toBeLessThanOrEqual(bound.ms);
    });
  }

  for (const reverse of [false, true]) {
    test(`while a scan ${reverse ? "backward" : "forward"} passes deletions only`, async () => {
      const late = await bestLateness(async () => {
        expect(await deletions.scan({ reverse }).nextMany(10)).toEqual([]);
      }, bound);
      expect(late).toBeLessThanOrEqual(bound.ms);
    });

    test(`while a scan ${reverse ? "back" : "forward"} passes versions of one key`, async () => {
      const late = await bestLateness(async () => {
        expect(await versions.scan({ reverse }).nextMany(10)).toHaveLength(1);
      }, bound);
      expect(late).toBeLessThanOrEqual(bound.ms);
    });
  }
});

describe("the first look at a full memtable", () => {
  const firsts: Record<string, (engine: Engine) => Promise<unknown>> = {
    "a scan": (fresh) => fresh.scan().nextMany(1),
    "a scan backward": (fresh) => fresh.scan({ reverse: true }).nextMany(1),
    "a seek": (fresh) => {
      const scan = fresh.scan();
      scan.seek(nameOf(77));
      return scan.nextMany(1);
    },
  };
  for (const [name, first] of Object.entries(firsts)) {
    test(`by ${name} lets the loop turn, again and again`, async () => {
      const disk = new MemoryDisk();
      const clock = new ModelClock();
      const fresh = await openOn(
        { disk, clock, workers: inlineWorkers(disk, clock) },
        "/db",
        { memtableBytes: 64 << 20 },
        {
          memoryBytes: 1 << 28,
          newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }),
        },
      );
      for (let from = 0; from < entries; from += 1000) {
        const puts = namesFrom(from, 1000).map((key) => ({ type: "put" as const, key, value: "" }));
        await fresh.batch(puts);
      }
      // Each look at the clock takes a while by this clock, so that turns are soon over.
      clock.lookMs = 2;
      let turns = 0;
      let isOver = false;
      const turn = (): void => {
        turns += 1;
        if (!isOver) setImmediate(turn);
      };
      setImmediate(turn);
      await first(fresh);
      isOver = true;
      expect(turns).toBeGreaterThan(entries / 2048);
      await fresh.close();
    });
  }
});

describe("on a disk whose reads take 5 ms", () => {
  const reads: Record<string, (slow: Engine) => Promise<unknown>> = {
    get: async (slow) => {
      for (let i = 0; i < 50; i++) await slow.get(nameOf(i * 20));
    },
    has: async (slow) => {
      for (let i = 0; i < 50; i++) await slow.has(nameOf(i * 20));
    },
    getMany: (slow) => slow.getMany(namesFrom(0, 60)),
    "a scan": (slow) => slow.scan().nextMany(500),
    "a scan backward": (slow) => slow.scan({ reverse: true }).nextMany(500),
    "many gets at once": (slow) => Promise.all(namesFrom(0, 50).map((key) => slow.get(key))),
  };
  for (const [name, read] of Object.entries(reads)) {
    test(`${name} blocks the loop once`, async () => {
      const { slow, blockedMs, makeSlow } = await slowEngine();
      // Quick reads first, so that the engine thinks well of the disk.
      for (let i = 0; i < 20; i++) await slow.get(nameOf(i));
      makeSlow();
      await read(slow);
      expect(blockedMs()).toBeLessThanOrEqual(5);
      await slow.close();
    });
  }
});

/** An engine without a cache whose disk can be made slow, and what its slow reads held up. */
async function slowEngine() {
  const disk = new MemoryDisk();
  const clock = new ModelClock();
  let blocked = 0;
  const advance = clock.advance.bind(clock);
  clock.advance = (ms) => {
    blocked += ms;
    advance(ms);
  };
  const slow = await openOn(
    { disk, clock, workers: inlineWorkers(disk, clock) },
    "/db",
    { cacheBytes: 0 },
    {
      memoryBytes: 1 << 26,
      newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }),
      tuning: { blockBytes: 512 },
    },
  );
  for (const key of namesFrom(0, 1000)) await slow.put(key, "v".repeat(50));
  await slow.compact();
  return { slow, blockedMs: () => blocked, makeSlow: () => disk.slowReads(5, clock) };
}

function nameOf(i: number): string {
  return `key-${String(i).padStart(7, "0")}`;
}

function namesFrom(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, k) => nameOf((from + k) % entries));
}
