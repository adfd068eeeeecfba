/** A copy that came from before a clean-up is no copy: its sender has to hear of that. */
import { expect, test } from "vitest";
import { emptyContext, noVersions, write } from "../../src/core/clock/versions.ts";
import { keyOf } from "../../src/core/key.ts";
import type { Message } from "../../src/core/message.ts";
import { Replica } from "../../src/core/replica.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { memberOf } from "../support/replica-town.ts";

const key = keyOf("", Uint8Array.of(1));
const operation = { at: 1, nonce: 1, retried: false };
const change = { operation, time: 1, expiresAt: 0, value: Uint8Array.of(2) };
const dot = { actor: "a".repeat(16), counter: 1 };
const { versions } = write(noVersions, emptyContext, dot, change);
const state = {
  ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 2 },
  ...{ members: [memberOf(1), memberOf(2)], moves: [], buckets: [], staged: [] },
  owners: Array.from({ length: 4 }, () => [1, 2]),
};

/** What node 1 answers to the copy when its store finds so many of the entries stale. */
function answersTo(stale: number): readonly Message[] {
  const sent: Message[] = [];
  const ring = new Ring(state, 1);
  const replica = new Replica({
    self: 1,
    out: {
      send: (_to, message) => sent.push(message),
      store: (_work, then) => then({ kind: "merged", changed: 0, stale }, 0),
      notice: () => {},
    },
    ring: () => ring,
    standing: { of: () => "current" },
    cleanup: { isSettled: () => true },
  });
  replica.receive(0, 2, {
    ...{ kind: "write", request: 5, key, versions, round: 0, hintFor: [], relay: [] },
    ...{ repair: false, deadlineMs: 1_000 },
  });
  return sent;
}

test("a copy of which something is stale is not acknowledged as stored", () => {
  expect(answersTo(0)).toMatchObject([{ kind: "write-reply", outcome: "stored" }]);
  expect(answersTo(1)).toMatchObject([{ kind: "write-reply", outcome: "stale-round" }]);
});
