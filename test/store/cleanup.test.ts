/** Floors on a real store: what they forget, keep out, and survive. */
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import { contextOf } from "../../src/core/clock/versions.ts";
import type { RoundState, StoreOutcome, StoreWork } from "../../src/core/event.ts";
import { type Key, partitionOf } from "../../src/core/key.ts";
import { copyKey, own } from "../../src/store/keyspace.ts";
import type { Store } from "../../src/store/store.ts";
import {
  ask,
  change,
  closeStore,
  coordinate,
  foreign,
  heldOf,
  keyFrom,
  openStore,
  partitions,
  valuesIn,
} from "./store-fixture.ts";

const cart = keyFrom("cart");
const partition = partitionOf(cart, partitions);

type Cut = Extract<StoreOutcome, { kind: "cut" }>;
type Floor = Extract<StoreWork, { kind: "raise-floor" }>["floor"];

async function cutOf(store: Store, of = partition): Promise<Cut> {
  const outcome = await ask(store, { kind: "cut", partition: of });
  if (outcome.kind !== "cut") throw new Error(JSON.stringify(outcome));
  return outcome;
}

/** As a round of this store alone: all that it has seen is below the floor. */
async function cleanUp(store: Store, round: number, expiredBefore = 0, of = partition) {
  await store.ready();
  const { events } = await cutOf(store, of);
  await raise(store, { round, events, expiredBefore }, of);
  await swept(store, of);
}

/** A floor that was promised before. */
async function raise(store: Store, floor: Floor, of = partition): Promise<void> {
  await ask(store, { kind: "promise", partition: of, round: floor.round });
  await ask(store, { kind: "raise-floor", partition: of, floor });
}

async function stateOf(store: Store, of = partition): Promise<RoundState | undefined> {
  const outcome = await ask(store, { kind: "survey-rounds" });
  if (outcome.kind !== "rounds") throw new Error(JSON.stringify(outcome));
  return outcome.rounds.find((state) => state.partition === of);
}

async function swept(store: Store, of = partition): Promise<void> {
  while ((await stateOf(store, of))?.isSweeping) await new Promise((go) => setTimeout(go, 1));
}

describe("below the floor", () => {
  test("nothing is left of a tombstone, and of a value its dot", async () => {
    const opened = await openStore();
    const { store, engine } = opened;
    await coordinate(store, cart, change("milk"));
    const seen = await heldOf(store, cart);
    await coordinate(store, cart, change(undefined), { context: contextOf(seen) });
    expect(await engine.get(copyKey(cart, own))).toBeDefined();
    await cleanUp(store, 1);
    expect(await engine.get(copyKey(cart, own))).toBeUndefined();
    await coordinate(store, cart, change("eggs"));
    await cleanUp(store, 2);
    const { vector, dots, operations, siblings } = await heldOf(store, cart);
    expect([vector, dots, operations]).toEqual([[], [], []]);
    expect(siblings.map(({ operation }) => operation)).toEqual([undefined]);
    expect(await stateOf(store)).toMatchObject({ round: 2, reapable: 0, tombstones: 0 });
    await closeStore(opened);
  });

  test("a key that is written to after the cut keeps all of its past", async () => {
    const opened = await openStore();
    const { store } = opened;
    await store.ready();
    await coordinate(store, cart, change("milk"));
    const { events } = await cutOf(store);
    const seen = await heldOf(store, cart);
    await coordinate(store, cart, change("eggs"), { context: contextOf(seen) });
    const before = await heldOf(store, cart);
    await raise(store, { round: 1, events, expiredBefore: 0 });
    await swept(store);
    expect(await heldOf(store, cart)).toEqual(before);
    await closeStore(opened);
  });

  test("what has expired goes with the round that says so, not before", async () => {
    const opened = await openStore();
    const { store } = opened;
    await coordinate(store, cart, change("milk", { expiresAt: 5_000 }));
    await cleanUp(store, 1, 4_999);
    expect(valuesIn(await heldOf(store, cart))).toEqual(["milk"]);
    expect(await stateOf(store)).toMatchObject({ expiresFrom: 5_000 });
    await cleanUp(store, 2, 5_000);
    expect(valuesIn(await heldOf(store, cart))).toEqual([]);
    expect(await stateOf(store)).toMatchObject({ expiresFrom: 0 });
    await closeStore(opened);
  });

  test("10,000 keys take at most 12 bytes each besides their value", async () => {
    const opened = await openStore();
    const { store, engine } = opened;
    await store.ready();
    const keys = Array.from({ length: 10_000 }, (_, i) => keyFrom(`key ${i}`));
    for (let i = 0; i < keys.length; i += 500) {
      await Promise.all(keys.slice(i, i + 500).map((key) => coordinate(store, key, change("v"))));
    }
    const before = await bytesOf(engine, keys);
    for (let p = 0; p < partitions; p++) await cleanUp(store, 1, 0, p);
    const after = await bytesOf(engine, keys);
    expect(before).toBeGreaterThan(12);
    expect(after).toBeLessThanOrEqual(12);
    await closeStore(opened);
  });
});

/** Bytes of a record that are no value, on average. */
async function bytesOf(
  engine: { get(key: Uint8Array): Promise<Uint8Array | undefined> },
  keys: readonly Key[],
): Promise<number> {
  let bytes = 0;
  for (const key of keys) bytes += ((await engine.get(copyKey(key, own)))?.length ?? 0) - 1;
  return bytes / keys.length;
}

describe("from an older round", () => {
  const milk = foreign("milk");

  /** The milk came, was deleted, and is forgotten. */
  async function openWithoutMilk() {
    const opened = await openStore();
    const { store } = opened;
    await ask(store, { kind: "merge", entries: [{ key: cart, versions: milk }], round: 0 });
    await coordinate(store, cart, change(undefined), { context: contextOf(milk) });
    await cleanUp(store, 1);
    return opened;
  }

  test("a value that was deleted and forgotten does not come back", async () => {
    const opened = await openWithoutMilk();
    const { store } = opened;
    const late = { kind: "merge", entries: [{ key: cart, versions: milk }] } as const;
    expect(await ask(store, { ...late, round: 0 })).toMatchObject({ changed: 0, stale: 1 });
    expect(valuesIn(await heldOf(store, cart))).toEqual([]);
    // From the same round it is what this store has lost.
    expect(await ask(store, { ...late, round: 1 })).toMatchObject({ changed: 1, stale: 0 });
    expect(valuesIn(await heldOf(store, cart))).toEqual(["milk"]);
    await closeStore(opened);
  });

  test("what is new comes, without what is stale", async () => {
    const opened = await openWithoutMilk();
    const { store } = opened;
    const both = foreign("eggs");
    const siblings = [...milk.siblings, ...both.siblings];
    const versions = { ...both, siblings };
    await ask(store, { kind: "merge", entries: [{ key: cart, versions }], round: 0 });
    expect(valuesIn(await heldOf(store, cart))).toEqual(["eggs"]);
    await closeStore(opened);
  });
});

describe("a floor", () => {
  test("survives, and a sweep that a crash cut off goes on", async () => {
    const opened = await openStore();
    const { store } = opened;
    await store.ready();
    await coordinate(store, cart, change("milk"));
    const { events } = await cutOf(store);
    const floor = { round: 1, events, expiredBefore: 0 };
    await raise(store, floor);
    // The floor is durable; nothing that came after it is.
    const again = await openStore(opened.disk.crash({ survival: 0 }));
    await again.store.ready();
    await swept(again.store);
    expect(await ask(again.store, { kind: "read-floor", partition })).toMatchObject({
      floor,
      promised: 1,
    });
    expect((await heldOf(again.store, cart)).vector).toEqual([]);
    expect(await stateOf(again.store)).toMatchObject({ reapable: 0 });
    await closeStore(again);
  });

  test("that was proven without this store empties it of what lies below", async () => {
    const opened = await openStore();
    const { store } = opened;
    await store.ready();
    await coordinate(store, cart, change("milk"));
    const { events } = await cutOf(store);
    const eggs = keyFrom("eggs of the same partition", "");
    await coordinate(store, cart, change("later"));
    const floor = { round: 3, events, expiredBefore: 0 };
    await ask(store, { kind: "raise-floor", partition, floor });
    await swept(store);
    expect(valuesIn(await heldOf(store, cart))).toEqual(["later"]);
    expect(valuesIn(await heldOf(store, eggs))).toEqual([]);
    expect(await stateOf(store)).toMatchObject({ round: 3, promised: 0 });
    await closeStore(opened);
  });

  test("is promised to one round once", async () => {
    const opened = await openStore();
    const { store } = opened;
    await store.ready();
    expect(await ask(store, { kind: "promise", partition, round: 7 })).toEqual({ kind: "durable" });
    const again = await ask(store, { kind: "promise", partition, round: 7 });
    expect(again).toMatchObject({ kind: "failed", code: "CONFLICT" });
    expect(await cutOf(store)).toMatchObject({ promised: 7, round: 0 });
    await closeStore(opened);
  });

  test("waits while hints are kept for the partition, or copies by no owner", async () => {
    const opened = await openStore();
    const { store } = opened;
    const loose = { kind: "loose", partition, isHolder: true } as const;
    expect(await ask(store, loose)).toEqual({ kind: "loose", isFree: true });
    const entry = { key: cart, versions: foreign("milk") };
    await ask(store, { kind: "keep-hints", targets: [9], entry, round: 0 });
    expect(await ask(store, loose)).toEqual({ kind: "loose", isFree: false });
    const entries = [{ key: cart, digest: digestOf(entry.versions) }];
    await ask(store, { kind: "drop-hints", target: 9, entries });
    await ask(store, { kind: "merge", entries: [entry], round: 0 });
    expect(await ask(store, loose)).toEqual({ kind: "loose", isFree: true });
    expect(await ask(store, { ...loose, isHolder: false })).toEqual({
      kind: "loose",
      isFree: false,
    });
    await closeStore(opened);
  });
});
