/** Anti-entropy among two to five replicas: what it finds, what it costs, what it survives. */
import { describe, expect, test } from "vitest";
import { isEqual, merge, noVersions, type Versions } from "../../src/core/clock/versions.ts";
import { type Key, nameOf } from "../../src/core/key.ts";
import type { Message, TreeMessage } from "../../src/core/message.ts";
import { keyNumber, keysIn, Town } from "../support/replica-town.ts";

const seed = Number(process.env["SEED"] ?? 1);

/** What all nodes together know of each key. */
function known(town: Town): Map<string, { key: Key; versions: Versions }> {
  const all = new Map<string, { key: Key; versions: Versions }>();
  for (const id of town.ids) {
    for (const { key, versions } of town.store(id).data.values()) {
      const before = all.get(nameOf(key))?.versions ?? noVersions;
      all.set(nameOf(key), { key, versions: merge(before, versions) });
    }
  }
  return all;
}

function haveConverged(town: Town): boolean {
  return town.state.owners.every((owners, partition) => {
    const roots = owners.map((id) => JSON.stringify(town.store(id).rootOf(partition)));
    return new Set(roots).size === 1;
  });
}

/** Writes at random owners, some of which miss each. */
function diverge(town: Town, { keys, writes }: { keys: number; writes: number }): void {
  const { random, state } = town;
  for (let i = 0; i < writes; i++) {
    const key = keyNumber(random.below(keys));
    const owners = state.owners[Math.floor(key.high / (2 ** 32 / state.owners.length))]!;
    const at = owners[random.below(owners.length)]!;
    const told = owners.filter((id) => id === at || random.below(3) === 0);
    town.put(at, key, random.below(8) === 0 ? undefined : `value ${i}`, told);
  }
}

function treeBytes(town: Town): number {
  // The header of a frame is shared by all that travels with it.
  return town.sent.filter(isTree).reduce((sum, { bytes }) => sum + bytes - 10, 0);
}

function isTree({ message }: { message: Message }): boolean {
  return message.kind.startsWith("tree-");
}

function countOf(town: Town, kind: TreeMessage["kind"]): number {
  return town.sent.filter(({ message }) => message.kind === kind).length;
}

describe("replicas that differ", () => {
  const worlds = [
    { nodes: 2, loss: 0, repeat: 0 },
    { nodes: 3, loss: 0, repeat: 0 },
    { nodes: 3, loss: 10, repeat: 20 },
    { nodes: 5, loss: 10, repeat: 20 },
  ];
  test.each(worlds)("come to hold the same: $nodes nodes, $loss % lost", (world) => {
    for (let round = 0; round < 5; round++) {
      const town = new Town({ ...world, seed: seed + round, delayMsMax: 40 });
      diverge(town, { keys: 60, writes: 200 });
      const all = known(town);
      town.start();
      town.run(120_000, () => haveConverged(town));
      expect(haveConverged(town), `seed ${seed + round}`).toBe(true);
      for (const { key, versions } of all.values()) {
        const { owners } = town.state;
        for (const id of owners[Math.floor(key.high / (2 ** 32 / owners.length))]!) {
          const isSame = isEqual(town.store(id).versionsOf(key), versions);
          expect(isSame, `seed ${seed + round}, node ${id}`).toBe(true);
        }
      }
    }
  });

  test("trade the keys that differ and no others", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
    for (let i = 0; i < 500; i++) town.put(1, keyNumber(i), "same", [1, 2]);
    town.start();
    town.run(5_000);
    for (let i = 0; i < 10; i++) town.put(1, keyNumber(i), "newer");
    for (let i = 10; i < 30; i++) town.put(2, keyNumber(i), "newer");
    for (let i = 30; i < 35; i++) {
      town.put(1, keyNumber(i), "left");
      town.put(2, keyNumber(i), "right");
    }
    town.sent.length = 0;
    town.run(60_000, () => haveConverged(town));
    town.run(2_000);
    const notices = town.notices.flatMap(({ notice }) =>
      notice.kind === "exchanged" ? [notice] : [],
    );
    // Node 1 begins: it takes in what is newer or beside its own, and gives what the other lacks.
    expect(notices.reduce((sum, { received }) => sum + received, 0)).toBe(25);
    expect(notices.reduce((sum, { sent }) => sum + sent, 0)).toBe(15);
    const carried = town.sent.flatMap(({ message }) =>
      message.kind === "tree-push" ? message.entries : [],
    );
    expect(carried.length).toBeLessThanOrEqual(35 + 15);
  });

  test("move much in pages of bounded size", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 8 });
    for (let i = 0; i < 300; i++) town.put(1 + (i % 2), keyNumber(i), "x".repeat(5_000));
    town.start();
    town.run(60_000, () => haveConverged(town));
    expect(haveConverged(town)).toBe(true);
    const pushes = town.sent.filter(({ message }) => message.kind === "tree-push");
    expect(Math.max(...pushes.map(({ bytes }) => bytes))).toBeLessThan(75_000);
    expect(pushes.length).toBeLessThan(80);
    // One partition at a time is traded by each node.
    for (const from of [1, 2]) {
      const order = town.sent.flatMap((each) =>
        each.from === from && each.message.kind === "tree-pull" ? [each.message.partition] : [],
      );
      const turns = order.filter((partition, i) => partition !== order[i - 1]);
      expect(turns).toHaveLength(new Set(order).size);
    }
  });

  test("are left alone while a write is only on its way", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
    for (let i = 0; i < 50; i++) town.put(1, keyNumber(i), "same", [1, 2]);
    town.start();
    town.run(20_000);
    town.sent.length = 0;
    for (let i = 0; i < 400; i++) {
      const entry = town.put(1, keyNumber(i % 50), `value ${i}`);
      town.run(100);
      town.store(2).join(entry);
    }
    expect(countOf(town, "tree-nodes")).toBeGreaterThan(4);
    // A leaf may look unequal twice by chance, with another write on its way each time.
    expect(countOf(town, "tree-push")).toBeLessThanOrEqual(3);
  });

  test("trade little of a leaf that never stands still, and yet do not starve it", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
    town.start();
    town.run(5_000);
    town.sent.length = 0;
    for (let i = 0; i < 3_000; i++) {
      const entry = town.put(1, keyNumber(1), `value ${i}`);
      town.run(100);
      town.store(2).join(entry);
    }
    // About 30 rounds, of which each fourth trades.
    expect(countOf(town, "tree-leaves")).toBeGreaterThan(2);
    expect(countOf(town, "tree-leaves")).toBeLessThan(2 * 18);
  });

  test.each([1, 2])("wait for the trees of node %i, which are still being made", (node) => {
    const town = new Town({ seed, nodes: 2, n: 2 });
    diverge(town, { keys: 20, writes: 40 });
    town.store(node).isMakingTrees = true;
    town.start();
    town.run(15_000);
    expect(haveConverged(town)).toBe(false);
    town.store(node).isMakingTrees = false;
    town.run(30_000, () => haveConverged(town));
    expect(haveConverged(town)).toBe(true);
    town.run(2_000);
    for (const id of [1, 2]) expect(town.life(id).standing.filling()).toBe(0);
  });

  test("go on where a peer died in the middle", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
    for (let i = 0; i < 2_000; i++) town.put(1, keyNumber(i), "x".repeat(500));
    town.start();
    town.run(60_000, () => town.store(2).data.size > 200);
    town.stop(2);
    expect(haveConverged(town)).toBe(false);
    town.run(10_000);
    town.start(2);
    town.run(60_000, () => haveConverged(town));
    expect(haveConverged(town)).toBe(true);
  });

  test("are nobody's affair any more once the ring has taken the partition away", () => {
    const town = new Town({ seed, nodes: 3, n: 2, partitions: 2 });
    const keys = keysIn(0, 2, 500);
    for (const key of keys) town.put(2, key, "x".repeat(500));
    town.start();
    town.run(60_000, () => town.store(1).data.size > 100);
    expect(town.store(1).data.size).toBeLessThan(keys.length);
    town.change(({ owners }) => ({ owners: owners.map((row, at) => (at === 0 ? [2, 3] : row)) }));
    // What it had is forgotten: no answer still on its way may bring any of it back.
    town.store(1).data.clear();
    town.run(5_000);
    expect([...town.store(1).data.values()].filter(({ key }) => key.high < 2 ** 31)).toEqual([]);
  });

  test("do without a node whose disk is full until it is not", () => {
    const town = new Town({ seed, nodes: 2, n: 2 });
    diverge(town, { keys: 20, writes: 40 });
    town.store(2).failing.add("merge");
    town.start();
    town.run(20_000);
    town.store(2).failing.clear();
    town.run(60_000, () => haveConverged(town));
    expect(haveConverged(town)).toBe(true);
  });
});

describe("the cost", () => {
  test("one stale key among 100,000 of a partition is found with 3 KB of messages", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 2 });
    const keys = keysIn(0, 2, 100_000);
    const entry = town.put(1, keys[0]!, "same", [1, 2]);
    for (const key of keys.slice(1)) {
      town.store(1).join({ key, versions: entry.versions });
      town.store(2).join({ key, versions: entry.versions });
    }
    town.start();
    town.run(20_000, () => town.life(2).standing.filling() === 0);
    town.put(1, keys[777]!, "newer");
    town.run(15_000);
    town.sent.length = 0;
    town.put(1, keys[4_242]!, "newer");
    town.run(60_000, () => haveConverged(town));
    expect(haveConverged(town)).toBe(true);
    expect(treeBytes(town)).toBeLessThan(3_000);
    expect(treeBytes(town)).toBeGreaterThan(1_000);
  });

  test("in sync: one hash a partition, in a question and an answer of 35 bytes", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 256 });
    for (let i = 0; i < 2_000; i++) town.put(1, keyNumber(i), "same", [1, 2]);
    town.start();
    town.run(5_000);
    town.sent.length = 0;
    town.run(10_000);
    const opens = countOf(town, "tree-open");
    expect(opens).toBeGreaterThan(240);
    expect(opens).toBeLessThan(270);
    expect(town.sent.filter(isTree)).toHaveLength(2 * opens);
    expect(treeBytes(town) / opens).toBeLessThanOrEqual(35);
  });

  test("falls with the share that the budget leaves", () => {
    const town = new Town({ seed, nodes: 2, n: 2, partitions: 256 });
    town.start();
    town.run(5_000);
    town.share = 0.1;
    town.sent.length = 0;
    town.run(20_000);
    expect(countOf(town, "tree-open")).toBeGreaterThan(40);
    expect(countOf(town, "tree-open")).toBeLessThan(60);
  });
});

describe("an operator's repair", () => {
  test("compares everything at once and says what it moved", () => {
    const town = new Town({ seed, nodes: 3, partitions: 64 });
    town.start();
    town.run(5_000);
    diverge(town, { keys: 200, writes: 400 });
    town.share = 0.02;
    const outcomes: unknown[] = [];
    for (const id of town.ids) town.life(id).exchanges.exchangeNow((each) => outcomes.push(each));
    town.run(30_000, () => outcomes.length === 3);
    expect(outcomes).toHaveLength(3);
    expect(haveConverged(town)).toBe(true);
    expect(outcomes).toContainEqual(expect.objectContaining({ partitions: 128, failed: 0 }));
    const moved = (outcomes as { sent: number; received: number }[]).reduce(
      (sum, { sent, received }) => sum + sent + received,
      0,
    );
    expect(moved).toBeGreaterThan(100);
  });

  test("ends also when a peer dies, and counts what was not compared", () => {
    const town = new Town({ seed, nodes: 3, partitions: 64 });
    town.start();
    town.run(5_000);
    diverge(town, { keys: 200, writes: 400 });
    const outcomes: { partitions: number; failed: number }[] = [];
    town.life(1).exchanges.exchangeNow((each) => outcomes.push({ ...each }));
    town.run(30);
    town.stop(3);
    town.run(30_000);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]!.failed).toBeGreaterThan(0);
    expect(outcomes[0]!.partitions + outcomes[0]!.failed).toBe(128);
  });

  test("does not count as sent what the peer could not store", () => {
    const town = new Town({ seed, nodes: 2, n: 2 });
    town.start();
    town.run(5_000);
    town.put(1, keyNumber(1), "newer");
    town.store(2).failing.add("merge");
    const outcomes: unknown[] = [];
    town.life(1).exchanges.exchangeNow((each) => outcomes.push(each));
    town.run(5_000);
    expect(outcomes).toEqual([{ partitions: 3, sent: 0, received: 0, failed: 1 }]);
  });

  test("of a node alone is done at once", () => {
    const town = new Town({ seed, nodes: 1 });
    town.start();
    town.run(100);
    const outcomes: unknown[] = [];
    town.life(1).exchanges.exchangeNow((each) => outcomes.push(each));
    expect(outcomes).toEqual([{ partitions: 0, sent: 0, received: 0, failed: 0 }]);
  });
});

describe("questions that make no sense", () => {
  const about = { exchange: 7, partition: 0 };
  const bad: readonly TreeMessage[] = [
    { kind: "tree-open", exchange: 7, partition: 99, round: 0, root: { high: 0, low: 0 } },
    { kind: "tree-nodes", ...about, level: 1, parents: [32], hashes: [] },
    { kind: "tree-nodes", ...about, level: 1, parents: Array(33).fill(1), hashes: [] },
    { kind: "tree-leaves", ...about, leaves: [1024], digests: [] },
    { kind: "tree-leaves", ...about, leaves: Array(1025).fill(1), digests: [] },
    { kind: "tree-pull", ...about, tokens: Array(5_000).fill({ high: 1, low: 1 }) },
    {
      kind: "tree-push",
      ...about,
      entries: [{ key: keysIn(1, 4, 1)[0]!, versions: noVersions }],
      round: 0,
    },
  ];
  test.each(bad)("are refused: $kind", (message) => {
    const town = new Town({ seed, nodes: 2, n: 2 });
    town.start();
    town.run(5_000);
    town.sent.length = 0;
    town.life(1).exchanges.receive(town.now, 2, message);
    const answers = town.sent.map((each) => each.message);
    expect(answers).toEqual([
      { kind: "tree-close", exchange: 7, partition: message.partition, outcome: "refused" },
    ]);
  });

  test("an answer from another than was asked is none", () => {
    const town = new Town({ seed, nodes: 3, partitions: 2 });
    town.start();
    town.run(5_000);
    town.put(1, keysIn(0, 2, 1)[0]!, "newer");
    town.sent.length = 0;
    const done: unknown[] = [];
    town.life(1).exchanges.exchangeNow((each) => done.push(each), [0]);
    const isOpen = (message: Message) => message.kind === "tree-open" && message.partition === 0;
    const opens = () => town.sent.filter(({ from, message }) => from === 1 && isOpen(message));
    town.run(1_000, () => opens().length === 2);
    for (const { to, message } of opens()) {
      const { exchange } = message as TreeMessage;
      const liar = to === 2 ? 3 : 2;
      const lie = { kind: "tree-close", exchange, partition: 0, outcome: "equal" } as const;
      town.life(1).exchanges.receive(town.now, liar, lie);
    }
    town.run(5_000, () => done.length > 0);
    expect(done).toEqual([{ partitions: 2, sent: 2, received: 0, failed: 0 }]);
  });

  test("answers without a question change nothing", () => {
    const town = new Town({ seed, nodes: 2, n: 2 });
    town.start();
    town.run(5_000);
    town.sent.length = 0;
    const entries = [{ key: keysIn(0, 4, 1)[0]!, versions: noVersions }];
    for (const outcome of ["equal", "repaired", "busy", "refused"] as const) {
      town
        .life(1)
        .exchanges.receive(town.now, 2, { ...about, kind: "tree-close", exchange: 8, outcome });
    }
    town.life(1).exchanges.receive(town.now, 2, {
      ...about,
      kind: "tree-push",
      exchange: 8,
      entries,
      round: 0,
    });
    expect(town.sent).toEqual([]);
    expect(town.store(1).data.size).toBe(0);
  });
});
