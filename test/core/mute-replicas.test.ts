/** A replica that has frozen: it keeps its connections and says nothing to anybody. */
import { describe, expect, test } from "vitest";
import { Liveness, livenessDefaults } from "../../src/core/members/liveness.ts";
import { keyNamed, QuorumWorld, type WorldOptions } from "../support/quorum-world.ts";

const cart = keyNamed("cart");
const three: WorldOptions = { nodes: 3, n: 3, r: 2, w: 2, owners: [1, 2, 3] };

function frozen(options: WorldOptions = three): QuorumWorld {
  const world = new QuorumWorld(options);
  world.link(1, 2, "lost");
  world.node(1).mute.add(2);
  return world;
}

function hedges({ log }: QuorumWorld): number {
  return log.filter((line) => line.includes("a hedge")).length;
}

describe("reads that were sent to it", () => {
  test("are answered after two looks by another, whatever the budget", () => {
    const world = frozen();
    for (let i = 0; i < 100; i++) world.request(1, world.get(cart));
    world.wait(30);
    expect(world.results.length).toBeGreaterThan(0);
    expect(world.results.length).toBeLessThan(10);
    world.wait(50);
    expect(world.results.map(({ kind }) => kind)).toEqual(Array(100).fill("found"));
    expect(hedges(world)).toBe(100);
  });

  test("wait for the budget where it speaks at the second look", () => {
    const world = frozen();
    for (let i = 0; i < 100; i++) world.request(1, world.get(cart));
    world.wait(30);
    const first = hedges(world);
    world.node(1).mute.delete(2);
    world.wait(200);
    expect(hedges(world)).toBe(first);
  });

  test("are not asked of more owners than there are", () => {
    const world = frozen();
    world.request(1, world.get(cart, { r: 3 }));
    world.wait(900);
    expect(world.results).toEqual([]);
    expect(hedges(world)).toBe(0);
  });
});

describe("to a node that waits for it", () => {
  const [self, other] = [1, 2];

  function waiting(): Liveness {
    const liveness = new Liveness(self, livenessDefaults);
    liveness.expect([other], 0);
    liveness.heard(other, 1_000);
    return liveness;
  }

  test("it counts as the slowest until it says something", () => {
    const liveness = waiting();
    expect(liveness.late(other, 1_010)).toBe(true);
    expect(liveness.latencyMs(other)).toBe(1_000);
    expect(liveness.isLive(other)).toBe(true);
    liveness.heard(other, 1_100);
    expect(liveness.latencyMs(other)).toBe(1);
  });

  test("it is only slow when it has said anything since it was asked", () => {
    const liveness = waiting();
    expect(liveness.late(other, 990)).toBe(false);
    expect(liveness.latencyMs(other)).toBe(1);
  });

  test("it is believed again after a new connection, and when this node itself stood still", () => {
    for (const change of ["linkChanged", "forgive"] as const) {
      const liveness = waiting();
      liveness.late(other, 1_010);
      if (change === "forgive") liveness.forgive(2_000);
      else liveness.linkChanged(other, true, 2_000);
      expect(liveness.latencyMs(other)).toBe(1);
    }
  });

  test("the node itself is never mute", () => {
    expect(waiting().late(self, 1_010)).toBe(false);
  });

  test("it counts as slower than all that have what they should, and faster than the mute", () => {
    const liveness = waiting();
    expect(liveness.fills(other, true)).toBe(true);
    expect(liveness.fills(other, true)).toBe(false);
    expect(liveness.filling()).toEqual([other]);
    const fillingMs = liveness.latencyMs(other);
    expect(fillingMs).toBeGreaterThan(100);
    liveness.late(other, 1_010);
    expect(liveness.latencyMs(other)).toBeGreaterThan(fillingMs);
    liveness.heard(other, 1_100);
    expect(liveness.fills(other, false)).toBe(true);
    expect(liveness.latencyMs(other)).toBe(1);
  });

  test("what is said of a stranger makes it no peer", () => {
    const liveness = waiting();
    expect(liveness.fills(9, true)).toBe(true);
    expect(liveness.suspects()).toEqual([]);
    liveness.expect([9], 2_000);
    expect(liveness.isLive(9)).toBe(true);
  });
});
