/** Hints: merged, handed over in batches, let go only as they were, and never without bound. */
import { expect, test } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import { merge } from "../../src/core/clock/versions.ts";
import type { Entry } from "../../src/core/message.ts";
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
  valuesIn,
} from "./store-fixture.ts";

const cart = keyFrom("cart");
const target = 7;

test("a stand-in's write is kept as a hint, and not as the node's own", async () => {
  const opened = await openStore();
  const { store } = opened;
  await coordinate(store, cart, change("milk"), { targets: [target] });
  expect(valuesIn(await heldOf(store, cart, [target]))).toEqual(["milk"]);
  expect(valuesIn(await heldOf(store, cart))).toEqual([]);
  expect(await countsOf(store)).toEqual([{ target, keys: 1 }]);
  await closeStore(opened);
});

test("hints for one key are one, and come in pages until all are dropped", async () => {
  const opened = await openStore();
  const { store } = opened;
  for (let i = 0; i < 50; i++) {
    const key = keyFrom(`key ${i % 25}`);
    await ask(store, keep({ key, versions: foreign(`value ${i}`) }));
  }
  expect(await countsOf(store)).toEqual([{ target, keys: 25 }]);
  const seen: string[] = [];
  for (let pages = 0; pages < 25; pages++) {
    const { entries, isLast } = await nextHints(store, 1000);
    for (const { key, versions } of entries) {
      expect(versions.siblings).toHaveLength(2);
      seen.push(Buffer.from(key.bytes).toString());
    }
    await ask(store, drop(entries));
    if (isLast) break;
  }
  expect(new Set(seen).size).toBe(25);
  expect(seen).toHaveLength(25);
  expect(await countsOf(store)).toEqual([]);
  await closeStore(opened);
});

test("a hint that was added below those handed over is found by the next page", async () => {
  const opened = await openStore();
  const { store } = opened;
  const keys = Array.from({ length: 20 }, (_, i) => keyFrom(`key ${i}`));
  const sorted = [...keys].sort((a, b) => a.high - b.high);
  const [lowest, ...others] = sorted;
  for (const key of others) await ask(store, keep({ key, versions: foreign("x") }));
  const first = await nextHints(store, 300);
  await ask(store, drop(first.entries));
  await nextHints(store, 300);
  await ask(store, keep({ key: lowest!, versions: foreign("y") }));
  const { entries } = await nextHints(store, 1 << 20);
  expect(entries).toHaveLength(others.length - first.entries.length + 1);
  await closeStore(opened);
});

test("a hint that changed since it was read stays", async () => {
  const opened = await openStore();
  const { store } = opened;
  await ask(store, keep({ key: cart, versions: foreign("old") }));
  const { entries } = await nextHints(store, 1000);
  await ask(store, keep({ key: cart, versions: foreign("new") }));
  await ask(store, drop(entries));
  expect(valuesIn(await heldOf(store, cart, [target]))).toEqual(["old", "new"]);
  await closeStore(opened);
});

test("a stand-in that handed over its hints does not claim what it gave away", async () => {
  const opened = await openStore();
  const { store } = opened;
  const first = await coordinate(store, cart, change("first"), { targets: [target] });
  const { entries } = await nextHints(store, 1000);
  await ask(store, drop(entries));
  const second = await coordinate(store, cart, change("second"), { targets: [target] });
  expect(valuesIn(merge(first.versions, second.versions))).toEqual(["first", "second"]);
  await closeStore(opened);
});

test("are counted again after opening, and bounded in bytes", async () => {
  const first = await openStore();
  for (let i = 0; i < 10; i++) {
    await ask(first.store, keep({ key: keyFrom(`key ${i}`), versions: foreign("x") }));
  }
  await closeStore(first);
  const second = await openStore(first.disk, { hintBytesMax: 100 });
  expect(await countsOf(second.store)).toEqual([{ target, keys: 10 }]);
  const refused = await ask(second.store, keep({ key: cart, versions: foreign("x") }));
  expect(refused).toMatchObject({ kind: "failed", code: "HINTS_FULL", applied: "no" });
  await expect(coordinate(second.store, cart, change("x"), { targets: [target] })).rejects.toThrow(
    "HINTS_FULL",
  );
  const elsewhere = { ...keep({ key: cart, versions: foreign("x") }), targets: [8] };
  expect(await ask(second.store, elsewhere)).toEqual({ kind: "durable" });
  await closeStore(second);
});

function keep(entry: Entry) {
  return { kind: "keep-hints", targets: [target], entry, round: 0 } as const;
}

function drop(entries: readonly Entry[]) {
  const dropped = entries.map(({ key, versions }) => ({ key, digest: digestOf(versions) }));
  return { kind: "drop-hints", target, entries: dropped } as const;
}

async function nextHints(store: Store, bytes: number) {
  const outcome = await ask(store, { kind: "read-hints", target, bytes });
  if (outcome.kind !== "hints") throw new Error(JSON.stringify(outcome));
  return outcome;
}

async function countsOf(store: Store) {
  const outcome = await ask(store, { kind: "count-hints" });
  if (outcome.kind !== "counts") throw new Error(JSON.stringify(outcome));
  return outcome.hints;
}
