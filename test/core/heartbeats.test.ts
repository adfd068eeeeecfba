/** What of all that a node has heard it tells: everything, or what matters and the rest in turn. */
import { expect, test } from "vitest";
import { Heartbeats } from "../../src/core/members/heartbeats.ts";
import type { Heartbeat } from "../../src/core/message.ts";

const self = 100;

function beatOf(node: number, more: Partial<Heartbeat> = {}): Heartbeat {
  const usual = { started: 1, heartbeat: 1, epoch: 1, hints: 0, filling: 0, suspects: [] };
  return { node, ...usual, ...more };
}

/** Heard of nodes 1, 2, … long ago. */
function heardOf(count: number, max: number): Heartbeats {
  const heartbeats = new Heartbeats(max);
  for (let node = 1; node <= count; node++) heartbeats.learn(beatOf(node));
  for (let round = 0; round < 20; round++) heartbeats.age();
  return heartbeats;
}

const nodesIn = (told: readonly Heartbeat[]): number[] => told.map(({ node }) => node);

test("what fits into one message is told whole", () => {
  const heartbeats = heardOf(7, 8);
  expect(nodesIn(heartbeats.toTell(beatOf(self)))).toEqual([self, 1, 2, 3, 4, 5, 6, 7]);
  expect(nodesIn(heartbeats.toTell(undefined))).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

test("of more, what is new is told first, and everything in turn", () => {
  const heartbeats = heardOf(30, 8);
  // A beat alone is no news; a suspicion is.
  for (let node = 1; node <= 20; node++) heartbeats.learn(beatOf(node, { heartbeat: 2 }));
  heartbeats.learn(beatOf(21, { heartbeat: 2, suspects: [3] }));
  const told = new Set<number>();
  for (let message = 0; message < 6; message++) {
    const nodes = nodesIn(heartbeats.toTell(beatOf(self)));
    expect(nodes).toHaveLength(8);
    expect(nodes.slice(0, 2)).toEqual([self, 21]);
    for (const node of nodes) told.add(node);
  }
  expect(told.size).toBe(31);
});

test("however much is new, all of it is told in turn, and the rest, too", () => {
  const heartbeats = heardOf(30, 8);
  for (let node = 1; node <= 25; node++) heartbeats.learn(beatOf(node, { epoch: 2, heartbeat: 2 }));
  const told = new Set<number>();
  for (let message = 0; message < 5; message++) {
    for (const node of nodesIn(heartbeats.toTell(beatOf(self)))) told.add(node);
  }
  expect(told.size).toBe(31);
});

test("who knows nobody is told of all; who told but a part is told what is later of it", () => {
  const heartbeats = heardOf(12, 8);
  expect(heartbeats.lackedBy([], beatOf(self))).toHaveLength(8);
  heartbeats.learn(beatOf(3, { heartbeat: 9 }));
  const part = Array.from({ length: 8 }, (_, i) => beatOf(i + 1));
  expect(nodesIn(heartbeats.lackedBy(part, beatOf(self)))).toEqual([3]);
  heartbeats.learn(beatOf(12, { heartbeat: 9, epoch: 2 }));
  expect(nodesIn(heartbeats.lackedBy(part, beatOf(self)))).toEqual([3, 12]);
});

test("what is older is no news", () => {
  const heartbeats = new Heartbeats(8);
  expect(heartbeats.learn(beatOf(1, { started: 5, heartbeat: 3 }))).toBe(true);
  expect(heartbeats.learn(beatOf(1, { started: 5, heartbeat: 3 }))).toBe(false);
  expect(heartbeats.learn(beatOf(1, { started: 4, heartbeat: 9 }))).toBe(false);
  expect(heartbeats.learn(beatOf(1, { started: 6, heartbeat: 0 }))).toBe(true);
  expect(heartbeats.of(1)?.started).toBe(6);
});
