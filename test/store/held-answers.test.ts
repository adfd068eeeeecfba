/** Answers wait for the disk: also of work that found done already what it was to do. */
import { expect, test } from "vitest";
import type { Engine } from "../../native-free-engine/index.ts";
import { Store } from "../../src/store/store.ts";
import { ask, foreign, keyFrom, newActor, openStore, partitions } from "./store-fixture.ts";

test("a merge of nothing new is answered once what is there is durable, not before", async () => {
  const { engine, store: idle } = await openStore();
  await idle.close();
  const gate = { open: (): void => {}, isShut: true };
  const store = await Store.open({ engine: slow(engine, gate), partitions, newActor });
  const entries = [{ key: keyFrom("cart"), versions: foreign("theirs") }];
  const answered: string[] = [];
  const merges = ["first", "again"].map(async (name) => {
    await ask(store, { kind: "merge", entries, round: 0 });
    answered.push(name);
  });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(answered).toEqual([]);
  gate.isShut = false;
  gate.open();
  await Promise.all(merges);
  expect([...answered].sort()).toEqual(["again", "first"]);
  await store.close();
  await engine.close();
});

/** The engine, whose writes wait for the gate. */
function slow(engine: Engine, gate: { open: () => void; readonly isShut: boolean }): Engine {
  const opened = new Promise<void>((resolve) => {
    gate.open = resolve;
  });
  return new Proxy(engine, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const isWrite = gate.isShut && (name === "put" || name === "batch");
      if (!isWrite) return value.bind(target);
      return (...given: unknown[]) => opened.then(() => value.apply(target, given));
    },
  });
}
