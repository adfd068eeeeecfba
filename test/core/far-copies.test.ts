/**
 * What brings the copies of two data centres together when nobody writes: hints for a whole data
 * centre, the slow comparison across, and what a node must have met before it is believed.
 */
import { describe, expect, test } from "vitest";
import { isEqual } from "../../src/core/clock/versions.ts";
import { addresseesOf, heirsOf, neighboursOf } from "../../src/core/hint-addresses.ts";
import type { Entry } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { Rotation } from "../../src/core/sync/rotation.ts";
import { keyNumber, keysIn, memberOf, Town } from "../support/replica-town.ts";

const seed = Number(process.env["SEED"] ?? 1);
const partitions = 4;
const row = [1, 2, 3, 4, 5, 6];

/** Nodes up to 3 are in the west, all others in the east. */
function memberIn(id: number): Member {
  return { ...memberOf(id), dc: id <= 3 ? "west" : "east" };
}

function stateOf(owners: readonly (readonly number[])[], count = 6): RingState {
  const members = Array.from({ length: count }, (_, i) => memberIn(i + 1));
  return {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 3, members, owners },
    ...{ moves: [], buckets: [], staged: [] },
  };
}

/** All six own everything; the east may have a node more, which owns nothing. */
function townOf(nodes = 6): Town {
  const town = new Town({ seed, nodes, n: 3, partitions });
  town.change(() => {
    const { members, owners } = stateOf(Array(partitions).fill(row), nodes);
    return { members, owners };
  });
  return town;
}

function isFar(from: number, to: number): boolean {
  return from <= 3 !== to <= 3;
}

/** Entries that crossed between the data centres. */
function crossed(town: Town): number {
  return town.sent
    .filter(({ from, to }) => isFar(from, to))
    .reduce((sum, { message }) => sum + ("entries" in message ? message.entries.length : 0), 0);
}

function has(town: Town, node: number, entries: readonly Entry[]): boolean {
  return entries.every(({ key, versions }) => isEqual(town.store(node).versionsOf(key), versions));
}

function areCurrent(town: Town, node: number): boolean {
  const { standing } = town.life(node);
  return [0, 1, 2, 3].every((partition) => standing.of(partition) === "current");
}

function isSettled(town: Town, node: number): boolean {
  return town.life(node).standing.filling() === 0;
}

function settle(town: Town, node: number): void {
  town.run(70_000, () => areCurrent(town, node));
  expect(areCurrent(town, node), `seed ${seed}`).toBe(true);
}

/** What node 1 wrote while the east was away: its hints are kept under the name of node 4. */
function keepHints(town: Town, count: number): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => {
    const entry = town.put(1, keyNumber(i), "kept", [1, 2, 3]);
    town.store(1).keep(4, entry);
    return entry;
  });
}

describe("a hint for another data centre", () => {
  for (const [title, dead] of [
    ["reaches all owners there, and crosses once", []],
    ["goes to another owner there while the one that it names is dead", [4]],
    ["reaches those who live there at once, and the dead when they are back", [4, 6]],
  ] as const) {
    test(title, () => {
      const town = townOf();
      town.start();
      for (const id of row) settle(town, id);
      for (const id of dead) town.stop(id);
      const before = crossed(town);
      const entries = keepHints(town, 200);
      const living = [4, 5, 6].filter((id) => !dead.includes(id as never));
      const areThere = (nodes: readonly number[]): boolean =>
        nodes.every((id) => has(town, id, entries));
      town.run(8_000, () => areThere(living));
      expect(areThere(living), `seed ${seed}`).toBe(true);
      town.run(2_000);
      expect(town.store(1).hints.get(4)?.size ?? 0).toBe(0);
      expect(crossed(town) - before).toBe(200);
      if (dead.length > 0) town.start(...dead);
      town.run(8_000, () => areThere([4, 5, 6]));
      expect(areThere([4, 5, 6]), `seed ${seed}`).toBe(true);
    });
  }

  test("does not wait behind those whose owners there are all dead", () => {
    const town = townOf(9);
    const other = [1, 2, 3, 4, 8, 9];
    town.change(() => ({ owners: [row, other, row, other] }));
    town.start();
    for (const id of [1, 2, 3, 4, 5, 6, 8, 9]) town.run(70_000, () => isSettled(town, id));
    for (const id of [4, 5, 6]) town.stop(id);
    const entries = keepHints(town, 60);
    const theirs = entries.filter(({ key }) => Math.floor(key.high / 2 ** 30) % 2 === 1);
    expect(theirs.length).toBeGreaterThan(10);
    town.run(8_000, () => has(town, 8, theirs) && has(town, 9, theirs));
    expect(has(town, 8, theirs) && has(town, 9, theirs)).toBe(true);
    town.start(4, 5, 6);
    town.run(40_000, () =>
      has(
        town,
        5,
        entries.filter((entry) => !theirs.includes(entry)),
      ),
    );
    expect(town.store(1).hints.get(4)?.size ?? 0).toBe(0);
  });

  test("stays until somebody there has made it durable, and kept it for the others", () => {
    const town = townOf();
    town.start();
    for (const id of row) settle(town, id);
    for (const id of [4, 5, 6]) town.store(id).failing.add("keep-hints");
    const entries = keepHints(town, 50);
    town.run(6_000);
    expect(town.store(1).hints.get(4)?.size).toBe(50);
    for (const id of [4, 5, 6]) town.store(id).failing.clear();
    town.run(40_000, () => [4, 5, 6].every((id) => has(town, id, entries)));
    expect([4, 5, 6].every((id) => has(town, id, entries))).toBe(true);
  });
});

describe("the addressees of a hint", () => {
  const [key] = keysIn(0, partitions, 1) as [ReturnType<typeof keyNumber>];
  const owners = [row, row, row, row];
  const at = (self: number, more: Partial<RingState> = {}): Ring =>
    new Ring({ ...stateOf(owners, 7), ...more }, self);

  test("near by are the node itself or nobody", () => {
    expect(addresseesOf(at(1), 2, key)).toEqual([2]);
    expect(addresseesOf(at(4), 7, key)).toEqual([]);
  });

  test("far away are all owners of that data centre, the node itself first", () => {
    expect(addresseesOf(at(1), 5, key)).toEqual([5, 4, 6]);
    expect(addresseesOf(at(1), 7, key)).toEqual([4, 5, 6]);
  });

  test("who takes it in passes it on to the others beside it", () => {
    expect(neighboursOf(at(5), key)).toEqual([4, 6]);
    expect(neighboursOf(at(2), key)).toEqual([1, 3]);
  });

  test("are replaced by those who hold the key now, one for another data centre", () => {
    const moved = { owners: [[1, 2, 3, 5, 6, 7], row, row, row] };
    expect(heirsOf(at(5, moved), 4, key)).toEqual([5, 6, 7]);
    expect(heirsOf(at(1, moved), 4, key)).toEqual([5]);
  });

  test("of a data centre that owns nothing any more are owners here, and one elsewhere", () => {
    const south = { ...memberIn(8), dc: "south" };
    const members = [...stateOf(owners, 7).members, south];
    const left = { members, owners: [[1, 2, 3, 8], row, row, row] };
    expect(heirsOf(at(1, left), 5, key)).toEqual([1, 2, 3, 8]);
  });
});

describe("comparing in turn", () => {
  const pace = { roundMs: 1_000, farRoundMs: 10_000, share: 1, isLive: () => true };

  /** The pairs that a node takes in so long, by its peers. */
  function taken(self: number, ms: number, more: Partial<typeof pace> = {}): Map<number, number> {
    const ring = new Ring(stateOf([row, [2, 3, 1, 5, 6, 4], row, [3, 1, 2, 6, 4, 5]]), self);
    const rotation = new Rotation();
    const counts = new Map<number, number>();
    for (let now = 0; now <= ms; now += 10) {
      for (const { peer } of rotation.take(now, ring, { ...pace, ...more })) {
        counts.set(peer, (counts.get(peer) ?? 0) + 1);
      }
    }
    return counts;
  }

  test("is with every owner near by, and with one far away for each partition, slowly", () => {
    const all = [4, 5, 6].flatMap((self) => [...taken(self, 20_010)]);
    const near = all.filter(([peer]) => peer > 3).reduce((sum, [, count]) => sum + count, 0);
    const far = all.filter(([peer]) => peer <= 3).reduce((sum, [, count]) => sum + count, 0);
    // Three pairs a partition in 20 rounds, and one in two of the slow rounds.
    expect(Math.abs(near - 3 * partitions * 20)).toBeLessThanOrEqual(3);
    expect(Math.abs(far - partitions * 2)).toBeLessThanOrEqual(3);
  });

  test("across is begun by one side only, the one whose name comes first", () => {
    for (const self of [1, 2, 3]) {
      expect([...taken(self, 20_010).keys()].filter((peer) => peer > 3)).toEqual([]);
    }
    const first = [4, 5, 6].flatMap((self) => [...taken(self, 20_010).keys()]);
    expect(first.some((peer) => peer <= 3)).toBe(true);
  });

  test("across goes on with the next owner where the first of either side is dead", () => {
    const isLive = (node: number): boolean => node !== 4 && node !== 1;
    const peers = [...taken(5, 40_000, { isLive: isLive as never }).keys()];
    expect(peers).toContain(2);
    expect(peers).not.toContain(1);
  });
});

describe("a node without its data", () => {
  /** Node 3 comes back with an empty disk. */
  function wiped(town: Town): void {
    town.stop(3);
    town.run(200);
    town.wipe(3);
    town.start(3);
  }

  test("is believed after a majority of its own data centre, while the other is away", () => {
    const town = townOf();
    town.start();
    for (const id of row) settle(town, id);
    const entries = Array.from({ length: 40 }, (_, i) => town.put(1, keyNumber(i), "v", [1, 2, 3]));
    for (const id of [4, 5, 6]) town.stop(id);
    wiped(town);
    settle(town, 3);
    expect(has(town, 3, entries)).toBe(true);
  });

  test("is not believed on the word of the other data centre alone", () => {
    const town = townOf();
    town.start();
    for (const id of row) settle(town, id);
    for (const id of [1, 2]) town.stop(id);
    wiped(town);
    town.run(30_000);
    expect(town.life(3).standing.of(0)).toBe("rebuilding");
    town.start(1, 2);
    settle(town, 3);
  });

  test("takes nearly all of it from near by", () => {
    const town = townOf();
    for (let i = 0; i < 300; i++) town.put(1, keyNumber(i), `value ${i}`, row);
    town.start();
    for (const id of row) settle(town, id);
    const before = crossed(town);
    wiped(town);
    settle(town, 3);
    expect(crossed(town) - before).toBe(0);
  });

  test("that is the first of its data centre is filled by a majority of another", () => {
    const town = townOf();
    const entries = Array.from({ length: 40 }, (_, i) => town.put(1, keyNumber(i), "v", [1, 2]));
    const south = { ...memberIn(7), dc: "south" };
    town.change(({ members, owners }) => ({
      members: [...members, south],
      moves: owners.map((_, partition) => ({ partition, to: [...row, 7] })),
    }));
    town.start(1, 2, 3, 4, 5, 6);
    town.run(2_000);
    for (const id of [2, 3]) town.stop(id);
    for (const id of [4, 5]) town.stop(id);
    town.start(7);
    town.run(20_000);
    // One owner of each is no majority of either.
    expect(town.life(7).standing.of(0)).toBe("rebuilding");
    town.start(2, 3);
    settle(town, 7);
    expect(has(town, 7, entries)).toBe(true);
  });
});
