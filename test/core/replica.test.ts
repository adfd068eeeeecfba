/** The replica: acknowledges what is durable, refuses what is not its own, drops what is late. */
import { describe, expect, test } from "vitest";
import { digestOf } from "../../src/core/clock/digest.ts";
import { noVersions, write } from "../../src/core/clock/versions.ts";
import type { ReplicaMessage } from "../../src/core/message.ts";
import { keyNamed, QuorumWorld } from "../support/quorum-world.ts";

const cart = keyNamed("cart");
const operation = { at: 1, nonce: 1, retried: false };
const change = { operation, time: 1, expiresAt: 0, value: new TextEncoder().encode("milk") };
const dot = { actor: "0".repeat(15).concat("1"), counter: 1 };
const { versions } = write(noVersions, noVersions, dot, change);
const common = { request: 5, key: cart, deadlineMs: 1_000 };
const copy: ReplicaMessage & { kind: "write" } = {
  ...{ kind: "write", ...common, versions, round: 0, hintFor: [], relay: [], repair: false },
};

function worldOf(): QuorumWorld {
  return new QuorumWorld({ nodes: 4, n: 3, r: 2, w: 2, owners: [1, 2, 3] });
}

function tell(world: QuorumWorld, to: number, message: ReplicaMessage): string[] {
  const before = world.log.length;
  world.node(to).replica.receive(world.now, 1, message);
  world.settle();
  return world.log.slice(before);
}

describe("a write", () => {
  test("is acknowledged after it is durable, not before", () => {
    const world = worldOf();
    world.node(2).store.isStopped = true;
    expect(tell(world, 2, copy)).toEqual([]);
    world.node(2).store.resume();
    world.settle();
    expect(world.log).toEqual(["n2 merge: merged", "n2 > n1 stored"]);
  });

  test("is refused by a node that neither holds the key nor is told for whom to keep it", () => {
    const world = worldOf();
    expect(tell(world, 4, copy)).toEqual(["n4 > n1 not-owner"]);
    expect(world.node(4).store.entries.size).toBe(0);
  });

  test("as a hint is kept for each of its owners, apart from the node's own data", () => {
    const world = worldOf();
    expect(tell(world, 4, { ...copy, hintFor: [2, 3] }).at(-1)).toBe("n4 > n1 stored");
    expect([...world.node(4).store.hints.keys()]).toEqual([2, 3]);
    expect(world.node(4).store.entries.size).toBe(0);
  });

  test("that is both a copy and a hint is acknowledged when both are durable", () => {
    const world = worldOf();
    const { store } = world.node(2);
    store.isStopped = true;
    expect(tell(world, 2, { ...copy, hintFor: [3] })).toEqual([]);
    store.resume();
    world.settle();
    expect(world.log.filter((line) => line === "n2 > n1 stored")).toHaveLength(1);
    expect(store.versionsOf(cart)).toEqual(versions);
    expect(store.hints.get(3)?.size).toBe(1);
  });

  test("that the store refuses says why", () => {
    const world = worldOf();
    world.node(2).store.failure = "DISK_FULL";
    expect(tell(world, 2, copy).at(-1)).toBe("n2 > n1 refused DISK_FULL");
  });

  test("as a repair is not answered, and gives way when much is pending", () => {
    const world = worldOf();
    expect(tell(world, 2, { ...copy, repair: true })).toEqual(["n2 merge: merged"]);
    const { store } = world.node(3);
    store.isStopped = true;
    for (let i = 0; i < 512; i++) tell(world, 3, { ...copy, key: keyNamed(`key${i}`) });
    tell(world, 3, { ...copy, repair: true });
    store.resume();
    world.settle();
    expect(store.entries.size).toBe(512);
    tell(world, 3, { ...copy, repair: true });
    expect(store.entries.size).toBe(513);
  });

  test("whose deadline is over is dropped", () => {
    expect(tell(worldOf(), 2, { ...copy, deadlineMs: 0 })).toEqual([]);
  });
});

describe("a read", () => {
  const read: ReplicaMessage & { kind: "read" } = { kind: "read", ...common, full: true };

  test("is answered with standing, digest and, if asked, everything", () => {
    const world = worldOf();
    world.node(2).store.put({ key: cart, versions });
    world.node(2).standing = "catching-up";
    expect(tell(world, 2, read)).toEqual(["n2 > n1 has milk {n1:1}, catching-up"]);
    expect(tell(world, 2, { ...read, full: false })).toEqual(["n2 > n1 has digest, catching-up"]);
    expect(digestOf(world.node(2).store.versionsOf(cart))).toEqual(digestOf(versions));
  });

  test("at a stand-in finds what it keeps for owners, and never claims to know of nothing", () => {
    const world = worldOf();
    expect(tell(world, 4, read)).toEqual(["n4 > n1 has nothing, rebuilding"]);
    world.node(4).store.keep([2], { key: cart, versions });
    expect(tell(world, 4, read)).toEqual(["n4 > n1 has milk {n1:1}, rebuilding"]);
  });

  test("that meets damage says so", () => {
    const world = worldOf();
    world.node(2).store.failure = "CORRUPTION";
    expect(tell(world, 2, read).at(-1)).toBe("n2 > n1 fails CORRUPTION");
  });
});

describe("a list", () => {
  test("comes from holders only, and of partitions that there are", () => {
    const world = worldOf();
    world.node(2).store.put({ key: cart, versions });
    const list: ReplicaMessage = {
      ...{ kind: "list", request: 5, partition: 0, after: undefined, limit: 10 },
    };
    expect(tell(world, 2, list)).toEqual(["n2 > n1 lists 1 keys"]);
    expect(tell(world, 4, list)).toEqual(["n4 > n1 lists 0 keys"]);
    expect(tell(world, 2, { ...list, partition: 16 })).toEqual(["n2 > n1 lists 0 keys"]);
  });
});
