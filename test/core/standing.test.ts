/** How far a node believes its own copies: after a start, a lost disk, a new epoch. */
import { describe, expect, test } from "vitest";
import type { Standing } from "../../src/core/message.ts";
import type { RingState } from "../../src/core/ring/ring-state.ts";
import { keyNumber, keysIn, memberOf, Town } from "../support/replica-town.ts";

const seed = Number(process.env["SEED"] ?? 1);

function standingsOf(town: Town, node: number): ReadonlySet<Standing> {
  const { standing } = town.life(node);
  const held = town.state.owners.flatMap((owners, partition) =>
    owners.includes(node) || isFuture(town.state, partition, node) ? [partition] : [],
  );
  return new Set(held.map((partition) => standing.of(partition)));
}

function isFuture(state: RingState, partition: number, node: number): boolean {
  return state.moves.some((move) => move.partition === partition && move.to.includes(node));
}

function areCurrent(town: Town, ...nodes: readonly number[]): boolean {
  return nodes.every((node) => [...standingsOf(town, node)].join() === "current");
}

/** Runs until all are current, and says how long it took. */
function settle(town: Town, ...nodes: readonly number[]): number {
  const begun = town.now;
  town.run(70_000, () => areCurrent(town, ...nodes));
  const took = town.now - begun;
  // What was found is written down a little later.
  town.run(600);
  return took;
}

/** Stops a node, and starts it again without or with its data. */
function bounce(town: Town, node: number, { isWiped }: { readonly isWiped: boolean }): void {
  town.stop(node);
  town.run(1_000);
  if (isWiped) town.wipe(node);
  town.start(node);
}

describe("at the first start", () => {
  test("a founder is current at once, and so it stays", () => {
    const town = new Town({ seed, nodes: 1 });
    town.start();
    town.run(50);
    expect([...standingsOf(town, 1)]).toEqual(["current"]);
    expect(town.life(1).standing.filling()).toBe(0);
    bounce(town, 1, { isWiped: false });
    town.run(50);
    expect([...standingsOf(town, 1)]).toEqual(["current"]);
  });

  test("a cluster without data is not stuck", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    expect(settle(town, 1, 2, 3)).toBeLessThan(2_500);
  });

  test("nothing is believed before the record was read", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
    expect(town.life(1).standing.filling()).toBeGreaterThan(0);
  });
});

describe("a node that was away", () => {
  test("is catching up until every live member has told it of its hints", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    town.stop(1);
    const keys = keysIn(0, 4, 100);
    for (const key of keys) {
      const entry = town.put(2, key, "x".repeat(3_000), [2]);
      town.store(2).keep(1, entry);
    }
    town.start(1);
    town.run(100);
    expect([...standingsOf(town, 1)]).toEqual(["catching-up"]);
    expect(town.life(1).standing.filling()).toBe(0);
    expect(settle(town, 1)).toBeLessThan(6_000);
    for (const key of keys) expect(town.store(1).versionsOf(key).siblings).toHaveLength(1);
  });

  test("does not wait for a member that is down, but gives it time to appear", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    town.stop(3);
    bounce(town, 1, { isWiped: false });
    const took = settle(town, 1);
    expect(took).toBeGreaterThan(4_900);
    expect(took).toBeLessThan(5_200);
  });

  test("catches up for a minute at most when nobody answers", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    for (const id of [1, 2, 3]) town.stop(id);
    town.start(1);
    const took = settle(town, 1);
    expect(took).toBeGreaterThan(59_900);
    expect(took).toBeLessThan(60_200);
  });

  test("is not misled by what was said to the process before it", () => {
    const town = new Town({ seed, nodes: 2, n: 2 });
    town.start();
    settle(town, 1, 2);
    const since = town.now - 5_000;
    town.store(2).failing.add("count-hints");
    bounce(town, 1, { isWiped: false });
    town.run(100);
    town.life(1).standing.noHints(town.now, 2, since);
    expect([...standingsOf(town, 1)]).toEqual(["catching-up"]);
    town.store(2).failing.clear();
    expect(settle(town, 1)).toBeLessThan(1_000);
  });
});

describe("a node whose disk was lost", () => {
  test("is rebuilding until it was compared with the other owners", () => {
    const town = new Town({ seed, nodes: 3 });
    const value = "x".repeat(3_000);
    for (let i = 0; i < 300; i++) town.put(2, keyNumber(i), value, [1, 2, 3]);
    town.start();
    settle(town, 1, 2, 3);
    bounce(town, 1, { isWiped: true });
    town.run(50);
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
    expect(town.life(1).standing.filling()).toBe(4);
    town.run(70_000, () => town.life(1).standing.filling() === 0);
    expect(town.store(1).data.size).toBe(300);
  });

  test("is filled with each key once, by whichever owner", () => {
    for (const wiped of [1, 2, 3]) {
      const town = new Town({ seed, nodes: 3, partitions: 16 });
      for (let i = 0; i < 2_000; i++) town.put(2, keyNumber(i), "x".repeat(500), [1, 2, 3]);
      town.start();
      settle(town, 1, 2, 3);
      bounce(town, wiped, { isWiped: true });
      town.sent.length = 0;
      settle(town, wiped);
      town.run(10_000);
      const carried = town.sent.map(({ message }) =>
        message.kind === "tree-push" ? message.entries.length : 0,
      );
      expect(carried.reduce((sum, each) => sum + each, 0)).toBeLessThan(2_500);
      expect(town.store(wiped).data.size).toBe(2_000);
    }
  });

  test("does not believe itself before it met whoever may hold what it acknowledged", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    town.stop(2);
    // Acknowledged by two of three, the one that is about to lose it and the one about to go.
    const { key } = town.put(1, keysIn(0, 4, 1)[0]!, "acknowledged", [1, 3]);
    town.stop(3);
    town.start(2);
    bounce(town, 1, { isWiped: true });
    town.run(100_000);
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
    town.start(3);
    settle(town, 1);
    expect(areCurrent(town, 1)).toBe(true);
    expect(town.store(1).versionsOf(key).siblings).toHaveLength(1);
  });

  test("goes on rebuilding after another restart", () => {
    const town = new Town({ seed, nodes: 3 });
    for (let i = 0; i < 300; i++) town.put(2, keyNumber(i), `value ${i}`, [1, 2, 3]);
    town.start();
    settle(town, 1, 2, 3);
    town.stop(2);
    bounce(town, 1, { isWiped: true });
    town.run(10_000);
    bounce(town, 1, { isWiped: false });
    town.run(10_000);
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
    town.start(2);
    settle(town, 1);
    expect(areCurrent(town, 1)).toBe(true);
  });

  test("rebuilds one partition when one was lost", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    town.life(1).standing.lost(town.now, 2);
    expect(town.life(1).standing.of(2)).toBe("rebuilding");
    expect(town.life(1).standing.of(1)).toBe("current");
    settle(town, 1);
    expect(areCurrent(town, 1)).toBe(true);
  });

  test("rebuilds nothing that it does not hold", () => {
    const town = new Town({ seed, nodes: 4 });
    town.start();
    settle(town, 1, 2, 3, 4);
    const foreign = town.state.owners.findIndex((owners) => !owners.includes(1));
    town.life(1).standing.lost(town.now, foreign);
    expect(town.life(1).standing.filling()).toBe(0);
  });

  test("rebuilds also what was found lost before its record was read", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    town.stop(1);
    town.start(1);
    town.life(1).standing.lost(town.now, 2);
    town.run(30);
    expect(town.life(1).standing.of(2)).toBe("rebuilding");
    expect(town.life(1).standing.of(1)).not.toBe("rebuilding");
    settle(town, 1);
    expect(areCurrent(town, 1)).toBe(true);
  });

  test("rebuilds too when its record is damaged, or of another form", () => {
    for (const record of [new Uint8Array(0), new Uint8Array(9), new Uint8Array(9).fill(255)]) {
      const town = new Town({ seed, nodes: 3 });
      town.start();
      settle(town, 1, 2, 3);
      town.stop(1);
      town.store(1).meta.set("standing", record);
      town.start(1);
      town.run(30);
      expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
      settle(town, 1);
      expect(areCurrent(town, 1)).toBe(true);
    }
  });
});

describe("a new owner", () => {
  /** Node 4 joins: it is to own every partition in the place of node 1. */
  function join(town: Town): void {
    town.change((state) => ({
      members: [...state.members, memberOf(4)],
      moves: state.owners.map((owners, partition) => ({
        partition,
        to: owners.map((id) => (id === 1 ? 4 : id)),
      })),
    }));
  }

  test("is rebuilding until it holds what the present owners hold", () => {
    const town = new Town({ seed, nodes: 3 });
    for (let i = 0; i < 300; i++) town.put(2, keyNumber(i), `value ${i}`, [1, 2, 3]);
    town.start();
    settle(town, 1, 2, 3);
    join(town);
    town.start(4);
    town.run(50);
    expect([...standingsOf(town, 4)]).toEqual(["rebuilding"]);
    expect(town.life(4).standing.filling()).toBe(4);
    town.run(20_000, () => town.life(4).standing.filling() === 0);
    expect(town.store(4).data.size).toBe(300);
    town.change((state) => ({ moves: [], owners: state.moves.map(({ to }) => to) }));
    expect(areCurrent(town, 2, 3, 4)).toBe(true);
    expect(town.life(1).standing.of(0)).not.toBe("current");
  });

  test("need not meet an owner that is down, once it has met a majority", () => {
    const town = new Town({ seed, nodes: 3 });
    for (let i = 0; i < 300; i++) town.put(2, keyNumber(i), `value ${i}`, [1, 2]);
    town.start();
    settle(town, 1, 2, 3);
    town.stop(3);
    join(town);
    town.start(4);
    town.run(20_000, () => town.life(4).standing.filling() === 0);
    expect(town.life(4).standing.filling()).toBe(0);
    expect(town.store(4).data.size).toBe(300);
  });

  test("does not count what it compared before the epoch had settled", () => {
    const town = new Town({ seed, nodes: 3 });
    const state = town.state;
    town.change(({ members }) => ({ members: [...members, memberOf(4)] }));
    town.start();
    settle(town, 1, 2, 3);
    town.change(() => ({
      moves: state.owners.map((owners, partition) => ({ partition, to: [4, ...owners.slice(1)] })),
    }));
    const { standing } = town.life(4);
    for (const peer of [1, 2, 3]) standing.visited(0, peer, town.now + 999);
    expect(standing.of(0)).toBe("rebuilding");
    for (const peer of [1, 2, 3]) standing.visited(0, peer, town.now + 1_000);
    expect(standing.of(0)).not.toBe("rebuilding");
  });

  test("waits for an owner that has not heard of the epoch: it may still write past it", () => {
    const town = new Town({ seed, nodes: 3 });
    for (let i = 0; i < 100; i++) town.put(2, keyNumber(i), `value ${i}`, [1, 2, 3]);
    town.start();
    settle(town, 1, 2, 3);
    town.epochs.set(3, town.state.epoch);
    join(town);
    town.start(4);
    town.run(20_000);
    expect(town.life(4).standing.filling()).toBe(4);
    town.epochs.clear();
    town.run(2_000);
    expect(town.life(4).standing.filling()).toBe(0);
  });

  test("that loses a partition and gets it again has to fill it again", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    const { owners } = town.state;
    town.change(() => ({ owners: owners.map(() => [2, 3]) }));
    town.change(() => ({ owners }));
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
    expect(areCurrent(town, 2, 3)).toBe(true);
  });

  test("of epochs that were not seen trusts what cannot have been lost meanwhile", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    const { epoch } = town.state;
    town.change(() => ({ epoch: epoch + 2 }));
    expect(areCurrent(town, 1, 2, 3)).toBe(true);
    town.change(() => ({ epoch: epoch + 5 }));
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
    settle(town, 1, 2, 3);
    expect(areCurrent(town, 1, 2, 3)).toBe(true);
  });

  test("of epochs that were not seen does not trust what it was about to lose", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    const { epoch } = town.state;
    town.change(({ members }) => ({
      members: [...members, memberOf(4)],
      moves: [{ partition: 0, to: [2, 3, 4] }],
    }));
    expect(areCurrent(town, 1, 2, 3)).toBe(true);
    // Unseen, the move has ended; then the newcomer was struck out, and node 1 owns again.
    town.change(({ members }) => ({ members: members.slice(0, 3), moves: [], epoch: epoch + 3 }));
    expect(town.life(1).standing.of(0)).toBe("rebuilding");
    expect(town.life(1).standing.of(1)).toBe("current");
    expect(areCurrent(town, 2, 3)).toBe(true);
  });

  test("knows after a crash what the epoch gave it, though nothing was written of it", () => {
    const town = new Town({ seed, nodes: 3 });
    town.start();
    settle(town, 1, 2, 3);
    const { owners } = town.state;
    town.change(() => ({ owners: owners.map(() => [2, 3]) }));
    settle(town, 2, 3);
    town.run(1_000);
    town.stop(1);
    town.change(() => ({ owners }));
    town.start(1);
    town.run(50);
    expect([...standingsOf(town, 1)]).toEqual(["rebuilding"]);
  });
});
