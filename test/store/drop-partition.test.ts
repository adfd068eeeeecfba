/** Forgetting a partition, and getting it back in the middle of that. */
import { expect, test } from "vitest";
import { partitionOf } from "../../src/core/key.ts";
import {
  ask,
  change,
  closeStore,
  coordinate,
  heldOf,
  keyFrom,
  openStore,
  partitions,
  valuesIn,
} from "./store-fixture.ts";

/** Several pages of one partition. */
const keys = Array.from({ length: 1_000 * partitions }, (_, i) => keyFrom(`key ${i}`)).filter(
  (key) => partitionOf(key, partitions) === 1,
);

test("a partition that is dropped leaves nothing", async () => {
  const opened = await openStore();
  await Promise.all(keys.map((key) => coordinate(opened.store, key, change("x"))));
  const outcome = await ask(opened.store, { kind: "drop-partition", partition: 1 });
  expect(outcome).toEqual({ kind: "durable" });
  for (const key of keys) expect(valuesIn(await heldOf(opened.store, key))).toEqual([]);
  await closeStore(opened);
});

test("one that comes back while it is dropped keeps what is written from then on", async () => {
  const opened = await openStore();
  const { store } = opened;
  await Promise.all(keys.map((key) => coordinate(store, key, change("old"))));
  const dropped = ask(store, { kind: "drop-partition", partition: 1 });
  await ask(store, { kind: "renew-actor", partition: 1 });
  await Promise.all(keys.map((key) => coordinate(store, key, change("new"))));
  await dropped;
  for (const key of keys) expect(valuesIn(await heldOf(store, key))).toContain("new");
  await closeStore(opened);
});
