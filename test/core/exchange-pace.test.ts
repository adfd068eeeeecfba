/** How much an exchange does at a time, so that requests do not wait for it, and how fast it is. */
import { describe, expect, test } from "vitest";
import { keyNumber, Town } from "../support/replica-town.ts";

const seed = Number(process.env["SEED"] ?? 1);

function haveConverged(town: Town): boolean {
  return town.state.owners.every((owners, partition) => {
    const roots = owners.map((id) => JSON.stringify(town.store(id).rootOf(partition)));
    return new Set(roots).size === 1;
  });
}

function hasPulled(town: Town): boolean {
  return town.sent.some(({ message }) => message.kind === "tree-pull");
}

describe(`replicas that differ in many keys (seed ${seed})`, () => {
  test("list and trade no more small keys at a time than one turn takes in quickly", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
    for (let i = 0; i < 12_000; i++) town.put(1, keyNumber(i), "x", [1]);
    town.start();
    town.run(120_000, () => haveConverged(town));
    expect(haveConverged(town)).toBe(true);
    const most = { entries: 0, digests: 0 };
    for (const { message } of town.sent) {
      if (message.kind === "tree-push") {
        most.entries = Math.max(most.entries, message.entries.length);
      } else if (message.kind === "tree-leaves") {
        most.digests = Math.max(most.digests, message.digests.length);
      }
    }
    expect(most.entries).toBeGreaterThan(64);
    expect(most.entries).toBeLessThanOrEqual(128);
    expect(most.digests).toBeGreaterThan(512);
    // The size of leaves is known from those before.
    expect(most.digests).toBeLessThan(1_300);
  });

  test("leave most of the time to requests while they fill, and none on command", () => {
    const tradeMs = (begin: (town: Town) => void): number => {
      const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
      for (let i = 0; i < 1_500; i++) town.put(1, keyNumber(i), "older", [1, 2]);
      town.start();
      town.run(5_000);
      for (let i = 0; i < 1_500; i++) town.put(2, keyNumber(i), "newer", [2]);
      town.sent.length = 0;
      begin(town);
      let from: number | undefined;
      town.run(60_000, () => {
        if (hasPulled(town)) from ??= town.now;
        return haveConverged(town);
      });
      expect(haveConverged(town)).toBe(true);
      return town.now - (from ?? town.now);
    };
    const filling = tradeMs((town) => {
      for (const partition of [0, 1]) town.life(1).standing.lost(town.now, partition);
    });
    const commanded = tradeMs((town) => town.life(1).exchanges.exchangeNow(() => undefined));
    expect(filling).toBeGreaterThan(2 * commanded);
  });
});
