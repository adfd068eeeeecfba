/** What a node as a whole makes of news that no single machine of it is told. */
import { expect, test } from "vitest";
import { emptyContext, noVersions, write } from "../../src/core/clock/versions.ts";
import type { Effect, StoreWork } from "../../src/core/event.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Message } from "../../src/core/message.ts";
import { Node } from "../../src/core/node.ts";
import { seededRandom } from "../../src/core/random.ts";
import type { Member } from "../../src/core/ring/ring-state.ts";
import { memberOf } from "../support/replica-town.ts";

const dot = { actor: "a".repeat(16), counter: 1 };
const operation = { at: 1, nonce: 1, retried: false };
const change = { operation, time: 1, expiresAt: 0, value: Uint8Array.of(2) };
const { versions } = write(noVersions, emptyContext, dot, change);
const copy: Message = {
  ...{ kind: "write", request: 5, key: keyOf("", Uint8Array.of(1)), versions, round: 0 },
  ...{ hintFor: [], relay: [], repair: false, deadlineMs: 1_000 },
};

/** Node 1 of three that own everything; the third has left, or is as the test says. */
function nodeBeside(third: Partial<Member>): Node {
  const members = [memberOf(1), memberOf(2), { ...memberOf(3), ...third }];
  const row = third.state === "left" ? [1, 2] : [1, 2, 3];
  const ring = {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 5, n: 3, members },
    ...{ owners: [row, row], moves: [], buckets: [], staged: [] },
  };
  const node = new Node({ self: 1, started: 1, ring, random: seededRandom(1), r: 2, w: 2 });
  node.start(1);
  return node;
}

/** What clients are told, the latest last. */
function askedLast(effects: readonly Effect[]): readonly (readonly number[])[] {
  return effects.flatMap((effect) => (effect.kind === "down" ? [effect.filling] : []));
}

function worksIn(effects: readonly Effect[]): readonly StoreWork["kind"][] {
  return effects.flatMap((effect) => (effect.kind === "store" ? [effect.work.kind] : []));
}

test("what a node says that has left has no effect; it is told the ring instead", () => {
  const event = { kind: "message", now: 2, from: 3, message: copy } as const;
  expect(worksIn(nodeBeside({}).step(event))).toEqual(["merge"]);
  const effects = nodeBeside({ state: "left" }).step(event);
  expect(worksIn(effects)).toEqual([]);
  expect(effects).toContainEqual(
    expect.objectContaining({
      kind: "send",
      to: 3,
      message: expect.objectContaining({ kind: "ring" }),
    }),
  );
});

test("what a stranger says has no effect either", () => {
  const event = { kind: "message", now: 2, from: 9, message: copy } as const;
  expect(worksIn(nodeBeside({}).step(event))).toEqual([]);
});

test("after damage the partition gets dots of a new actor: events may be lost", () => {
  const effects = nodeBeside({}).step({ kind: "damage", now: 2, partition: 1 });
  expect(effects).toContainEqual(
    expect.objectContaining({ kind: "store", work: { kind: "renew-actor", partition: 1 } }),
  );
});

test("clients hear who is being filled, and who is filled again", () => {
  const node = nodeBeside({});
  const tell = (heartbeat: number, filling: number) => {
    const usual = { started: 1, epoch: 5, hints: 0, suspects: [] };
    const message: Message = {
      ...{ kind: "gossip", heartbeats: [{ node: 2, heartbeat, filling, ...usual }] },
    };
    return askedLast(node.step({ kind: "message", now: 2, from: 3, message }));
  };
  expect(tell(1, 7)).toEqual([[2]]);
  expect(tell(2, 6)).toEqual([]);
  expect(tell(3, 0)).toEqual([[]]);
});

test("who is being filled and cannot be reached is named once", () => {
  const node = nodeBeside({});
  const heartbeats = [
    { node: 2, started: 1, heartbeat: 1, epoch: 5, hints: 0, filling: 7, suspects: [] },
  ];
  node.step({ kind: "link", now: 2, peer: 2, up: true });
  node.step({ kind: "message", now: 2, from: 2, message: { kind: "gossip", heartbeats } });
  const effects = [
    ...node.step({ kind: "link", now: 3, peer: 2, up: false }),
    ...node.step({ kind: "tick", now: 4 }),
  ];
  const told = effects.flatMap((effect) => (effect.kind === "down" ? [effect] : [])).at(-1);
  expect(told?.nodes).toContain(2);
  expect(told?.filling).not.toContain(2);
});

test("clients hear that a node is being filled itself", () => {
  const node = nodeBeside({});
  // Nothing has told it yet what it holds.
  expect(askedLast(node.step({ kind: "tick", now: 2 })).at(-1)).toEqual([1]);
});
