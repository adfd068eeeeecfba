/** The coordinator as a whole: bounds, ceilings, time-outs, and what quorums promise. */
import { describe, expect, test, vi } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import { noVersions } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { keyOf } from "../../src/core/key.ts";
import { deadlineMsMax, keyBytesMax, siblingsMax, ttlMsMax } from "../../src/core/limits.ts";
import type { Result } from "../../src/core/message.ts";
import { NumberTable } from "../../src/core/number-table.ts";
import type { DataCommand } from "../../src/core/quorum/validate.ts";
import { seededRandom } from "../../src/core/random.ts";
import { keyNamed, QuorumWorld, type WorldOptions } from "../support/quorum-world.ts";

const seed = Number(process.env["SEED"] ?? 1);
const cart = keyNamed("cart");
const three: WorldOptions = { nodes: 3, n: 3, r: 2, w: 2, owners: [1, 2, 3] };

function textsOf(result: Result | undefined): readonly string[] {
  if (result?.kind !== "found") throw new Error(`not found but ${JSON.stringify(result)}`);
  return result.values.map((value) => new TextDecoder().decode(value));
}

describe("what is refused before anything is sent", () => {
  const world = new QuorumWorld(three);
  const big = { value: new Uint8Array((1 << 20) + 1) };
  const key = (length: number) => keyOf("", new Uint8Array(length));
  const refused: [string, DataCommand, string][] = [
    ["KEY_EMPTY", world.get(key(0)), "got 0"],
    ["KEY_TOO_LARGE", world.get(key(keyBytesMax + 1)), "1025 bytes, limit 1024"],
    ["QUORUM_INVALID", world.get(cart, { r: 0 }), "r=0"],
    ["QUORUM_INVALID", world.get(cart, { r: 2.5 }), "r=2.5"],
    ["QUORUM_INVALID", world.get(cart, { r: Number.NaN }), "r=NaN"],
    ["QUORUM_INVALID", world.put(cart, "", { w: 4 }), "w=4 exceeds n=3"],
    ["QUORUM_INVALID", world.put(cart, "", { w: -1 }), "w=-1"],
    ["DEADLINE_INVALID", world.get(cart, { deadlineMs: 9 }), "10..60000 ms, got 9"],
    ["DEADLINE_INVALID", world.get(cart, { deadlineMs: deadlineMsMax + 1 }), "got 60001"],
    ["DEADLINE_INVALID", world.get(cart, { deadlineMs: Number.NaN }), "got NaN"],
    ["VALUE_TOO_LARGE", world.put(cart, "", big), "1048577 bytes, limit 1048576"],
    ["TTL_INVALID", world.put(cart, "", { ttlMs: -1 }), "got -1"],
    ["TTL_INVALID", world.put(cart, "", { ttlMs: ttlMsMax + 1 }), `got ${ttlMsMax + 1}`],
    ["TTL_INVALID", world.put(cart, "", { ttlMs: Number.NaN }), "got NaN"],
  ];
  for (const [code, command, words] of refused) {
    test(`${code}: ${words}`, () => {
      const before = world.log.length;
      world.request(1, command);
      expect(world.results.at(-1)).toMatchObject({ kind: "failed", code, applied: "no" });
      expect(world.describe(world.results.at(-1) as Result)).toContain(words);
      expect(world.log.slice(before)).toHaveLength(1);
    });
  }

  test("and what is at its bound is not", () => {
    const bound: DataCommand[] = [
      world.get(key(keyBytesMax), { r: 3, deadlineMs: deadlineMsMax }),
      world.put(key(1), "", { w: 3, deadlineMs: 10, ttlMs: ttlMsMax }),
      world.put(cart, "", { value: new Uint8Array(1 << 20) }),
    ];
    for (const command of bound) {
      world.request(1, command);
      expect(world.results.at(-1)?.kind).not.toBe("failed");
    }
  });
});

describe("the settings of the seeds, n=3", () => {
  const settings = [
    { name: "2-2: the usual", r: 2, w: 2, readsAfter: 1, writesAfter: 1 },
    { name: "r=1, w=n: fast reads", r: 1, w: 3, readsAfter: 2, writesAfter: 0 },
    { name: "w=1, r=n: fast writes", r: 3, w: 1, readsAfter: 0, writesAfter: 2 },
    { name: "1-1: fastest, no promise", r: 1, w: 1, readsAfter: 2, writesAfter: 2 },
  ];
  for (const { name, r, w, readsAfter, writesAfter } of settings) {
    test(`${name}: reads stand ${readsAfter} failures, writes ${writesAfter}`, () => {
      for (let dead = 0; dead <= 2; dead++) {
        const world = new QuorumWorld({ ...three, r, w });
        world.request(1, world.put(cart, "before"));
        for (let node = 3; node > 3 - dead; node--) world.down(node);
        world.request(1, world.get(cart));
        expect(world.results.at(-1)?.kind).toBe(dead <= readsAfter ? "found" : "failed");
        world.request(1, world.put(cart, "after"));
        expect(world.results.at(-1)?.kind).toBe(dead <= writesAfter ? "stored" : "failed");
      }
    });
  }

  test("r + w > n, strict: a read finds every acknowledged write, whatever gets lost", () => {
    const random = seededRandom(seed);
    let acknowledged = 0;
    for (let round = 0; round < 300; round++) {
      const [r = 2, w = 2] =
        [
          [2, 2],
          [1, 3],
          [3, 1],
        ][random.below(3)] ?? [];
      const world = new QuorumWorld({ ...three, r, w });
      const cut = [1, 2, 3].flatMap((from) => [1, 2, 3].map((to) => [from, to] as const));
      for (const [from, to] of cut) if (random.below(4) === 0) world.link(from, to, "lost");
      const writer = 1 + random.below(3);
      world.request(writer, world.put(cart, "milk", { strict: true, deadlineMs: 100 }));
      world.wait(150);
      if (world.results.at(-1)?.kind !== "stored") continue;
      acknowledged += 1;
      for (const [from, to] of cut) world.link(from, to, "open");
      world.request(1 + random.below(3), world.get(cart, { strict: true }));
      world.wait(50);
      expect(textsOf(world.results.at(-1)), `seed ${seed}, round ${round}`).toEqual(["milk"]);
    }
    expect(acknowledged).toBeGreaterThan(50);
  });
});

describe("one operation", () => {
  test("retried through every node makes one sibling", () => {
    const world = new QuorumWorld({ ...three, nodes: 5 });
    const command = world.put(cart, "milk");
    for (const at of [1, 4, 2, 5, 3, 1]) {
      const operation = { ...command.operation, retried: at !== 1 };
      world.request(at, { ...command, operation });
      expect(world.results.at(-1)).toMatchObject({ kind: "stored" });
    }
    world.request(2, world.get(cart, { r: 3 }));
    expect(textsOf(world.results.at(-1))).toEqual(["milk"]);
  });

  test("sent to two owners at once still ends as one sibling", () => {
    const world = new QuorumWorld(three);
    const command = world.put(cart, "milk");
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 3],
      [2, 3],
    ] as const)
      world.link(from, to, "held");
    world.request(1, { ...command, w: 1 });
    world.request(2, { ...command, w: 1, operation: { ...command.operation, retried: true } });
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 3],
      [2, 3],
    ] as const)
      world.link(from, to, "open");
    world.settle();
    world.request(3, world.get(cart, { r: 3 }));
    expect(textsOf(world.results.at(-1))).toEqual(["milk"]);
  });

  test("forwarded to a node that owns nothing is coordinated there, and not passed on", () => {
    const world = new QuorumWorld({ ...three, nodes: 5 });
    const command = world.put(cart, "milk");
    world.forwarded(4, command);
    world.settle();
    expect(world.log.filter((line) => line.includes("forward"))).toEqual([
      "n4 > n5 forwarded: stored",
    ]);
    expect(world.log).toContain("n4 write: durable");
    for (const owner of [1, 2, 3])
      expect(world.node(owner).store.versionsOf(cart).siblings).toHaveLength(1);
  });
});

describe("a forwarded write", () => {
  const five: WorldOptions = { ...three, nodes: 5 };

  test("goes to the node that answered the client's read fastest, if that owns the key", () => {
    for (const [fastest, target] of [
      [3, 3],
      [4, 1],
    ] as const) {
      const world = new QuorumWorld(five);
      world.request(5, world.put(cart, "milk", { fastest }));
      expect(world.log[0]).toBe(`n5 > n${target} forward`);
    }
  });

  test("goes elsewhere when its target has no room, and stays a first attempt", () => {
    const world = new QuorumWorld(five);
    world.node(1).store.failure = "DISK_FULL";
    world.request(5, world.put(cart, "milk"));
    expect(world.log.filter((line) => line.includes("forward"))).toEqual([
      "n5 > n1 forward",
      "n1 > n5 forwarded: failed",
      "n5 > n2 forward",
      "n2 > n5 forwarded: stored",
    ]);
  });

  test("is in doubt once a target fell silent: a later refusal does not say no", () => {
    const world = new QuorumWorld(five);
    world.link(1, 5, "lost");
    for (const owner of [2, 3]) world.node(owner).store.failure = "DISK_FULL";
    world.request(5, world.put(cart, "milk"));
    world.wait(1_600);
    expect(world.results).toMatchObject([{ code: "DISK_FULL", applied: "maybe" }]);
  });

  test("is coordinated here when every owner dies, within its deadline", () => {
    const world = new QuorumWorld(five);
    for (const owner of [1, 2, 3]) world.link(owner, 5, "lost");
    world.request(5, world.put(cart, "milk"));
    for (const owner of [1, 2, 3]) world.node(5).dead.add(owner);
    world.wait(200);
    expect(world.results).toMatchObject([{ kind: "stored", fastest: 5 }]);
  });

  test("an ill-formed one is refused by the receiver", () => {
    const world = new QuorumWorld(five);
    const command = world.put(cart, "milk", { w: 9 });
    world.forwarded(1, command);
    expect(world.log).toEqual(["n1 > n5 forwarded: failed"]);
  });
});

describe("ceilings", () => {
  test("beyond requestsMax a client is told when to come back; nothing else is touched", () => {
    const world = new QuorumWorld({ ...three, tuning: { requestsMax: 4 } });
    world.link(1, 2, "lost");
    world.link(1, 3, "lost");
    for (let i = 0; i < 6; i++) world.request(1, world.get(cart));
    expect(world.results).toMatchObject([{ code: "OVERLOADED" }, { code: "OVERLOADED" }]);
    const [first] = world.results;
    expect(first?.kind === "failed" && first.retryAfterMs).toBeGreaterThanOrEqual(20);
    world.wait(6_000);
    expect(world.results).toHaveLength(6);
    expect(world.node(1).coordinator.unanswered).toBe(0);
  });

  test("answered writes that wait for a copy are bounded: the oldest becomes a hint", () => {
    const world = new QuorumWorld({ ...three, tuning: { tailsMax: 10 } });
    world.link(1, 3, "lost");
    for (let i = 0; i < 25; i++) world.request(1, world.put(keyNamed(`key${i}`), "v"));
    expect(world.results.every(({ kind }) => kind === "stored")).toBe(true);
    expect(world.node(1).store.hints.get(3)?.size).toBe(15);
    world.wait(2_100);
    expect(world.node(1).store.hints.get(3)?.size).toBe(25);
  });

  test("the oldest is found without a look at every request since the start", () => {
    const world = new QuorumWorld({ ...three, tuning: { tailsMax: 10 } });
    for (let i = 0; i < 5000; i++) world.request(1, world.get(cart));
    world.link(1, 3, "lost");
    world.request(1, world.put(cart, "v", { w: 3 }));
    const looks = vi.spyOn(NumberTable.prototype, "get");
    for (let i = 0; i < 500; i++) world.request(1, world.put(keyNamed(`key${i}`), "v"));
    expect(world.node(1).store.hints.get(3)?.size).toBe(490);
    expect(looks.mock.calls.length).toBeLessThan(500 * 10);
    looks.mockRestore();
  });

  test("a write that would be a sibling too many is refused", () => {
    const world = new QuorumWorld(three);
    for (let i = 0; i < siblingsMax; i++) world.request(1, world.put(cart, `v${i}`));
    expect(world.results.at(-1)?.kind).toBe("stored");
    world.request(1, world.put(cart, "one more"));
    expect(world.results.at(-1)).toMatchObject({ code: "TOO_MANY_SIBLINGS", applied: "no" });
  });

  test("hedges stay within one in twenty of the reads", () => {
    const world = new QuorumWorld(three);
    world.link(1, 2, "lost");
    for (let i = 0; i < 200; i++) {
      world.request(1, world.get(cart));
      world.wait(10);
    }
    expect(world.log.filter((line) => line.includes("a hedge")).length).toBeLessThanOrEqual(11);
    world.wait(2_000);
    expect(world.results).toHaveLength(200);
    expect(world.results.every(({ kind }) => kind === "found")).toBe(true);
  });
});

describe("answers", () => {
  test("late, repeated and unknown ones change nothing, and the late ones are timed", () => {
    const world = new QuorumWorld(three);
    const { coordinator, answers } = world.node(1);
    world.link(2, 1, "lost");
    world.request(1, world.get(cart));
    world.wait(10);
    expect(world.results).toHaveLength(1);
    world.wait(3_000);
    const { lastRequest: request } = world;
    const reply = {
      kind: "read-reply" as const,
      ...{ request, standing: "current" as const, round: 0 },
      ...{ digest: digestOf(noVersions), versions: undefined, failure: undefined },
    };
    const before = answers.length;
    coordinator.receive(world.now, 2, reply);
    coordinator.receive(world.now, 2, { ...reply, request: request + 76 });
    coordinator.receive(world.now, 2, {
      ...{ kind: "write-reply", request, outcome: "stored", failure: undefined },
    });
    expect(answers.slice(before)).toEqual([{ node: 2, tookMs: 3_010 }]);
    expect(world.results).toHaveLength(1);
  });

  test("a write that this node's own store takes up after the deadline still goes to all", () => {
    const world = new QuorumWorld(three);
    const { store } = world.node(1);
    store.isFrozen = true;
    world.request(1, world.put(cart, "late", { deadlineMs: 500 }));
    world.wait(3_000);
    expect(world.results).toMatchObject([{ code: "WRITE_TIMEOUT", applied: "maybe" }]);
    store.resume();
    world.wait(3_000);
    for (const id of [1, 2, 3]) {
      expect(world.node(id).store.versionsOf(cart).siblings, `node ${id}`).toHaveLength(1);
    }
    expect(world.results).toHaveLength(1);
    expect(world.node(1).coordinator.inFlight).toBe(0);
  });

  test("one that its store then refuses is not answered a second time", () => {
    const world = new QuorumWorld(three);
    const { store } = world.node(1);
    store.isFrozen = true;
    world.request(1, world.put(cart, "late", { deadlineMs: 500 }));
    world.wait(3_000);
    store.failure = "DISK_FULL";
    store.resume();
    world.wait(3_000);
    expect(world.results).toHaveLength(1);
    expect(world.node(1).coordinator.inFlight).toBe(0);
  });

  test("a repeated acknowledgement is one acknowledgement", () => {
    const world = new QuorumWorld({ ...three, w: 3 });
    world.link(1, 3, "lost");
    world.request(1, world.put(cart, "milk"));
    const { lastRequest: request } = world;
    for (let i = 0; i < 3; i++) {
      world.node(1).coordinator.receive(world.now, 2, {
        ...{ kind: "write-reply", request, outcome: "stored", failure: undefined },
      });
    }
    expect(world.results).toEqual([]);
  });

  test("a refusal after an acknowledgement takes nothing back", () => {
    const world = new QuorumWorld({ ...three, w: 3 });
    world.link(1, 3, "held");
    world.request(1, world.put(cart, "milk"));
    const { lastRequest: request } = world;
    world.node(1).coordinator.receive(world.now, 2, {
      ...{ kind: "write-reply", request, outcome: "refused", failure: undefined },
    });
    world.link(1, 3, "open");
    world.settle();
    expect(world.results).toMatchObject([{ kind: "stored", acks: 3 }]);
  });

  test("a request leaves the table with its last one; a peer that owes one is missed once", () => {
    const world = new QuorumWorld(three);
    world.request(1, world.put(cart, "milk"));
    world.request(1, world.get(cart));
    expect(world.node(1).coordinator.inFlight).toBe(0);
    world.link(1, 3, "lost");
    world.request(1, world.put(cart, "bread"));
    expect(world.node(1).coordinator.inFlight).toBe(1);
    world.wait(2_100);
    expect(world.node(1).coordinator.inFlight).toBe(0);
    expect(world.node(1).missed).toEqual([3]);
  });

  test("every request gets exactly one, and nothing is left in the table", () => {
    const random = seededRandom(seed);
    const world = new QuorumWorld({ ...three, nodes: 5 });
    let asked = 0;
    for (let step = 0; step < 1_500; step++) {
      const [a, b]: NodeId[] = [1 + random.below(5), 1 + random.below(5)];
      const dice = random.below(20);
      if (dice < 3) world.link(a ?? 1, b ?? 1, dice === 0 ? "lost" : dice === 1 ? "held" : "open");
      else if (dice === 3) world.down(a ?? 1);
      else if (dice === 4) world.up(a ?? 1);
      else if (dice === 5) world.wait(random.below(100));
      else {
        asked += 1;
        const key = keyNamed(`key${random.below(10)}`);
        const deadlineMs = 10 + random.below(300);
        const strict = random.below(3) === 0;
        const isPut = dice % 2 === 0;
        const more = { deadlineMs, strict, trace: random.below(2) === 0 };
        world.request(a ?? 1, isPut ? world.put(key, "v", more) : world.get(key, more));
      }
    }
    world.wait(3_000);
    expect(world.results, `seed ${seed}`).toHaveLength(asked);
    for (const id of [1, 2, 3, 4, 5]) {
      expect(world.node(id).coordinator.unanswered).toBe(0);
      expect(world.node(id).coordinator.inFlight).toBe(0);
    }
  });
});
