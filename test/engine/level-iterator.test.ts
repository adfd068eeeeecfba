/** Reading through EverwriteLevel: iterators, snapshots, and in which form bytes come back. */
import { describe, expect, test } from "vitest";
import type { LevelIterator } from "../../native-free-engine/level/resources.ts";
import type { EverwriteLevel } from "../../native-free-engine/level.ts";
import { codeOf, openLevel } from "../level/fixture.ts";

/** What nobody but a test looks at. */
type Iterating = LevelIterator<EverwriteLevel, string, string>;

async function openFour(): Promise<EverwriteLevel> {
  const db = await openLevel();
  await db.batch().put("a", "0").put("b", "1").put("c", "2").put("d", "3").write();
  return db;
}

async function openNumbers(count: number): Promise<EverwriteLevel> {
  const db = await openLevel();
  await db.batch(
    Array.from({ length: count }, (_, i) => ({
      type: "put",
      key: String(i).padStart(6, "0"),
      value: "",
    })),
  );
  return db;
}

describe("highWaterMarkBytes", () => {
  test("ends nextv() once it is exceeded, not when it is met", async () => {
    const db = await openFour();
    const taken = async (highWaterMarkBytes: number) => {
      const iterator = db.iterator({ highWaterMarkBytes });
      const entries = await iterator.nextv(1000);
      await iterator.close();
      return entries.map(([key]) => key).join("");
    };
    expect(await taken(0)).toBe("a");
    expect(await taken(1)).toBe("a");
    expect(await taken(2)).toBe("ab");
    expect(await taken(Number.POSITIVE_INFINITY)).toBe("a");
    expect(await taken(100)).toBe("abcd");
  });

  test("counts keys alone, or values alone, where only those are asked for", async () => {
    const db = await openLevel();
    await db.batch().put("a", "12345").put("b", "12345").put("c", "12345").write();
    expect(await db.keys({ highWaterMarkBytes: 1 }).nextv(9)).toEqual(["a", "b"]);
    expect(await db.values({ highWaterMarkBytes: 4 }).nextv(9)).toEqual(["12345"]);
  });

  test("is not lost on what was read ahead", async () => {
    const db = await openLevel();
    for (let i = 0; i < 40; i++) await db.put(String(i + 100), "x".repeat(i < 20 ? 1 : 1000));
    const iterator = db.iterator({ highWaterMarkBytes: 1500 });
    const sizes: number[] = [];
    for (;;) {
      const entries = await iterator.nextv(1000);
      if (entries.length === 0) break;
      sizes.push(entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0));
    }
    await iterator.close();
    expect(sizes.reduce((sum, size) => sum + size)).toBe(40 * 3 + 20 + 20 * 1000);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(1500 + 1003);
  });

  test("does not hold for all()", async () => {
    const db = await openFour();
    expect(await db.keys({ highWaterMarkBytes: 0 }).all()).toEqual(["a", "b", "c", "d"]);
  });
});

describe("reading ahead", () => {
  test("begins with the second next(), and again after a seek", async () => {
    const db = await openFour();
    const iterator = db.iterator() as Iterating;
    expect(await iterator.next()).toEqual(["a", "0"]);
    expect(iterator.cached).toBe(0);
    expect(await iterator.next()).toEqual(["b", "1"]);
    expect(iterator.cached).toBeGreaterThan(0);
    iterator.seek("c");
    expect(iterator.cached).toBe(0);
    expect(await iterator.next()).toEqual(["c", "2"]);
    expect(iterator.cached).toBe(0);
    expect(await iterator.next()).toEqual(["d", "3"]);
    expect(await iterator.next()).toBe(undefined);
    await iterator.close();
  });

  test("stays within the high-water mark", async () => {
    const db = await openNumbers(500);
    const aheadWith = async (highWaterMarkBytes: number) => {
      const iterator = db.iterator({ highWaterMarkBytes }) as Iterating;
      await iterator.next();
      await iterator.next();
      const ahead = iterator.cached;
      await iterator.close();
      return ahead;
    };
    expect(await aheadWith(0)).toBe(0);
    expect(await aheadWith(60)).toBe(10);
  });

  test("gives its entries to nextv() and all() first", async () => {
    const db = await openFour();
    const iterator = db.keys();
    await iterator.next();
    await iterator.next();
    expect(await iterator.nextv(1)).toEqual(["c"]);
    expect(await iterator.nextv(10)).toEqual(["d"]);
    expect(await iterator.nextv(10)).toEqual([]);
    const other = db.keys();
    await other.next();
    await other.next();
    expect(await other.all()).toEqual(["c", "d"]);
  });

  test("is not counted by a limit that a seek makes room in", async () => {
    const db = await openNumbers(50);
    const iterator = db.keys({ limit: 6 });
    await iterator.next();
    await iterator.next();
    iterator.seek("000040");
    expect(await iterator.all()).toEqual(["000040", "000041", "000042", "000043"]);
  });
});

describe("the event loop", () => {
  /** Runs timers beside the reads, and answers how many fired before they were done. */
  async function breathsDuring(reads: () => Promise<void>): Promise<number> {
    let breaths = 0;
    const timer = setInterval(() => (breaths += 1), 1);
    await reads();
    clearInterval(timer);
    return breaths;
  }

  test("goes on while an iterator is read by next()", async () => {
    const db = await openNumbers(20_000);
    let entries = 0;
    const breaths = await breathsDuring(async () => {
      const iterator = db.iterator({ highWaterMarkBytes: 2 ** 30 });
      while ((await iterator.next()) !== undefined) entries += 1;
      await iterator.close();
    });
    expect(entries).toBe(20_000);
    expect(breaths).toBeGreaterThan(3);
  });

  test("goes on while an iterator seeks before each next()", async () => {
    const db = await openNumbers(1000);
    const iterator = db.iterator();
    const breaths = await breathsDuring(async () => {
      for (let i = 0; i < 20_000; i++) {
        iterator.seek(String(i % 1000).padStart(6, "0"));
        await iterator.next();
      }
    });
    expect(breaths).toBeGreaterThan(3);
  });

  test("goes on during clear() and hasMany()", async () => {
    const db = await openNumbers(20_000);
    const keys = await db.keys().all();
    const breaths = await breathsDuring(async () => {
      expect((await db.hasMany([...keys, "x"])).filter((isThere) => !isThere)).toEqual([false]);
      await db.clear();
    });
    expect(breaths).toBeGreaterThan(3);
    expect(await db.keys({ limit: 1 }).all()).toEqual([]);
  });
});

describe("closing", () => {
  test("a database closes with iterators in every state", async () => {
    const db = await openNumbers(300);
    const reads: Promise<unknown>[] = [];
    for (let i = 0; i < 50; i++) {
      db.iterator();
      reads.push(db.iterator().next());
      reads.push(db.iterator({ highWaterMarkBytes: 0 }).nextv(200));
      const closing = db.iterator();
      reads.push(closing.next().then(() => closing.close()));
    }
    await db.close();
    await Promise.all(reads);
    expect(db.status).toBe("closed");
  });

  test("a loop over an iterator ends with LEVEL_ITERATOR_NOT_OPEN", async () => {
    const db = await openNumbers(3000);
    const iterator = db.iterator({ highWaterMarkBytes: 0 });
    const reading = (async () => {
      while ((await iterator.next()) !== undefined);
    })();
    const end = codeOf(reading);
    await db.close();
    expect(await end).toBe("LEVEL_ITERATOR_NOT_OPEN");
  });

  test("nothing of a closed iterator or snapshot stays in the engine", async () => {
    const db = await openNumbers(3000);
    const open = () => db.getProperty("leveldb.approximate-memory-usage");
    const before = open();
    for (let i = 0; i < 200; i++) {
      const snapshot = db.snapshot();
      const iterator = db.iterator({ snapshot });
      await iterator.next();
      await iterator.close();
      await snapshot.close();
      for await (const key of db.keys()) if (key > "000010") break;
    }
    expect(open()).toBe(before);
  });
});

describe("abort", () => {
  test("ends a read that is under way, also of all()", async () => {
    const db = await openNumbers(20_000);
    for (const method of ["next", "all"] as const) {
      const controller = new AbortController();
      const iterator = db.iterator({ signal: controller.signal });
      const reading = iterator[method]();
      controller.abort(new Error("enough"));
      const failure = await reading.catch((error) => error);
      expect(failure).toMatchObject({ name: "AbortError", code: "LEVEL_ABORTED" });
      expect(failure.cause.message).toBe("enough");
      await iterator.close();
    }
  });
});

describe("what is read", () => {
  test("belongs to the caller: writing into it changes nothing in the database", async () => {
    const db = await openLevel<string, Uint8Array>({ valueEncoding: "view" });
    const value = () => new Uint8Array(3000).fill(7);
    await db.batch(["a", "b"].map((key) => ({ type: "put", key, value: value() })));
    for (const flushed of [false, true]) {
      if (flushed) await db.flush();
      for (const valueEncoding of ["view", "buffer"]) {
        const read = { valueEncoding };
        for (const [, found] of await db.iterator(read).all()) found.fill(1);
        (await db.get("a", read))?.fill(2);
        db.getSync("a", read)?.fill(3);
        for (const found of await db.getMany(["a", "b"], read)) found?.fill(4);
        expect(await db.values().all()).toEqual([value(), value()]);
        expect(await db.getMany(["a", "b"])).toEqual([value(), value()]);
      }
    }
  });

  test("keeps nothing else in memory when it is kept", async () => {
    const db = await openLevel();
    for (let i = 0; i < 8; i++) await db.put(`key${i}`, "x".repeat(5000));
    for (const flushed of [false, true]) {
      if (flushed) await db.flush();
      for (const format of ["view", "buffer"]) {
        const encodings = { keyEncoding: format, valueEncoding: format };
        const entries = await db.iterator<Uint8Array, Uint8Array>(encodings).all();
        expect(entries.length).toBe(8);
        // Node's Buffers share a pool of 8 KiB while they are small.
        for (const [key, value] of entries) {
          expect(key.buffer.byteLength).toBeLessThanOrEqual(8192);
          expect(value.buffer.byteLength).toBeLessThanOrEqual(8192);
        }
      }
    }
  });

  test("has the form that was asked for", async () => {
    const db = await openLevel();
    await db.put("clé", "värde");
    for (const flushed of [false, true]) {
      if (flushed) await db.flush();
      const [asBuffer] = await db
        .iterator({ keyEncoding: "buffer", valueEncoding: "buffer" })
        .all();
      expect(asBuffer).toEqual([Buffer.from("clé"), Buffer.from("värde")]);
      expect(Buffer.isBuffer(asBuffer?.[1])).toBe(true);
      const [asView] = await db.iterator({ keyEncoding: "view", valueEncoding: "view" }).all();
      expect(asView).toEqual(["clé", "värde"].map((text) => new TextEncoder().encode(text)));
      expect(Buffer.isBuffer(asView?.[1])).toBe(false);
      expect(await db.iterator().all()).toEqual([["clé", "värde"]]);
      expect(await db.get("clé", { valueEncoding: "hex" })).toBe("76c3a47264" + "65");
    }
  });

  test("is what was written, also where text begins with a byte order mark", async () => {
    const db = await openLevel();
    await db.put("\ufeffkey", "\ufeffvalue");
    expect(await db.get("\ufeffkey")).toBe("\ufeffvalue");
    expect(await db.iterator().all()).toEqual([["\ufeffkey", "\ufeffvalue"]]);
  });

  test("comes in order of UTF-8 bytes, not of UTF-16 units", async () => {
    const db = await openLevel();
    const keys = ["a", "é", "\uffee", "\u{1f600}"];
    for (const key of [...keys].reverse()) await db.put(key, "");
    expect(await db.keys().all()).toEqual(keys);
  });

  test("has U+FFFD where a string had a lone surrogate", async () => {
    const db = await openLevel();
    await db.put("a\ud800", "b\udc00");
    await db.batch([{ type: "put", key: "c\ud800", value: "d" }]);
    await db.batch().put("e\ud800", "f").write();
    expect(await db.iterator().all()).toEqual([
      ["a\ufffd", "b\ufffd"],
      ["c\ufffd", "d"],
      ["e\ufffd", "f"],
    ]);
    expect(await db.get("a\udfff")).toBe("b\ufffd");
    expect(await db.keys({ gt: "c\ud800" }).all()).toEqual(["e\ufffd"]);
  });

  test("may be asked for by any kind of view", async () => {
    const db = await openLevel<Uint8Array, string>({ keyEncoding: "view" });
    // TypeScript's library learns of resizable buffers later than Node.
    const resizable = new Uint8Array(Reflect.construct(ArrayBuffer, [2, { maxByteLength: 16 }]));
    resizable.set([1, 2]);
    await db.put(resizable, "found");
    const sameBytes = new DataView(Uint8Array.of(9, 1, 2, 9).buffer, 1, 2);
    expect(await db.get(sameBytes as unknown as Uint8Array)).toBe("found");
    expect(db.getSync(Buffer.of(1, 2))).toBe("found");
  });
});

describe("what is written", () => {
  test("is copied at the call, so that buffers can be reused", async () => {
    const db = await openLevel<Buffer, Buffer>({ keyEncoding: "buffer", valueEncoding: "buffer" });
    const key = Buffer.from("k");
    const value = Buffer.from("0");
    const writes: Promise<void>[] = [];
    const chained = db.batch();
    for (let i = 0; i < 3; i++) {
      key[0] = 97 + i;
      value[0] = 48 + i;
      writes.push(db.put(key, value));
      key[0] = 65 + i;
      chained.put(key, value);
    }
    await Promise.all([...writes, chained.write()]);
    const all = await db.iterator({ keyEncoding: "utf8", valueEncoding: "utf8" }).all();
    expect(all.map((entry) => entry.join("")).join(" ")).toBe("A0 B1 C2 a0 b1 c2");
  });
});

describe("a snapshot", () => {
  test("shows every kind of read the same state, across flush and compaction", async () => {
    const db = await openLevel();
    await db.batch().put("a", "1").put("b", "1").write();
    await using snapshot = db.snapshot();
    await db.batch().put("a", "2").del("b").put("c", "2").write();
    for (const step of ["memory", "flush", "compact"]) {
      if (step === "flush") await db.flush();
      if (step === "compact") await db.compactRange("a", "z");
      const read = { snapshot };
      expect(await db.get("a", read)).toBe("1");
      expect(db.getSync("b", read)).toBe("1");
      expect(await db.getMany(["a", "b", "c"], read)).toEqual(["1", "1", undefined]);
      expect(await db.hasMany(["a", "b", "c"], read)).toEqual([true, true, false]);
      expect(await db.has("c", read)).toBe(false);
      expect(await db.keys(read).all()).toEqual(["a", "b"]);
    }
    await db.clear({ snapshot });
    expect(await db.keys().all()).toEqual(["c"]);
  });

  test("can be closed while a long read still goes on", async () => {
    const db = await openNumbers(5000);
    const keys = await db.keys().all();
    const snapshot = db.snapshot();
    const reading = db.hasMany(keys, { snapshot });
    const closing = snapshot.close();
    await db.clear();
    expect((await reading).every(Boolean)).toBe(true);
    await closing;
  });
});
