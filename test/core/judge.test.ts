/** The verdict on a quorum, enumerated for every n up to 7, alone and joint. */
import { describe, expect, test } from "vitest";
import { judge, judgeJointly, type Tally } from "../../src/core/quorum/judge.ts";

function* tallies(n: number): Generator<Tally> {
  for (let need = 1; need <= n; need++) {
    for (let acked = 0; acked <= n; acked++) {
      for (let failed = 0; acked + failed <= n; failed++) yield { need, asked: n, acked, failed };
    }
  }
}

/** By definition: what every way in which the open questions may end has in common. */
function byTrying({ need, asked, acked, failed }: Tally): string {
  const open = asked - acked - failed;
  const ends = Array.from({ length: open + 1 }, (_, more) => acked + more >= need);
  if (acked >= need) return "met";
  return ends.some(Boolean) ? "pending" : "impossible";
}

describe("judge", () => {
  test("agrees with trying every end, for every n up to 7", () => {
    let cases = 0;
    for (let n = 1; n <= 7; n++) {
      for (const tally of tallies(n)) {
        expect(judge(tally)).toBe(byTrying(tally));
        cases += 1;
      }
    }
    expect(cases).toBe(1 * 3 + 2 * 6 + 3 * 10 + 4 * 15 + 5 * 21 + 6 * 28 + 7 * 36);
  });

  test("one answer more never turns a verdict around", () => {
    for (let n = 1; n <= 7; n++) {
      for (const tally of tallies(n)) {
        if (tally.acked + tally.failed === n || judge(tally) === "pending") continue;
        expect(judge({ ...tally, acked: tally.acked + 1 })).toBe(judge(tally));
        expect(judge({ ...tally, failed: tally.failed + 1 })).toBe(judge(tally));
      }
    }
  });

  test("more answers than questions is a bug", () => {
    expect(() => judge({ need: 1, asked: 1, acked: 1, failed: 1 })).toThrow(/more answers/);
  });
});

describe("the joint quorum of a move", () => {
  test("is met when both sets have met theirs, and impossible when one cannot", () => {
    for (const present of tallies(3)) {
      for (const future of tallies(4)) {
        const verdicts = [judge(present), judge(future)];
        const joint = judgeJointly(present, future);
        if (verdicts.includes("impossible")) expect(joint).toBe("impossible");
        else expect(joint).toBe(verdicts.includes("pending") ? "pending" : "met");
      }
      expect(judgeJointly(present, undefined)).toBe(judge(present));
    }
  });
});

describe("the seeds' settings", () => {
  /** Every set of replicas that acknowledged a write meets every set that answers a read. */
  function overlap(n: number, r: number, w: number): boolean {
    const sets = Array.from({ length: 2 ** n }, (_, bits) => bits);
    const size = (bits: number) => [...bits.toString(2)].filter((bit) => bit === "1").length;
    const writes = sets.filter((bits) => size(bits) === w);
    const reads = sets.filter((bits) => size(bits) === r);
    return writes.every((write) => reads.every((read) => (write & read) !== 0));
  }

  test("reads see the last write exactly when r + w > n", () => {
    for (let n = 1; n <= 7; n++) {
      for (let r = 1; r <= n; r++) {
        for (let w = 1; w <= n; w++) expect(overlap(n, r, w)).toBe(r + w > n);
      }
    }
    expect(overlap(3, 2, 2)).toBe(true);
    expect(overlap(3, 1, 3)).toBe(true);
    expect(overlap(3, 3, 1)).toBe(true);
    expect(overlap(3, 1, 1)).toBe(false);
  });
});
