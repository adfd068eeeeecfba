/**
 * No dot is given out that its actor could not answer for: whoever knows of a dot takes all earlier
 * ones of that actor on the key for known, so an actor goes where this store lost some of them.
 */
import { expect, test } from "vitest";
import { EngineError } from "../../native-free-engine/errors.ts";
import type { Engine } from "../../native-free-engine/index.ts";
import { partitionOf } from "../../src/core/key.ts";
import { Store } from "../../src/store/store.ts";
import {
  ask,
  change,
  closeStore,
  coordinate,
  keyFrom,
  newActor,
  openStore,
  partitions,
} from "./store-fixture.ts";

const cart = keyFrom("cart");
const partition = partitionOf(cart, partitions);

async function actorOfNext(store: Store): Promise<string | undefined> {
  const { versions } = await coordinate(store, cart, change("milk"));
  return versions.siblings.at(-1)?.dot.actor;
}

test("keys of one partition share an actor, and never a counter", async () => {
  const opened = await openStore();
  const keys = Array.from({ length: 200 }, (_, i) => keyFrom(`key ${i}`));
  const dots: string[] = [];
  for (const key of keys.filter((each) => partitionOf(each, partitions) === partition)) {
    const { versions } = await coordinate(opened.store, key, change("x"));
    dots.push(...versions.siblings.map(({ dot }) => `${dot.actor} ${dot.counter}`));
  }
  expect(dots.length).toBeGreaterThan(3);
  expect(new Set(dots).size).toBe(dots.length);
  await closeStore(opened);
});

test("a partition that is the node's again gets a new actor", async () => {
  const opened = await openStore();
  const { store } = opened;
  const before = await actorOfNext(store);
  expect(await actorOfNext(store)).toBe(before);
  await ask(store, { kind: "renew-actor", partition });
  expect(await actorOfNext(store)).not.toBe(before);
  await closeStore(opened);
});

test("a write that failed takes its actor with it: others may have got the dot", async () => {
  const { engine, store: idle } = await openStore();
  await idle.close();
  const broken = { isFull: false };
  const store = await Store.open({ engine: refusing(engine, broken), partitions, newActor });
  const before = await actorOfNext(store);
  broken.isFull = true;
  await expect(coordinate(store, cart, change("lost"))).rejects.toThrow(/DISK_FULL/);
  broken.isFull = false;
  expect(await actorOfNext(store)).not.toBe(before);
  await store.close();
  await engine.close();
});

test("a store that lets go of what was proven without it goes on under a new actor", async () => {
  const opened = await openStore();
  const { store } = opened;
  await store.ready();
  const before = await actorOfNext(store);
  const floor = { round: 3, events: [], expiredBefore: 0 };
  await ask(store, { kind: "raise-floor", partition, floor });
  expect(await actorOfNext(store)).not.toBe(before);
  const actor = await actorOfNext(store);
  await ask(store, { kind: "promise", partition, round: 4 });
  await ask(store, { kind: "raise-floor", partition, floor: { ...floor, round: 4 } });
  expect(await actorOfNext(store)).toBe(actor);
  await closeStore(opened);
});

/** The engine, whose disk is full while the test says so. */
function refusing(engine: Engine, disk: { readonly isFull: boolean }): Engine {
  const full = (): Promise<never> => Promise.reject(new EngineError("DISK_FULL", "no space"));
  return new Proxy(engine, {
    get: (target, name) => {
      if (disk.isFull && (name === "put" || name === "batch")) return full;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
