/** Whether a quorum is met, may still be met, or cannot be: from counts alone. */
import { assert } from "../../../native-free-engine/base/assert.ts";

export type Verdict = "pending" | "met" | "impossible";

export interface Tally {
  readonly need: number;
  readonly asked: number;
  readonly acked: number;
  readonly failed: number;
}

/** Works from counts alone, so a test can enumerate every outcome for every n up to 7. */
export function judge({ need, asked, acked, failed }: Tally): Verdict {
  assert(acked + failed <= asked, "more answers than questions");
  if (acked >= need) return "met";
  return asked - failed < need ? "impossible" : "pending";
}

/**
 * While a partition moves, a write needs its quorum among the present owners and among the future
 * ones: whichever set a later read asks, it finds the write.
 */
export function judgeJointly(present: Tally, future: Tally | undefined): Verdict {
  const one = judge(present);
  if (future === undefined) return one;
  const other = judge(future);
  if (one === "impossible" || other === "impossible") return "impossible";
  return one === "met" && other === "met" ? "met" : "pending";
}
