/**
 * Limits at the door: every refusal says the value and the bound, comes as a rejection, and leaves
 * the engine as it was. What is taken is the caller's bytes at the moment of the call.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Engine, EngineOptions } from "../../native-free-engine/api.ts";
import { batchBytesMax, keyBytesMax, valueBytesMax } from "../../native-free-engine/base/limits.ts";
import { inlineWorkers } from "../../native-free-engine/compaction/workers.ts";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import { openOn } from "../../native-free-engine/open.ts";
import type { Tuning } from "../../native-free-engine/options.ts";
import { ModelClock } from "../support/model-clock.ts";

let disk: MemoryDisk;
let clock: ModelClock;
let engine: Engine;

function open(
  options: EngineOptions = {},
  where: { readonly directory?: string; readonly tuning?: Partial<Tuning> } = {},
): Promise<Engine> {
  return openOn(
    { disk, clock, workers: inlineWorkers(disk, clock) },
    where.directory ?? "/db",
    options,
    {
      memoryBytes: 1 << 26,
      newIdentity: () => ({ databaseId: "00".repeat(16), hashSeed: 7 }),
      ...(where.tuning === undefined ? {} : { tuning: where.tuning }),
    },
  );
}

beforeEach(async () => {
  disk = new MemoryDisk();
  clock = new ModelClock();
  engine = await open();
});

afterEach(() => engine.close());

const refusal = (code: string, ...said: (string | number)[]) =>
  expect.objectContaining({
    name: "EngineError",
    code,
    message: expect.stringMatching(new RegExp(said.join(".*"))),
  });

describe("keys", () => {
  test.each([0, 1, 39, 40, 41, 255, 256, 65535, 65536])("of %i bytes come back", async (length) => {
    const key = new Uint8Array(length).fill(0x6b);
    await engine.put(key, "v");
    await engine.flush();
    expect(text(await engine.get(key))).toBe("v");
    expect(text(engine.getSync("k".repeat(length)))).toBe("v");
    const [pair] = await engine.scan().nextMany(2);
    expect(Buffer.compare(pair![0], key)).toBe(0);
    await engine.delete(key);
    expect(await engine.has(key)).toBe(false);
  });

  test("of one byte too many are refused by every method", async () => {
    for (const key of [new Uint8Array(keyBytesMax + 1), "k".repeat(keyBytesMax + 1)]) {
      const refused = refusal("KEY_TOO_LARGE", keyBytesMax + 1, keyBytesMax);
      await expect(engine.get(key)).rejects.toEqual(refused);
      await expect(engine.has(key)).rejects.toEqual(refused);
      await expect(engine.getMany(["fine", key])).rejects.toEqual(refused);
      await expect(engine.put(key, "v")).rejects.toEqual(refused);
      await expect(engine.delete(key)).rejects.toEqual(refused);
      await expect(engine.batch([{ type: "del", key }])).rejects.toEqual(refused);
      expect(() => engine.getSync(key)).toThrow(refused);
      expect(() => engine.scan({ gte: key })).toThrow(refused);
      await expect(engine.compact({ lt: key })).rejects.toEqual(refused);
    }
  });

  test("count in bytes, not in characters", async () => {
    const longest = "é".repeat(keyBytesMax / 2);
    await engine.put(longest, "v");
    expect(text(await engine.get(Buffer.from(longest)))).toBe("v");
    await expect(engine.put(`${longest}é`, "v")).rejects.toEqual(
      refusal("KEY_TOO_LARGE", keyBytesMax + 2, keyBytesMax),
    );
  });

  test("that are no text are refused as text", async () => {
    await expect(engine.put("\ud800", "v")).rejects.toEqual(refusal("KEY_ENCODING", "surrogate"));
    await expect(engine.get("a\udc00")).rejects.toEqual(refusal("KEY_ENCODING", "surrogate"));
  });
});

describe("values", () => {
  test.each([0, 1, 4095, 4096, 65536, (1 << 20) + 1, valueBytesMax])(
    "of %i bytes come back",
    async (length) => {
      const value = new Uint8Array(length);
      for (let i = 0; i < length; i += 997) value[i] = i >>> 3;
      await engine.put("k", value);
      expect(Buffer.compare((await engine.get("k"))!, value)).toBe(0);
      await engine.flush();
      expect(Buffer.compare(engine.getSync("k")!, value)).toBe(0);
      const [pair] = await engine.scan().nextMany(1);
      expect(Buffer.compare(pair![1], value)).toBe(0);
    },
  );

  test("of one byte too many are refused", async () => {
    const value = new Uint8Array(valueBytesMax + 1);
    const refused = refusal("VALUE_TOO_LARGE", valueBytesMax + 1, valueBytesMax);
    await expect(engine.put("k", value)).rejects.toEqual(refused);
    await expect(engine.batch([{ type: "put", key: "k", value }])).rejects.toEqual(refused);
    expect(await engine.get("k")).toBeUndefined();
  });
});

describe("batches", () => {
  test("over the limit are refused whole", async () => {
    const value = new Uint8Array(valueBytesMax);
    const batch = Array.from({ length: 9 }, (_, i) => ({
      type: "put" as const,
      key: `${i}`,
      value,
    }));
    const said = refusal("BATCH_TOO_LARGE", batchBytesMax);
    await expect(engine.batch(batch)).rejects.toEqual(said);
    expect(await engine.scan().nextMany(1)).toEqual([]);
  });

  test("with one bad operation change nothing", async () => {
    const good = { type: "put" as const, key: "good", value: "v" };
    for (const bad of [{ type: "get", key: "k" }, { type: "put", key: "k" }, null, 7]) {
      await expect(engine.batch([good, bad as never])).rejects.toThrow(TypeError);
    }
    expect(await engine.get("good")).toBeUndefined();
  });

  test("without operations succeed", async () => {
    await engine.batch([]);
    await engine.batch([], { sync: true });
  });
});

describe("wrong types", () => {
  const wrong: unknown[] = [undefined, null, 7, {}, [], new ArrayBuffer(1), new Uint16Array(1)];

  test.each(wrong)("%s is neither key nor value", async (input) => {
    const bad = input as string;
    await expect(engine.get(bad)).rejects.toThrow(TypeError);
    await expect(engine.has(bad)).rejects.toThrow(TypeError);
    await expect(engine.getMany([bad])).rejects.toThrow(TypeError);
    await expect(engine.put(bad, "v")).rejects.toThrow(TypeError);
    await expect(engine.put("k", bad)).rejects.toThrow(TypeError);
    await expect(engine.delete(bad)).rejects.toThrow(TypeError);
    expect(() => engine.getSync(bad)).toThrow(TypeError);
    expect(await engine.scan().nextMany(1)).toEqual([]);
  });

  test.each([undefined, null, 7, {}, "keys"])("%s is no list", async (input) => {
    await expect(engine.getMany(input as never)).rejects.toThrow(TypeError);
    await expect(engine.batch(input as never)).rejects.toThrow(TypeError);
  });

  test.each([0, -1, Number.NaN, 1e15, "7", null])("a ttl of %s is refused", async (ttlMs) => {
    const refused = typeof ttlMs === "number" ? { code: "TTL_INVALID" } : { name: "TypeError" };
    await expect(engine.put("k", "v", { ttlMs: ttlMs as number })).rejects.toMatchObject(refused);
  });

  test.each([0, -1, 1.5, "7", undefined])("nextMany(%s) is refused", async (count) => {
    await expect(engine.scan().nextMany(count as number)).rejects.toThrow(TypeError);
  });

  test.each([-2, 1.5, "7", null])("a limit of %s is refused", (limit) => {
    expect(() => engine.scan({ limit: limit as number })).toThrow(TypeError);
  });
});

describe("options", () => {
  const bad: [keyof EngineOptions, unknown][] = [
    ["memtableBytes", 1023],
    ["memtableBytes", 2 ** 28],
    ["memtableBytes", 1e6 + 0.5],
    ["memtableBytes", "1024"],
    ["cacheBytes", -1],
    ["cacheBytes", 2 ** 31],
    ["createIfMissing", "yes"],
    ["errorIfExists", 1],
    ["readOnly", null],
    ["workers", 2],
    ["durability", "never"],
    ["compression", "snappy"],
    ["compression", []],
    ["compression", ["none", "lz4"]],
  ];
  test.each(bad)("%s: %j is refused by name", async (name, value) => {
    await expect(open({ [name]: value }, { directory: "/other" })).rejects.toEqual(
      refusal("OPTION_INVALID", name),
    );
    expect(disk.existsSync("/other")).toBe(false);
  });

  test("that are no object are refused, and so is a location that is no path", async () => {
    await expect(open(7 as never)).rejects.toThrow(TypeError);
    await expect(open({}, { directory: "" })).rejects.toThrow(TypeError);
  });
});

describe("the caller's buffers", () => {
  test("may change as soon as a call has returned", async () => {
    const key = Buffer.from("key");
    const value = Buffer.from("value");
    const writing = engine.put(key, value);
    key.fill(0);
    value.fill(0);
    await writing;
    expect(text(await engine.get("key"))).toBe("value");
  });

  test("may change also while the write is held back", async () => {
    await engine.close();
    engine = await open({ memtableBytes: 1 << 10 }, { tuning: { sealedMax: 1 } });
    const key = new Uint8Array(8);
    const value = new Uint8Array(300);
    const writes: Promise<void>[] = [];
    for (let i = 0; i < 40; i++) {
      key.fill(i);
      value.fill(i);
      const operation = { type: "put" as const, key, value };
      writes.push(i % 3 === 0 ? engine.batch([operation]) : engine.put(key, value));
    }
    key.fill(0xff);
    value.fill(0xff);
    await Promise.all(writes);
    for (let i = 0; i < 40; i++) {
      const found = await engine.get(new Uint8Array(8).fill(i));
      expect(Buffer.compare(found!, new Uint8Array(300).fill(i))).toBe(0);
    }
    expect(await engine.has(key)).toBe(false);
  });

  test("that a read returned are the caller's", async () => {
    await engine.put("k", "value");
    (await engine.get("k"))!.fill(0);
    expect(text(await engine.get("k"))).toBe("value");
    await engine.flush();
    engine.getSync("k")!.fill(0);
    expect(text(engine.getSync("k"))).toBe("value");
  });
});

describe("what is closed stays closed", () => {
  test("every method of a closed engine rejects, and close may be called again", async () => {
    const scan = engine.scan();
    const snapshot = engine.snapshot();
    await engine.close();
    await engine.close();
    const closed = refusal("CLOSED");
    await expect(engine.get("k")).rejects.toEqual(closed);
    await expect(engine.has("k")).rejects.toEqual(closed);
    await expect(engine.getMany(["k"])).rejects.toEqual(closed);
    await expect(engine.put("k", "v")).rejects.toEqual(closed);
    await expect(engine.delete("k")).rejects.toEqual(closed);
    await expect(engine.batch([])).rejects.toEqual(closed);
    await expect(engine.flush()).rejects.toEqual(closed);
    await expect(engine.compact()).rejects.toEqual(closed);
    await expect(engine.checkpoint("/copy")).rejects.toEqual(closed);
    await expect(scan.nextMany(1)).rejects.toEqual(closed);
    expect(() => engine.getSync("k")).toThrow(closed);
    expect(() => engine.scan()).toThrow(closed);
    expect(() => engine.snapshot()).toThrow(closed);
    await scan.close();
    await snapshot.close();
  });

  test("snapshots and scans of another engine, or closed ones, are refused", async () => {
    const other = await open({}, { directory: "/other" });
    const foreign = other.snapshot();
    await expect(engine.get("k", { snapshot: foreign })).rejects.toThrow(TypeError);
    expect(() => engine.scan({ snapshot: foreign })).toThrow(TypeError);
    await expect(engine.get("k", { snapshot: {} as never })).rejects.toThrow(TypeError);
    await other.close();
    const mine = engine.snapshot();
    await mine.close();
    await mine.close();
    await expect(engine.get("k", { snapshot: mine })).rejects.toEqual(refusal("CLOSED"));
  });

  test("a second writer is refused while the first is open", async () => {
    await expect(open()).rejects.toEqual(refusal("LOCKED"));
    await engine.put("k", "still writable");
    await engine.close();
    engine = await open();
    expect(text(await engine.get("k"))).toBe("still writable");
  });

  test("a database opened to read refuses writes, and outlives its writer", async () => {
    await engine.put("k", "v");
    const reader = await open({ readOnly: true });
    const refused = refusal("READ_ONLY");
    await expect(reader.put("k", "w")).rejects.toEqual(refused);
    await expect(reader.delete("k")).rejects.toEqual(refused);
    await expect(reader.batch([])).rejects.toEqual(refused);
    await expect(reader.flush()).rejects.toEqual(refused);
    await expect(reader.compact()).rejects.toEqual(refused);
    await expect(reader.checkpoint("/copy")).rejects.toEqual(refused);
    await engine.close();
    expect(text(await reader.get("k"))).toBe("v");
    await reader.close();
  });
});

describe("a disk that runs full", () => {
  test("is met before it hurts: writes are refused, reads go on, and writes resume", async () => {
    await engine.close();
    disk.capacityBytes = 200 << 10;
    const tuning = { reserveBytes: 64 << 10 };
    engine = await open({ memtableBytes: 8 << 10 }, { tuning });
    const value = new Uint8Array(500);
    const full = refusal("DISK_FULL", "reserve");
    let written = 0;
    await expect(
      (async () => {
        for (; written < 2000; written++) await engine.put(`key-${written}`, value);
      })(),
    ).rejects.toEqual(full);
    expect(written).toBeGreaterThan(20);
    await expect(engine.delete("key-0")).rejects.toEqual(full);
    await expect(engine.batch([{ type: "del", key: "key-0" }])).rejects.toEqual(full);
    for (let i = 0; i < written; i++) expect(await engine.has(`key-${i}`)).toBe(true);
    expect(await engine.scan().nextMany(5000)).toHaveLength(written);
    expect(engine.stats().backgroundError).toBeUndefined();
    disk.capacityBytes = 10 << 20;
    await clock.sleep(1000);
    await engine.put("key-0", "looks again").catch(() => {});
    await clock.sleep(1000);
    await engine.put("key-0", "again");
    await engine.close();
    engine = await open();
    expect(text(await engine.get("key-0"))).toBe("again");
    expect(await engine.scan().nextMany(5000)).toHaveLength(written);
  });
});

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString();
}
