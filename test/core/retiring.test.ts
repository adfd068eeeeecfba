/** A node that is leaving and holds nothing any more keeps nothing for others either. */
import { expect, test } from "vitest";
import { noVersions } from "../../src/core/clock/versions.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Message } from "../../src/core/message.ts";
import { Replica } from "../../src/core/replica.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, Move } from "../../src/core/ring/ring-state.ts";
import { memberOf } from "../support/replica-town.ts";

/** What node 3 answers to a copy that it is to keep for node 2. */
function answerOf(state: Member["state"], moves: readonly Move[]): readonly Message[] {
  const sent: Message[] = [];
  const ring = new Ring(
    {
      ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 2, moves },
      ...{ members: [memberOf(1), memberOf(2), { ...memberOf(3), state }] },
      ...{ owners: [[1, 2]], buckets: [], staged: [] },
    },
    3,
  );
  const replica = new Replica({
    self: 3,
    out: {
      send: (_to, message) => sent.push(message),
      store: (_work, then) => then({ kind: "durable" }, 0),
      notice: () => {},
    },
    ring: () => ring,
    standing: { of: () => "current" },
    cleanup: { isSettled: () => true },
  });
  const key = keyOf("", Uint8Array.of(1));
  replica.receive(0, 1, {
    ...{ kind: "write", request: 5, key, versions: noVersions, round: 0, hintFor: [2] },
    ...{ relay: [], repair: false, deadlineMs: 1_000 },
  });
  return sent;
}

test("a hint is refused by a node that leaves with nothing", () => {
  expect(answerOf("leaving", [])).toMatchObject([{ outcome: "not-owner" }]);
});

test("a hint is kept by a node that stays, and by one that still holds something", () => {
  expect(answerOf("member", [])).toMatchObject([{ outcome: "stored" }]);
  expect(answerOf("leaving", [{ partition: 0, to: [1, 3] }])).toMatchObject([
    { outcome: "stored" },
  ]);
});
