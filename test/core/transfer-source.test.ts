/** Who streams a partition to a new owner: holders that have all of it, and nobody else. */
import { expect, test } from "vitest";
import type { StoreWork } from "../../src/core/event.ts";
import type { Message, Standing, TransferMessage } from "../../src/core/message.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import { Outbound } from "../../src/core/transfer/outbound.ts";
import { transferDefaults } from "../../src/core/transfer/transfers.ts";
import { memberOf } from "../support/replica-town.ts";

const ask: TransferMessage & { readonly kind: "transfer-ask" } = {
  ...{ kind: "transfer-ask", transfer: 3, partition: 0, root: { high: 1, low: 1 } },
  ...{ skip: new Uint8Array(0), chunks: 4, after: undefined },
};

/** What node 1, which owns partition 0 alone, answers with this standing of its own. */
function answersOf(standing: Standing, partition = 0): readonly Message[] {
  const sent: Message[] = [];
  const state = {
    ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: 1 },
    ...{ members: [memberOf(1), memberOf(2)], owners: [[1], [2]] },
    ...{ moves: [{ partition: 0, to: [2] }], buckets: [], staged: [] },
  };
  const ring = new Ring(state, 1);
  const outbound = new Outbound({
    out: {
      send: (_to, message) => sent.push(message),
      store: (work, then) => then(answerTo(work), 0),
      notice: () => {},
    },
    ring: () => ring,
    standing: { of: () => standing },
    tuning: transferDefaults,
    share: () => 1,
  });
  outbound.receive(0, 2, { ...ask, partition });
  return sent;
}

function answerTo({ kind }: StoreWork) {
  if (kind === "tree") {
    return { kind, ready: true, round: 0, hashes: [{ high: 0, low: 0 }] } as const;
  }
  return { kind: "entries", entries: [], isEnd: true, round: 0 } as const;
}

test("an owner that holds everything streams it, also while it catches up", () => {
  for (const standing of ["current", "catching-up"] as const) {
    expect(answersOf(standing)).toMatchObject([{ kind: "transfer-chunk", next: undefined }]);
  }
});

test("one that is rebuilding refuses: what it lacks would be missing for good", () => {
  expect(answersOf("rebuilding")).toMatchObject([{ kind: "transfer-close", outcome: "refused" }]);
});

test("one that does not hold the partition refuses, and where there is no such partition", () => {
  for (const partition of [1, 7]) {
    const answers = answersOf("current", partition);
    expect(answers).toMatchObject([{ kind: "transfer-close", outcome: "refused" }]);
  }
});
