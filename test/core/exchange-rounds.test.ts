/** Trees of two clean-up rounds differ in what one side has forgotten: they are not compared. */
import { expect, test } from "vitest";
import type { StoreOutcome } from "../../src/core/event.ts";
import type { Message } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { Responder } from "../../src/core/sync/responder.ts";
import { memberOf } from "../support/replica-town.ts";

const root = { high: 1, low: 2 };

/** A node whose tree is of round 5, and the messages and rounds that it gives away. */
function responder(hash = root) {
  const sent: Message[] = [];
  const rounds: object[] = [];
  const members = [memberOf(1), memberOf(2)];
  const state = {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 2, members },
    ...{ owners: [[1, 2]], moves: [], buckets: [], staged: [] },
  };
  const hashes = [hash];
  const tree: StoreOutcome = { kind: "tree", ready: true, round: 5, hashes };
  const ring = new Ring(state, 1);
  const machine = new Responder({
    out: {
      send: (_to, message) => sent.push(message),
      store: (_work, then) => then(tree, 0),
      notice: () => {},
    },
    ring: () => ring,
    onRound: (_now, peer, theirs) => rounds.push({ peer, ...theirs }),
  });
  const open = (round: number): void =>
    machine.receive(0, 2, { kind: "tree-open", exchange: 1, partition: 0, root, round });
  return { open, sent, rounds };
}

test.each([4, 6])(
  "a peer in round %i is told to come again, and both have to be in one",
  (round) => {
    const { open, sent, rounds } = responder();
    open(round);
    expect(sent).toEqual([{ kind: "tree-close", exchange: 1, partition: 0, outcome: "busy" }]);
    expect(rounds).toEqual([{ peer: 2, partition: 0, round }]);
  },
);

test("a peer in the same round gets its answer", () => {
  const { open, sent, rounds } = responder();
  open(5);
  expect(sent).toEqual([{ kind: "tree-close", exchange: 1, partition: 0, outcome: "equal" }]);
  expect(rounds).toEqual([]);
});

test("an unequal root in the same round is answered with what lies below it", () => {
  const { open, sent } = responder({ high: 7, low: 7 });
  open(5);
  expect(sent.map(({ kind }) => kind)).toEqual(["tree-nodes"]);
});
