/** Who holds all of a partition, in its own words: what moves and removals go by. */
import { expect, test } from "vitest";
import type { Message, Standing } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { Filled } from "../../src/core/transfer/filled.ts";
import { memberOf } from "../support/replica-town.ts";

/** Node 1 owns partition 0, is to own 1, and holds nothing of 2. */
function ringIn(epoch: number): Ring {
  const state = {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch, n: 1 },
    ...{ members: [memberOf(1), memberOf(2)], owners: [[1], [2], [2], [2]] },
    ...{ moves: [{ partition: 1, to: [1] }], buckets: [], staged: [] },
  };
  return new Ring(state, 1);
}

function filledAt(standing: Standing) {
  const sent: Message[] = [];
  const world = { ring: ringIn(5), isGiven: false };
  const filled = new Filled({
    self: 1,
    out: { send: (_to, message) => sent.push(message), store: () => {}, notice: () => {} },
    standing: { of: () => standing },
    ring: () => world.ring,
    isGiven: () => world.isGiven,
  });
  return { filled, sent, world };
}

function answerOf(standing: Standing, isGiven = false): Message | undefined {
  const { filled, sent, world } = filledAt(standing);
  world.isGiven = isGiven;
  filled.receive(0, 2, { kind: "filled-ask", epoch: 5, partitions: [0, 1, 2, 99] });
  return sent[0];
}

test("a node says so of what it holds and has compared, not of what it still fills", () => {
  expect(answerOf("current")).toEqual({ kind: "filled", epoch: 5, partitions: [0, 1] });
  expect(answerOf("catching-up")).toEqual({ kind: "filled", epoch: 5, partitions: [0, 1] });
  expect(answerOf("rebuilding")).toEqual({ kind: "filled", epoch: 5, partitions: [] });
});

test("of what it does not hold it says so once nothing would be lost with it", () => {
  expect(answerOf("current", true)).toMatchObject({ partitions: [0, 1, 2] });
});

test("what another node said is believed for a moment", () => {
  const { filled } = filledAt("current");
  expect(filled.isFilled(0, 2, 2)).toBe(false);
  filled.receive(0, 2, { kind: "filled", epoch: 5, partitions: [2] });
  expect(filled.isFilled(2_999, 2, 2)).toBe(true);
  expect(filled.isFilled(2_999, 2, 3)).toBe(false);
  expect(filled.isFilled(3_000, 2, 2)).toBe(false);
});

test("and for the epoch in which it was said", () => {
  const { filled, world } = filledAt("current");
  filled.receive(0, 2, { kind: "filled", epoch: 4, partitions: [2] });
  expect(filled.isFilled(0, 2, 2)).toBe(false);
  filled.receive(0, 2, { kind: "filled", epoch: 5, partitions: [2] });
  world.ring = ringIn(6);
  expect(filled.isFilled(0, 2, 2)).toBe(false);
});
