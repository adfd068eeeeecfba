/** Every checker of the simulated world says so when it is shown what must not be. */
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import {
  contextOf,
  emptyContext,
  noVersions,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import type { StoreWork } from "../../src/core/event.ts";
import type { Command, Result } from "../../src/core/message.ts";
import { findWrongs, type WriteSeen } from "./checks.ts";
import { filledOptions, foundedRing } from "./founding.ts";
import { heldIn } from "./inspect.ts";
import { put } from "./story.ts";
import { findUnrest, ringWrongs } from "./unrest.ts";
import { Watch } from "./watch.ts";
import { keyFrom } from "./workload.ts";
import { World } from "./world.ts";

const cart = keyFrom("cart");
const actor = "0".repeat(15);

function versionsOf(value: string, counter = 1, over: Versions = noVersions): Versions {
  const operation = { at: 1, nonce: counter, retried: false };
  const change = { operation, time: 1, expiresAt: 0, value: Buffer.from(value) };
  return write(over, contextOf(over), { actor: `${actor}1`, counter }, change).versions;
}

function newWatch(): Watch {
  return new Watch({ partitions: 16, isFar: () => false });
}

/** A coordinator's write, durable at it. */
function coordinate(watch: Watch, node: number, value: string, counter = 1): Versions {
  const versions = versionsOf(value, counter);
  const operation = { at: 1, nonce: counter, retried: false };
  const work: StoreWork = {
    ...({ kind: "write", key: cart, context: emptyContext, targets: [] } as const),
    change: { operation, time: 1, expiresAt: 0, value: Buffer.from(value) },
    ...{ siblingsMax: 9, siblingBytesMax: 1_000 },
  };
  const context = contextOf(versions);
  const written = { kind: "written", versions, context, isDuplicate: false, round: 0 } as const;
  watch.stored(node, work, written);
  watch.stored(node, work, { kind: "durable" });
  return versions;
}

function putOf(value: string, counter = 1, strict = false): Command & { kind: "put" } {
  return {
    ...({ kind: "put", key: cart, context: undefined, ttlMs: 0, w: undefined } as const),
    value: Buffer.from(value),
    operation: { at: 1, nonce: counter, retried: false },
    ...{ strict, deadlineMs: 1_000, trace: false },
  };
}

function storedWith(versions: Versions, acks: number): Result {
  return { kind: "stored", context: contextOf(versions), fastest: 1, acks, trace: undefined };
}

function foundWith(versions: Versions, values: readonly string[]): Result {
  return {
    ...({ kind: "found", fastest: 1, degraded: false, written: [], trace: undefined } as const),
    values: values.map((value) => Buffer.from(value)),
    context: contextOf(versions),
  };
}

function answer(watch: Watch, command: Command, result: Result): void {
  watch.asked(1, command, () => {})(result);
}

describe("the history of clients", () => {
  const written = (value: string | undefined, more: Partial<WriteSeen> = {}): WriteSeen => ({
    ...{ key: "a", value, knew: [], outcome: "acked" },
    ...more,
  });
  const held = (...values: string[]) => new Map([["a", [{ values, versions: values.join() }]]]);
  const bad: [string, WriteSeen[], string[], RegExp][] = [
    ["a lost write", [written("1")], [], /1 was acknowledged, and is lost/],
    ["a made-up value", [written("1")], ["1", "2"], /2 was never written/],
    ["a refused write", [written("1", { outcome: "failed" })], ["1"], /refused, and is there/],
    ["a deleted value", [written("1"), written(undefined, { knew: ["1"] })], ["1"], /came back/],
    [
      "a value that a later one descends from at two removes",
      [written("1"), written("2", { knew: ["1"] }), written("3", { knew: ["2"] })],
      ["1", "3"],
      /1 was superseded, and came back/,
    ],
    [
      "siblings of which one knew the other",
      [written("1"), written("2", { knew: ["1"], outcome: "maybe" })],
      ["1", "2"],
      /2 knew 1, and both are there/,
    ],
    [
      "a write that went for one that is not there either",
      [written("1"), written("2", { knew: ["1"], outcome: "maybe" })],
      [],
      /1 was acknowledged, and is lost/,
    ],
  ];
  test.each(bad)("%s", (_name, history, values, wrong) => {
    expect(findWrongs(history, held(...values)).join("\n")).toMatch(wrong);
  });

  test("a write that went for one that no store took up", () => {
    const later = written(undefined, { knew: ["1"], outcome: "maybe", operation: "1/1" });
    const history = [written("1"), later];
    expect(findWrongs(history, held())).toEqual([]);
    expect(findWrongs(history, held(), () => false)).toHaveLength(1);
  });

  test("replicas that differ", () => {
    const copies = ["1", "2"].map((value) => ({ values: [value], versions: value }));
    const told = findWrongs([written("1"), written("2")], new Map([["a", copies]]));
    expect(told).toContain("a: replicas differ");
  });
});

describe("what stores and nodes say", () => {
  test("a dot that stands for two writes", () => {
    const watch = newWatch();
    coordinate(watch, 1, "milk");
    coordinate(watch, 2, "bread");
    expect(watch.wrongs.join()).toMatch(/stands for/);
  });

  test("an epoch with two states, and a ring that none may be", () => {
    const watch = newWatch();
    const ring = foundedRing(filledOptions({ seed: 1, nodes: 3 }));
    watch.installed(1, ring);
    watch.installed(2, { ...ring, n: 2 });
    expect(watch.wrongs.join()).toMatch(/has another state/);
    expect(ringWrongs(ring)).toEqual([]);
    const [first = [], ...others] = ring.owners;
    const twice = { ...ring, owners: [[1, 1, 2], ...others] };
    expect(ringWrongs(twice).join()).toMatch(/an owner twice/);
    const few = { ...ring, owners: [first.slice(1), ...others] };
    expect(ringWrongs(few).join()).toMatch(/2 owners of 3/);
    const members = ring.members.map((one) => ({ ...one, state: "left" as const }));
    expect(ringWrongs({ ...ring, members }).join()).toMatch(/which is no member/);
  });

  test("an acknowledgement of more copies than there are", () => {
    const watch = newWatch();
    const versions = coordinate(watch, 1, "milk");
    answer(watch, putOf("milk"), storedWith(versions, 2));
    expect(watch.wrongs.join()).toMatch(/acknowledged 2 times, and is durable 1/);
  });

  test("an acknowledged copy that goes, but not one whose disk was destroyed", () => {
    const [moved, burnt] = [newWatch(), newWatch()];
    for (const watch of [moved, burnt]) {
      const versions = coordinate(watch, 1, "milk");
      const entries = [{ key: cart, versions }];
      const merged = { kind: "merged", changed: 1, stale: 0 } as const;
      watch.stored(2, { kind: "merge", entries, round: 0 }, merged);
      answer(watch, putOf("milk"), storedWith(versions, 2));
      expect(watch.wrongs).toEqual([]);
    }
    const { partition = 0 } = moved.durability.acknowledgedOf(cart)[0] ?? {};
    moved.stored(2, { kind: "drop-partition", partition }, { kind: "durable" });
    expect(moved.wrongs.join()).toMatch(/1 copies of milk are left/);
    burnt.lost(2);
    expect(burnt.wrongs).toEqual([]);
  });

  test("a hint that goes before anybody has what is in it", () => {
    const watch = newWatch();
    const versions = versionsOf("milk");
    const entry = { key: cart, versions };
    const work: StoreWork = {
      ...({ kind: "write", key: cart, context: emptyContext, targets: [3] } as const),
      change: {
        operation: { at: 1, nonce: 1, retried: false },
        ...{ time: 1, expiresAt: 0, value: Buffer.from("milk") },
      },
      ...{ siblingsMax: 9, siblingBytesMax: 1_000 },
    };
    const context = contextOf(versions);
    const written = { kind: "written", versions, context, isDuplicate: false, round: 0 } as const;
    watch.stored(2, work, written);
    watch.stored(2, work, { kind: "durable" });
    const reading = { kind: "read-hints", target: 3, bytes: 9 } as const;
    watch.stored(2, reading, { kind: "hints", entries: [entry], isLast: true });
    const dropped = { key: cart, digest: digestOf(versions) };
    const dropping = { kind: "drop-hints", target: 3, entries: [dropped] } as const;
    watch.stored(2, dropping, { kind: "durable" });
    expect(watch.wrongs.join()).toMatch(/drops the hint of milk, which nobody else has/);
  });
});

describe("what clients are told", () => {
  const get: Command = {
    ...({ kind: "get", key: cart, r: undefined, strict: true } as const),
    ...{ deadlineMs: 1_000, trace: false },
  };

  test("a context of a read that does not cover a value", () => {
    const watch = newWatch();
    coordinate(watch, 1, "milk");
    answer(watch, get, foundWith(noVersions, ["milk"]));
    expect(watch.wrongs.join()).toMatch(/does not cover its value milk/);
  });

  test("a context of a write that lacks what it was given, or its own", () => {
    const watch = newWatch();
    coordinate(watch, 1, "milk");
    const { context } = { context: contextOf(versionsOf("milk")) };
    answer(watch, { ...putOf("milk"), context }, storedWith(noVersions, 1));
    expect(watch.wrongs.join()).toMatch(/lacks some of what it was given/);
    expect(watch.wrongs.join()).toMatch(/the write of milk does not cover it/);
  });

  test("an acknowledgement of what nobody wrote", () => {
    const watch = newWatch();
    answer(watch, putOf("milk"), storedWith(noVersions, 1));
    expect(watch.wrongs.join()).toMatch(/acknowledged that nobody made/);
  });

  test("a strict read behind a strict write, unless owners have changed", () => {
    const [steady, moving] = [newWatch(), newWatch()];
    for (const watch of [steady, moving]) {
      const versions = coordinate(watch, 1, "milk");
      answer(watch, putOf("milk", 1, true), storedWith(versions, 1));
      if (watch === moving) watch.lost(3);
      answer(watch, get, foundWith(noVersions, []));
    }
    expect(steady.wrongs.join()).toMatch(/milk was acknowledged before a strict read/);
    expect(moving.wrongs).toEqual([]);
  });

  test("a refusal of what was done, also when it is done later", () => {
    const watch = newWatch();
    const refused = { code: "NO", message: "", applied: "no", retryAfterMs: 0 } as const;
    answer(watch, putOf("milk"), { kind: "failed", ...refused });
    expect(watch.wrongs).toEqual([]);
    coordinate(watch, 2, "milk");
    expect(watch.wrongs.join()).toMatch(/surely not applied, and node 2 has applied it/);
  });
});

describe("a world that should be at rest", () => {
  test("says what it waits for, and then nothing", async () => {
    const world = new World({ seed: 7, nodes: 4 });
    await world.start();
    expect(await findUnrest(world)).toEqual([]);
    world.crash(3);
    await world.run(6_000);
    for (let i = 0; i < 12; i++) await put(world, 1, `key ${i}`, "kept");
    expect((await findUnrest(world)).join("\n")).toMatch(/keeps \d+ hints for 3/);
    await world.restart(3);
    await world.run(60_000);
    expect(await findUnrest(world)).toEqual([]);
  });

  test("is told by the ring in force, not by that of a node that has left", async () => {
    const world = new World({ seed: 3, nodes: 3 });
    await world.start();
    await world.admin(2, "leave", { node: 1 });
    const hasLeft = (): boolean => world.ringOf(1).members[0]?.state === "left";
    expect(await world.runUntil(hasLeft)).toBe(true);
    world.network.partition([1], [2, 3, 4]);
    expect(await world.join(2)).toBe(4);
    expect(await world.runUntil(() => world.isAtRest)).toBe(true);
    expect(world.ringOf(1).epoch).toBeLessThan(world.ring.epoch);
    const held = await heldIn(world, ["cart"]);
    expect(held.get("cart")).toHaveLength(3);
  });

  test("shows a tree that is not that of its store", async () => {
    const world = new World({ seed: 8, nodes: 3 });
    await world.start();
    await put(world, 1, "a", "here");
    await world.run(5_000);
    const store = world.storeOf(2);
    const run = store.run.bind(store);
    store.run = (work, done) =>
      run(work, (outcome) => {
        if (outcome.kind !== "tree" || work.kind !== "tree" || work.level !== "leaves") {
          done(outcome);
          return;
        }
        const [first = { high: 0, low: 0 }, ...others] = outcome.hashes;
        done({ ...outcome, hashes: [{ ...first, low: first.low ^ 1 }, ...others] });
      });
    const unrest = (await findUnrest(world)).join("\n");
    expect(unrest).toMatch(/the tree of partition 0 at node 2 is not that of its store/);
    expect(unrest).toMatch(/the trees of partition 0 differ/);
  });
});
