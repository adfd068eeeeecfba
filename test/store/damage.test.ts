/** What the store makes of damage, of an engine that fails, and of the end. */
import { describe, expect, test, vi } from "vitest";
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
const partition = partitionOf(cart, partitions);

describe("a record that cannot be", () => {
  test("is refused by name, for this key alone, and its partition has no tree", async () => {
    const opened = await openStore();
    await coordinate(opened.store, cart, change("milk"));
    const other = keyNotIn(partition);
    await coordinate(opened.store, other, change("bread"));
    await opened.store.close();
    const data = opened.engine.scan({ gte: Uint8Array.of(3), lt: Uint8Array.of(4) });
    for (const [key] of await data.nextMany(10)) {
      if (key.length === 10 + "cart".length) await opened.engine.put(key, Uint8Array.of(0x47, 1));
    }
    await data.close();
    const onDamage = vi.fn();
    const { engine } = opened;
    const store = await Store.open({ engine, partitions, newActor, onDamage });
    await store.ready();
    expect(onDamage).toHaveBeenCalledWith(partition, expect.anything());
    const works = [
      { kind: "read", key: cart, targets: [] },
      { kind: "merge", entries: [{ key: cart, versions: foreign("x") }], round: 0 },
    ] as const;
    for (const work of works) {
      expect(await ask(store, work)).toMatchObject({ kind: "failed", code: "CORRUPTION" });
    }
    expect(valuesIn(await heldOf(store, other))).toEqual(["bread"]);
    const root = { kind: "tree", level: "root", parents: [] } as const;
    expect(await ask(store, { ...root, partition })).toMatchObject({ ready: false });
    const sound = partitionOf(other, partitions);
    expect(await ask(store, { ...root, partition: sound })).toMatchObject({ ready: true });
    await store.close();
    await engine.close();
  });
});

describe("an engine that fails", () => {
  test("is told once, and every write says what became of it", async () => {
    const onFatal = vi.fn();
    const opened = await openStore(undefined, { onFatal });
    const { disk, store } = opened;
    await coordinate(store, cart, change("milk"));
    disk.failAt(disk.operations + 1, "EIO-sticky");
    const writes = ["a", "b"].map((text) => coordinate(store, cart, change(text)));
    for (const result of await Promise.allSettled(writes)) {
      expect(result.status).toBe("rejected");
    }
    await expect(coordinate(store, cart, change("c"))).rejects.toThrow(/failed/);
    expect(onFatal).toHaveBeenCalledTimes(1);
    expect(valuesIn(await heldOf(store, cart))).toContain("milk");
    await store.close();
    await opened.engine.close().catch(() => {});
  });
});

describe("closing", () => {
  test("answers what was begun, and refuses the rest", async () => {
    const opened = await openStore();
    const begun = coordinate(opened.store, cart, change("milk"));
    const closing = opened.store.close();
    const late = await ask(opened.store, { kind: "read", key: cart, targets: [] });
    expect(late).toMatchObject({ kind: "failed", code: "CLOSED", applied: "no" });
    await closing;
    expect(valuesIn((await begun).versions)).toEqual(["milk"]);
    await opened.engine.close();
  });
});

describe("opening", () => {
  test.each([
    [1, "DATA_DIR_INVALID"],
    [3, "FORMAT_TOO_NEW"],
  ])("the store of another version is refused: %d is %s", async (version, code) => {
    const opened = await openStore();
    await closeStore(opened);
    const engine = await openEngineOn(opened.disk);
    const mark = Uint8Array.of(1, ...Buffer.from("store"));
    await engine.put(mark, `everwrite-store ${version}`);
    await expect(Store.open({ engine, partitions, newActor })).rejects.toMatchObject({ code });
    await engine.close();
  });
});

function keyNotIn(taken: number) {
  for (let i = 0; ; i++) {
    const key = keyFrom(`other ${i}`);
    if (partitionOf(key, partitions) !== taken) return key;
  }
}
