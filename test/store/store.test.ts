/** What the store promises for one key at a time: versions, durability, order, failures. */
import { describe, expect, test } from "vitest";
import { MemoryDisk } from "../../native-free-engine/disk/memory-disk.ts";
import {
  type CausalContext,
  contextOf,
  emptyContext,
  isEqual,
} from "../../src/core/clock/versions.ts";
import { partitionOf } from "../../src/core/key.ts";
import { Store } from "../../src/store/store.ts";
import {
  ask,
  change,
  closeStore,
  coordinate,
  foreign,
  heldOf,
  keyFrom,
  newActor,
  openEngineOn,
  openStore,
  partitions,
  valuesIn,
} from "./store-fixture.ts";

const cart = keyFrom("cart");

describe("a write", () => {
  test("is read back with its version, also after reopening", async () => {
    const first = await openStore();
    const { versions } = await coordinate(first.store, cart, change("milk"));
    expect(valuesIn(versions)).toEqual(["milk"]);
    expect(isEqual(await heldOf(first.store, cart), versions)).toBe(true);
    await closeStore(first);
    const second = await openStore(first.disk);
    expect(isEqual(await heldOf(second.store, cart), versions)).toBe(true);
    await closeStore(second);
  });

  test("that names what it saw replaces it, and a blind one stays beside it", async () => {
    const opened = await openStore();
    const { store } = opened;
    const { context } = await coordinate(store, cart, change("milk"));
    await coordinate(store, cart, change("milk, bread"), { context });
    expect(valuesIn(await heldOf(store, cart))).toEqual(["milk, bread"]);
    await coordinate(store, cart, change("eggs"));
    expect(valuesIn(await heldOf(store, cart)).sort()).toEqual(["eggs", "milk, bread"]);
    await closeStore(opened);
  });

  test("builds on those of the same key that are still on their way", async () => {
    const opened = await openStore();
    const { store } = opened;
    const all = ["a", "b", "c", "d"].map((text) => coordinate(store, cart, change(text)));
    const last = (await Promise.all(all)).at(-1);
    expect(valuesIn(last!.versions)).toEqual(["a", "b", "c", "d"]);
    expect(valuesIn(await heldOf(store, cart))).toEqual(["a", "b", "c", "d"]);
    await closeStore(opened);
  });

  test("without a value deletes what it names, and leaves a context", async () => {
    const opened = await openStore();
    const { versions } = await coordinate(opened.store, cart, change("milk"));
    await coordinate(opened.store, cart, change(undefined), { context: contextOf(versions) });
    const left = await heldOf(opened.store, cart);
    expect(left.siblings).toEqual([]);
    expect(left.vector).toHaveLength(1);
    await closeStore(opened);
  });

  test("of an operation that is there already changes nothing", async () => {
    const opened = await openStore();
    const once = change("milk");
    await coordinate(opened.store, cart, once);
    const again = await coordinate(opened.store, cart, {
      ...once,
      operation: { ...once.operation, retried: true },
    });
    expect(again.isDuplicate).toBe(true);
    expect(valuesIn(await heldOf(opened.store, cart))).toEqual(["milk"]);
    await closeStore(opened);
  });

  test("that would make too many siblings is refused and leaves no trace", async () => {
    const opened = await openStore();
    await coordinate(opened.store, cart, change("a"));
    await coordinate(opened.store, cart, change("b"));
    const before = await heldOf(opened.store, cart);
    const outcome = await ask(opened.store, {
      kind: "write",
      key: cart,
      context: { vector: [], dots: [], operations: [] },
      change: change("c"),
      targets: [],
      siblingsMax: 2,
      siblingBytesMax: 1 << 22,
    });
    expect(outcome).toEqual({ kind: "too-many-siblings", siblings: 3, bytes: 3 });
    expect(isEqual(await heldOf(opened.store, cart), before)).toBe(true);
    await closeStore(opened);
  });

  test("is refused where siblings grow too large together, and one alone is not", async () => {
    const opened = await openStore();
    const large = (value: string) => ({ ...change(""), value: Buffer.alloc(8, value) });
    const put = (value: string) =>
      ask(opened.store, {
        kind: "write",
        key: cart,
        context: { vector: [], dots: [], operations: [] },
        change: { ...large(value), operation: change(value).operation },
        targets: [],
        siblingsMax: 64,
        siblingBytesMax: 7,
      });
    expect(await put("a")).toEqual({ kind: "durable" });
    expect(await put("b")).toEqual({ kind: "too-many-siblings", siblings: 2, bytes: 16 });
    await closeStore(opened);
  });

  test("truncates vectors by age where that is asked for", async () => {
    const engine = await openEngineOn(new MemoryDisk());
    const store = await Store.open({ engine, partitions, newActor, vectorEntriesMax: 2 });
    let context: CausalContext = emptyContext;
    const partition = partitionOf(cart, partitions);
    for (const text of ["a", "b", "c", "d"]) {
      // Each under another actor, as nodes that come and go would be.
      await ask(store, { kind: "renew-actor", partition });
      const written = await coordinate(store, cart, change(text), { context });
      context = contextOf(written.versions);
      expect(written.versions.vector.length).toBeLessThanOrEqual(2);
    }
    expect(valuesIn(await heldOf(store, cart))).toEqual(["d"]);
    await store.close();
    await engine.close();
  });

  test("keeps keys of buckets apart", async () => {
    const opened = await openStore();
    await coordinate(opened.store, keyFrom("a", "red"), change("1"));
    await coordinate(opened.store, keyFrom("a", "blue"), change("2"));
    expect(valuesIn(await heldOf(opened.store, keyFrom("a", "red")))).toEqual(["1"]);
    expect(valuesIn(await heldOf(opened.store, keyFrom("a")))).toEqual([]);
    await closeStore(opened);
  });
});

describe("a merge", () => {
  test("joins what comes, and tells how much of it was new", async () => {
    const opened = await openStore();
    const { store } = opened;
    const theirs = foreign("theirs");
    await coordinate(store, cart, change("ours"));
    const entries = [
      { key: cart, versions: theirs },
      { key: keyFrom("other"), versions: foreign("x") },
    ];
    const once = await ask(store, { kind: "merge", entries, round: 0 });
    expect(once).toEqual({ kind: "merged", changed: 2, stale: 0 });
    const again = await ask(store, { kind: "merge", entries, round: 0 });
    expect(again).toEqual({ kind: "merged", changed: 0, stale: 0 });
    expect(valuesIn(await heldOf(store, cart)).sort()).toEqual(["ours", "theirs"]);
    await closeStore(opened);
  });

  test("of nothing new waits until what is there is durable", async () => {
    const opened = await openStore();
    const theirs = foreign("theirs");
    const entries = [{ key: cart, versions: theirs }];
    void ask(opened.store, { kind: "merge", entries, round: 0 });
    await ask(opened.store, { kind: "merge", entries, round: 0 });
    const left = opened.disk.crash({ survival: 0 });
    const second = await openStore(left);
    expect(valuesIn(await heldOf(second.store, cart))).toEqual(["theirs"]);
    await closeStore(second);
  });
});

describe("meta", () => {
  test("is kept by name, and survives a power cut whatever the durability", async () => {
    const opened = await openStore(undefined, { durability: "os" });
    const bytes = Uint8Array.of(1, 2, 3);
    await ask(opened.store, { kind: "save-meta", name: "vote", bytes });
    const second = await openStore(opened.disk.crash({ survival: 0 }));
    expect(await ask(second.store, { kind: "load-meta", name: "vote" })).toEqual({
      kind: "meta",
      bytes,
    });
    expect(await ask(second.store, { kind: "load-meta", name: "ring" })).toEqual({
      kind: "meta",
      bytes: undefined,
    });
    await closeStore(second);
  });
});

describe("the engine's state", () => {
  test("a database that a program embeds is refused", async () => {
    const engine = await openEngineOn(new MemoryDisk());
    await engine.put("user", "data");
    await expect(Store.open({ engine, partitions, newActor })).rejects.toMatchObject({
      code: "DATA_DIR_INVALID",
    });
    await engine.close();
  });
});
