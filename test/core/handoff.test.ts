/** Hinted handoff: hints reach those they are for, and go only once they are durable there. */
import { describe, expect, test } from "vitest";
import { isEqual } from "../../src/core/clock/versions.ts";
import type { StoreOutcome } from "../../src/core/event.ts";
import { Handoff, handoffDefaults } from "../../src/core/handoff.ts";
import { nameOf } from "../../src/core/key.ts";
import type { Entry, Message } from "../../src/core/message.ts";
import { seededRandom } from "../../src/core/random.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { keysIn, memberOf, Town } from "../support/replica-town.ts";

const seed = Number(process.env["SEED"] ?? 1);

/** Node 4 stands in for node 2: it alone knows of these writes. */
function keepHints(town: Town, count: number, value = "kept"): readonly Entry[] {
  return keysIn(1, 4, count).map((key) => {
    const entry = town.put(3, key, value, [3]);
    town.store(4).keep(2, entry);
    return entry;
  });
}

/** Of four nodes partition 1 belongs to 2 and 3. */
function townOfFour(more: { readonly loss?: number; readonly repeat?: number } = {}): Town {
  return new Town({ seed, nodes: 4, n: 2, partitions: 4, ...more });
}

function has(town: Town, node: number, entries: readonly Entry[]): boolean {
  return entries.every(({ key, versions }) => isEqual(town.store(node).versionsOf(key), versions));
}

function keptFor(town: Town, holder: number, target: number): number {
  return town.store(holder).hints.get(target)?.size ?? 0;
}

function batches(town: Town, from: number, to: number) {
  return town.sent.filter((each) => each.from === from && each.to === to && isHints(each));
}

function isHints({ message }: { message: { kind: string } }): boolean {
  return message.kind === "hints";
}

describe("hints", () => {
  test("wait while their target is down, and reach it when it is back", () => {
    const town = townOfFour();
    town.start(1, 3, 4);
    const entries = keepHints(town, 300);
    town.run(10_000);
    expect(batches(town, 4, 2)).toEqual([]);
    expect(town.life(4).handoff.pending()).toBe(300);
    town.start(2);
    town.run(2_600, () => has(town, 2, entries));
    expect(has(town, 2, entries)).toBe(true);
    town.run(1_000);
    expect(keptFor(town, 4, 2)).toBe(0);
    expect(town.life(4).handoff.pending()).toBe(0);
  });

  test("kept before a restart are delivered by the next process", () => {
    const town = townOfFour();
    const entries = keepHints(town, 20);
    town.start();
    town.run(3_000);
    expect(has(town, 2, entries)).toBe(true);
    expect(keptFor(town, 4, 2)).toBe(0);
  });

  test("travel in batches of bounded size, one at a time", () => {
    const town = townOfFour();
    const entries = keepHints(town, 300, "x".repeat(3_000));
    town.start();
    town.run(6_000);
    expect(has(town, 2, entries)).toBe(true);
    const sent = batches(town, 4, 2);
    expect(sent.length).toBeGreaterThan(10);
    expect(Math.max(...sent.map(({ bytes }) => bytes))).toBeLessThan(75_000);
  });

  test("arrive over a network that loses and repeats", () => {
    const town = townOfFour({ loss: 30, repeat: 30 });
    const entries = keepHints(town, 300, "x".repeat(3_000));
    town.start();
    town.run(600_000, () => keptFor(town, 4, 2) === 0);
    expect(keptFor(town, 4, 2), `seed ${seed}`).toBe(0);
    expect(has(town, 2, entries), `seed ${seed}`).toBe(true);
  });

  test("stay while the target cannot make them durable", () => {
    const town = townOfFour();
    const entries = keepHints(town, 20);
    town.store(2).failing.add("merge");
    town.start();
    town.run(60_000);
    expect(keptFor(town, 4, 2)).toBe(20);
    expect(batches(town, 4, 2).length).toBeGreaterThan(2);
    expect(batches(town, 4, 2).length).toBeLessThan(15);
    town.store(2).failing.clear();
    town.run(40_000);
    expect(keptFor(town, 4, 2)).toBe(0);
    expect(has(town, 2, entries)).toBe(true);
  });

  test("that change on the way stay, and are delivered again", () => {
    const town = townOfFour();
    const [entry] = keepHints(town, 1);
    town.start();
    town.run(5_000, () => batches(town, 4, 2).length > 0);
    const newer = town.put(3, entry!.key, "newer", [3]);
    town.store(4).keep(2, newer);
    town.run(5_000);
    expect(batches(town, 4, 2)).toHaveLength(2);
    expect(has(town, 2, [newer])).toBe(true);
    expect(keptFor(town, 4, 2)).toBe(0);
  });

  test("of a node that left go to the present owners", () => {
    const town = townOfFour();
    town.start(1, 3, 4);
    const entries = keepHints(town, 50);
    town.run(2_000);
    town.change((state) => ({
      members: state.members.map((one) => (one.id === 2 ? { ...one, state: "left" } : one)),
      owners: state.owners.map((owners) => owners.map((id) => (id === 2 ? 1 : id))),
    }));
    town.run(6_000, () => has(town, 1, entries));
    expect(has(town, 1, entries)).toBe(true);
    town.run(6_000);
    for (const target of [1, 2, 3]) expect(keptFor(town, 4, target)).toBe(0);
  });

  test("of a node that was replaced go to the newcomer in its place", () => {
    const town = townOfFour();
    town.start(1, 3, 4);
    const entries = keepHints(town, 50);
    town.run(2_000);
    town.change((state) => ({
      members: [
        ...state.members.map((one) => (one.id === 2 ? { ...one, state: "left" as const } : one)),
        memberOf(5),
      ],
      owners: state.owners.map((owners) => owners.map((id) => (id === 2 ? 5 : id))),
    }));
    town.run(2_000);
    // Not before it has them: it starts later.
    expect(keptFor(town, 4, 2) + keptFor(town, 4, 5)).toBeGreaterThanOrEqual(50);
    town.start(5);
    town.run(8_000);
    expect(has(town, 5, entries)).toBe(true);
    for (const target of [2, 5]) expect(keptFor(town, 4, target)).toBe(0);
  });

  test("of keys that moved go to the owners they have now, this node among them", () => {
    const town = townOfFour();
    town.start(1, 4);
    const entries = keepHints(town, 50);
    town.run(2_000);
    town.change((state) => ({ owners: state.owners.map(() => [4, 1]) }));
    town.start(2);
    town.run(8_000);
    expect(has(town, 4, entries)).toBe(true);
    expect(has(town, 1, entries)).toBe(true);
    expect(town.store(2).data.size).toBe(0);
    expect(keptFor(town, 4, 2)).toBe(0);
  });

  test("that cannot be moved on are not dropped", () => {
    const town = townOfFour();
    town.start(1, 3, 4);
    keepHints(town, 50);
    town.run(2_000);
    town.store(4).failing.add("keep-hints");
    town.change((state) => ({ owners: state.owners.map(() => [1, 3]) }));
    town.start(2);
    town.run(30_000);
    expect(keptFor(town, 4, 2)).toBe(50);
  });

  test("are refused by a node that does not hold their keys", () => {
    const town = townOfFour();
    town.start();
    town.run(3_000);
    const entry = town.put(3, keysIn(1, 4, 1)[0]!, "kept", [3]);
    town
      .life(1)
      .handoff.receive(town.now, 4, { kind: "hints", request: 7, entries: [entry], round: 0 });
    const answers = town.sent.filter(({ message }) => message.kind === "hints-reply");
    expect(answers.map(({ message }) => message)).toEqual([
      { kind: "hints-reply", request: 7, stored: false },
    ]);
    expect(town.store(1).data.has(nameOf(entry.key))).toBe(false);
  });

  test("of many keepers reach one target, which takes in a few batches at a time", () => {
    const town = new Town({ seed, nodes: 12, n: 2, partitions: 4 });
    const entries = keysIn(1, 4, 100).map((key) => town.put(3, key, "kept", [3]));
    for (let id = 4; id <= 12; id++) for (const entry of entries) town.store(id).keep(2, entry);
    town.start();
    town.run(30_000, () => keepers(town).length === 0);
    expect(keepers(town)).toEqual([]);
    expect(has(town, 2, entries)).toBe(true);
  });
});

test("a node takes in so many batches at a time, and refuses more", () => {
  const town = townOfFour();
  town.start();
  town.run(3_000);
  town.sent.length = 0;
  const entry = town.put(3, keysIn(1, 4, 1)[0]!, "kept", [3]);
  for (let request = 1; request <= 6; request++) {
    const message = { kind: "hints", request, entries: [entry], round: 0 } as const;
    town.life(2).handoff.receive(town.now, 4, message);
  }
  town.run(1_000);
  const stored = town.sent.flatMap(({ message }) =>
    message.kind === "hints-reply" ? [message.stored] : [],
  );
  expect([...stored].sort()).toEqual([false, false, true, true, true, true]);
});

test("what was counted before a target came up is not told to it", () => {
  const town = townOfFour();
  town.start(1, 3, 4);
  town.run(3_000);
  const counts: ((outcome: StoreOutcome, now: number) => void)[] = [];
  const sent: Message[] = [];
  let isUp = false;
  const handoff = new Handoff({
    self: 4,
    out: {
      send: (_to, message) => sent.push(message),
      store: (_work, then) => counts.push(then),
      notice: () => {},
    },
    random: seededRandom(seed),
    liveness: {
      ...{ isLive: () => isUp, latencyMs: () => 1, late: () => false },
      ...{ answered: () => {}, missed: () => {} },
    },
    tuning: handoffDefaults,
    ring: () => new Ring(town.state, 4),
    startedOf: () => 77,
    share: () => 1,
    onNoHints: () => {},
  });
  handoff.tick(1_000);
  isUp = true;
  handoff.tick(1_010);
  counts[0]!({ kind: "counts", hints: [] }, 1_020);
  expect(sent).toEqual([]);
  handoff.tick(1_030);
  counts[1]!({ kind: "counts", hints: [{ target: 2, keys: 1 }] }, 1_040);
  expect(sent).toEqual(Array(2).fill({ kind: "no-hints", since: 77 }));
});

function keepers(town: Town): readonly number[] {
  return town.ids.filter((id) => keptFor(town, id, 2) > 0);
}

describe("a target with nothing kept for it", () => {
  const says = (town: Town, from: number, to: number) =>
    town.sent.filter(
      (each) => each.from === from && each.to === to && each.message.kind === "no-hints",
    );

  test("is told so, for the process that runs now, and then left in peace", () => {
    const town = townOfFour();
    town.start();
    const since = town.now;
    town.run(60_000);
    const said = says(town, 4, 2);
    expect(said.map(({ message }) => message)).toEqual(Array(3).fill({ kind: "no-hints", since }));
  });

  test("is told again once it has started again", () => {
    const town = townOfFour();
    town.start();
    town.run(20_000);
    town.stop(2);
    town.run(20_000);
    town.sent.length = 0;
    town.start(2);
    const since = town.now;
    town.run(20_000);
    expect(says(town, 4, 2)[0]!.message).toEqual({ kind: "no-hints", since });
  });

  test("is told only after the last hint was delivered", () => {
    const town = townOfFour();
    keepHints(town, 300, "x".repeat(3_000));
    town.start();
    town.run(20_000);
    const order = town.sent
      .filter(({ from, to }) => from === 4 && to === 2)
      .filter(({ message }) => message.kind === "hints" || message.kind === "no-hints")
      .map(({ message }) => message.kind);
    expect(order.slice(-4)).toEqual(["hints", "no-hints", "no-hints", "no-hints"]);
    expect(order.indexOf("no-hints")).toBe(order.length - 3);
  });
});
