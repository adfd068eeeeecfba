/**
 * What users of classic-level rely on besides abstract-level's own suite (test/level/run.mjs), and
 * what EverwriteLevel adds.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openEngine } from "../../native-free-engine/index.ts";
import { EverwriteLevel, type LevelError } from "../../native-free-engine/level.ts";
import { codeOf, freshDirectory, openLevel } from "../level/fixture.ts";

describe("location", () => {
  test("must be a string that is not empty", () => {
    for (const location of ["", {}, undefined, 7]) {
      expect(() => new EverwriteLevel(location as string)).toThrow(TypeError);
    }
  });

  test("is kept as it was given", async () => {
    const location = join(freshDirectory(), "a", "..", "b");
    const db = await openLevel({}, location);
    expect(db.location).toBe(location);
  });

  test("is made with the folders above it", async () => {
    const location = join(freshDirectory(), "beep", "boop");
    await openLevel({}, location);
    expect(existsSync(location)).toBe(true);
  });

  test("is not made where createIfMissing is false", async () => {
    const location = join(freshDirectory(), "beep", "boop");
    const db = new EverwriteLevel(location, { createIfMissing: false });
    const failure = await db.open().catch((error) => error);
    expect(failure.code).toBe("LEVEL_DATABASE_NOT_OPEN");
    expect(failure.cause.code).toBe("LEVEL_DATABASE_MISSING");
    expect(failure.cause.message).toMatch(/does not exist/);
    expect(existsSync(location)).toBe(false);
  });

  test("is refused where it exists and errorIfExists is true", async () => {
    const db = await openLevel();
    await db.close();
    const failure = await db.open({ errorIfExists: true }).catch((error) => error);
    expect(failure.cause.code).toBe("LEVEL_DATABASE_EXISTS");
    expect(failure.cause.message).toMatch(/exists/);
    await db.open();
  });
});

describe("one writer", () => {
  test("a second instance is told LEVEL_LOCKED, and opens once the first is closed", async () => {
    const first = await openLevel();
    const second = new EverwriteLevel(first.location, { multithreading: true });
    expect(await codeOf(second.open())).toBe("LEVEL_DATABASE_NOT_OPEN < LEVEL_LOCKED");
    await first.close();
    await second.open();
    await second.close();
  });

  test("a reader opens beside the writer and may not write", async () => {
    const writer = await openLevel();
    await writer.put("a", "1");
    const reader = await openLevel({ readOnly: true }, writer.location);
    expect(await reader.get("a")).toBe("1");
    expect(await codeOf(reader.put("a", "2"))).toBe("LEVEL_READONLY");
  });

  test("operations outlive neither close nor a failed open", async () => {
    const db = await openLevel();
    await db.close();
    expect(await codeOf(db.flush())).toMatch(/^LEVEL_DATABASE_NOT_OPEN/);
    expect(await codeOf(db.compactRange("a", "b"))).toMatch(/^LEVEL_DATABASE_NOT_OPEN/);
    expect(await codeOf(db.approximateSize("a", "b"))).toMatch(/^LEVEL_DATABASE_NOT_OPEN/);
    expect(() => db.getProperty("leveldb.stats")).toThrow(/not open/);
  });
});

describe("close", () => {
  const operations: Record<string, (db: EverwriteLevel) => Promise<unknown>> = {
    get: (db) => db.get("key"),
    put: (db) => db.put("key2", "value"),
    "put with sync": (db) => db.put("key2", "value", { sync: true }),
    del: (db) => db.del("key", { sync: true }),
    batch: (db) => db.batch([{ type: "del", key: "key" }], { sync: true }),
    "chained batch": (db) => db.batch().del("key").write({ sync: true }),
    clear: (db) => db.clear(),
    hasMany: (db) => db.hasMany(Array.from({ length: 3000 }, (_, i) => `key${i}`)),
    approximateSize: (db) => db.approximateSize("a", "z"),
    flush: (db) => db.flush(),
    compactRange: (db) => db.compactRange("a", "z"),
  };

  for (const [name, run] of Object.entries(operations)) {
    test(`waits for a pending ${name}`, async () => {
      const db = await openLevel();
      await db.put("key", "value");
      let finished = "no";
      const running = run(db).then(
        () => (finished = "yes"),
        (error) => (finished = String(error)),
      );
      await db.close();
      await Promise.race([running, new Promise(setImmediate)]);
      expect(finished).toBe("yes");
    });
  }
});

describe("approximateSize and compactRange", () => {
  test("need both ends", async () => {
    const db = await openLevel();
    const missing = undefined as unknown as string;
    await expect(db.approximateSize("a", missing)).rejects.toThrow(TypeError);
    await expect(db.compactRange(missing, "b")).rejects.toThrow(TypeError);
  });

  test("wait for the database to open", async () => {
    const db = new EverwriteLevel(join(freshDirectory(), "db"));
    expect(db.status).toBe("opening");
    const results = await Promise.all([db.approximateSize("a", "b"), db.compactRange("a", "b")]);
    expect(results).toEqual([0, undefined]);
    await db.close();
  });

  test("encode both ends, with the database's encoding or the one given", async () => {
    const seen: string[] = [];
    const keyEncoding = {
      name: "seen",
      format: "utf8" as const,
      encode: (key: string) => {
        seen.push(key);
        return key;
      },
      decode: (key: string) => key,
    };
    const own = await openLevel({ keyEncoding });
    await own.approximateSize("a", "b");
    await own.compactRange("c", "d");
    const given = await openLevel();
    await given.approximateSize("e", "f", { keyEncoding });
    await given.compactRange("g", "h", { keyEncoding });
    expect(seen.join("")).toBe("abcdefgh");
  });

  test("the size of a range counts what is in it, before and after a flush", async () => {
    const db = await openLevel();
    const value = "a".repeat(100_000);
    await db.batch(Array.from({ length: 10 }, (_, i) => ({ type: "put", key: `foo${i}`, value })));
    expect(await db.approximateSize("!", "~")).toBeGreaterThan(400_000);
    await db.flush();
    const size = await db.approximateSize("!", "~");
    expect(size).toBeGreaterThan(900_000);
    expect(size).toBeLessThan(1_200_000);
    expect(await db.approximateSize("!", "a")).toBeLessThan(100_000);
  });

  test("compaction gives the space of deleted keys back", async () => {
    const db = await openLevel();
    const keys = Array.from({ length: 100 }, (_, i) => `key${100 + i}`);
    await db.batch(keys.map((key) => ({ type: "put", key, value: "v".repeat(1000) })));
    await db.compactRange("key", "kez");
    expect(await db.approximateSize("key", "kez")).toBeGreaterThan(90_000);
    await db.batch(keys.map((key) => ({ type: "del", key })));
    await db.compactRange("key", "kez");
    expect(await db.approximateSize("key", "kez")).toBe(0);
  });

  // Fails as long as a range that ends behind a table's last key leaves out its last block.
  test("the size of a range counts a table of one block", async () => {
    const db = await openLevel();
    await db.put("a", "1");
    await db.compactRange("a", "b");
    expect(await db.approximateSize("a", "z")).toBeGreaterThan(0);
  });

  test("compression makes repetitive values small, and is off by default", async () => {
    const sizes = [];
    for (const compression of [undefined, false, true] as const) {
      const db = await openLevel({ compression });
      for (let i = 0; i < 10; i++) await db.put(`key${i}`, "a".repeat(100_000));
      await db.compactRange("a", "z");
      sizes.push(await db.approximateSize("a", "z"));
      expect(await db.get("key7")).toBe("a".repeat(100_000));
    }
    expect(sizes[0]).toBe(sizes[1]);
    expect(sizes[2]).toBeLessThan(sizes[1]! / 20);
  });
});

describe("getProperty", () => {
  test("takes a string", async () => {
    const db = await openLevel();
    expect(() => db.getProperty(undefined as unknown as string)).toThrow(TypeError);
    expect(() => db.getProperty({} as string)).toThrow(TypeError);
  });

  test("is empty for names that mean nothing", async () => {
    const db = await openLevel();
    for (const name of ["foo", "leveldb.foo", "leveldb.num-files-at-level7"]) {
      expect(db.getProperty(name)).toBe("");
    }
  });

  test("counts the tables of each level", async () => {
    const db = await openLevel();
    const counts = () =>
      [0, 1, 2, 3, 4, 5, 6].map((level) => db.getProperty(`leveldb.num-files-at-level${level}`));
    expect(counts()).toEqual(["0", "0", "0", "0", "0", "0", "0"]);
    await db.put("a", "1");
    await db.flush();
    expect(counts().join("")).toMatch(/1/);
  });

  test("describes levels and memory", async () => {
    const db = await openLevel();
    expect(db.getProperty("leveldb.stats").split("\n").length).toBeGreaterThan(3);
    const levels = [0, 1, 2, 3, 4, 5, 6].map((level) => `--- level ${level} ---\n`);
    expect(db.getProperty("leveldb.sstables")).toBe(levels.join(""));
    const before = Number(db.getProperty("leveldb.approximate-memory-usage"));
    await db.put("a", "x".repeat(10_000));
    expect(Number(db.getProperty("leveldb.approximate-memory-usage"))).toBeGreaterThan(before);
  });
});

describe("destroy", () => {
  test("needs a location, and accepts one where nothing is", async () => {
    await expect(EverwriteLevel.destroy("")).rejects.toThrow(TypeError);
    const absent = join(freshDirectory(), "1", "2");
    await EverwriteLevel.destroy(absent);
    expect(existsSync(join(absent, ".."))).toBe(false);
  });

  test("leaves other people's files alone", async () => {
    const directory = freshDirectory();
    writeFileSync(join(directory, "foo"), "FOO");
    await EverwriteLevel.destroy(directory);
    expect(readdirSync(directory)).toEqual(["foo"]);
  });

  test("removes the directory, or what is ours in it", async () => {
    const db = await openLevel();
    await db.put("a", "1");
    await db.close();
    writeFileSync(join(db.location, "foo"), "FOO");
    await EverwriteLevel.destroy(db.location);
    expect(readdirSync(db.location)).toEqual(["foo"]);
    expect(readFileSync(join(db.location, "foo"), "utf8")).toBe("FOO");
    const alone = await openLevel();
    await alone.close();
    await EverwriteLevel.destroy(alone.location);
    expect(existsSync(alone.location)).toBe(false);
  });

  test("refuses a database in use, which then still works", async () => {
    const db = await openLevel();
    await db.put("a", "1");
    expect(await codeOf(EverwriteLevel.destroy(db.location))).toBe("LEVEL_LOCKED");
    expect(await db.get("a")).toBe("1");
  });
});

describe("repair", () => {
  test("needs a location", async () => {
    await expect(EverwriteLevel.repair("")).rejects.toThrow(TypeError);
  });

  test("says so where there is nothing", async () => {
    const absent = join(freshDirectory(), "1", "2");
    expect(await codeOf(EverwriteLevel.repair(absent))).toMatch(/^LEVEL_/);
  });

  test("makes a database openable whose CURRENT is damaged", async () => {
    const db = await openLevel();
    await db.put("a", "1");
    await db.flush();
    await db.put("b", "2");
    await db.close();
    writeFileSync(join(db.location, "CURRENT"), "nonsense");
    expect(await codeOf(db.open())).toBe("LEVEL_DATABASE_NOT_OPEN < LEVEL_CORRUPTION");
    await EverwriteLevel.repair(db.location);
    await db.open();
    expect(await db.iterator().all()).toEqual([
      ["a", "1"],
      ["b", "2"],
    ]);
  });
});

describe("errors", () => {
  test("carry a Level code, and the engine's error as their cause", async () => {
    const db = await openLevel();
    const failure: LevelError = await db.put("k".repeat(70_000), "v").catch((error) => error);
    expect(failure.code).toBe("LEVEL_INVALID_KEY");
    expect(failure.cause).toMatchObject({ name: "EngineError", code: "KEY_TOO_LARGE" });
    expect(() => db.getSync("k".repeat(70_000))).toThrow(/limit/);
    expect(await codeOf(db.iterator({ gt: "k".repeat(70_000) }).next())).toBe("LEVEL_INVALID_KEY");
    expect(await codeOf(db.put("k", "v", { ttlMs: -1 }))).toBe("LEVEL_INVALID_OPTION");
  });

  test("options of the wrong kind are named when opening", async () => {
    const options = { cacheSize: "8 MB" as unknown as number };
    const db = new EverwriteLevel(join(freshDirectory(), "db"), options);
    const failure = await db.open().catch((error) => error);
    expect(failure.cause.code).toBe("LEVEL_INVALID_OPTION");
    expect(failure.cause.message).toMatch(/cacheBytes/);
  });

  test("sizes that LevelDB would clip are clipped", async () => {
    const db = await openLevel({ cacheSize: 2 ** 40, writeBufferSize: 1, maxOpenFiles: 5 });
    await db.put("a", "1");
    expect(await db.get("a", { fillCache: false })).toBe("1");
  });

  test("a snapshot of another kind is refused", async () => {
    const db = await openLevel();
    const other = await openLevel();
    const foreign = other.snapshot();
    await expect(db.get("a", { snapshot: foreign })).rejects.toThrow(/snapshot/);
  });
});

describe("beyond classic-level", () => {
  test("an entry with a time to live disappears", async () => {
    const db = await openLevel();
    await db.put("a", "1", { ttlMs: 20 });
    await db.batch([{ type: "put", key: "b", value: "2", ttlMs: 20 }]);
    await db.batch().put("c", "3", { ttlMs: 20 }).put("d", "4").write();
    expect(await db.keys().all()).toEqual(["a", "b", "c", "d"]);
    await expect.poll(() => db.keys().all()).toEqual(["d"]);
  });

  test("a checkpoint is a database of its own", async () => {
    const db = await openLevel();
    await db.put("a", "1");
    const copy = join(freshDirectory(), "copy");
    await db.checkpoint(copy);
    await db.put("a", "2");
    const restored = await openLevel({}, copy);
    expect(await restored.get("a")).toBe("1");
  });

  test("the same directory opens through the engine's own door", async () => {
    const db = await openLevel({ valueEncoding: "json" });
    await db.put("a", "1", { sync: true });
    await db.close();
    const engine = await openEngine(db.location);
    expect(await engine.get("a")).toEqual(new TextEncoder().encode('"1"'));
    await engine.close();
  });
});
