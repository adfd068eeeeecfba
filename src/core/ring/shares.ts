/**
 * How many copies each member should hold: in proportion to weight, whole numbers by the largest
 * remainder, and never more than one of each partition. A function of the members alone but for
 * ties, which go to whoever holds more already, so that nothing moves to break one.
 */
import type { Member } from "./ring-state.ts";

export interface Shared {
  readonly partitions: number;
  /** Copies of each partition; at most as many as there are members. */
  readonly copies: number;
  /** What each member holds now, in the order of members. */
  readonly held: readonly number[];
}

/** Remainders closer than this are the same: they differ by the rounding of the division. */
const tolerance = 1e-6;

export function sharesOf(
  members: readonly Member[],
  { partitions, copies, held }: Shared,
): number[] {
  const fair = fairShares(members, { partitions, copies });
  const shares = fair.map((share) => Math.floor(share + tolerance));
  let left = partitions * copies - shares.reduce((sum, share) => sum + share, 0);
  const remainder = (i: number): number =>
    Math.max(0, Math.round(((fair[i] ?? 0) - (shares[i] ?? 0)) / tolerance));
  const surplus = (i: number): number => (held[i] ?? 0) - (shares[i] ?? 0);
  const order = fair
    .map((_, i) => i)
    .filter((i) => (shares[i] ?? 0) < partitions)
    .sort((a, b) => remainder(b) - remainder(a) || surplus(b) - surplus(a) || a - b);
  for (const i of order) {
    if (left === 0) break;
    shares[i] = (shares[i] ?? 0) + 1;
    left -= 1;
  }
  return shares;
}

/** What is beyond one copy of each partition goes to the others, in proportion again. */
function fairShares(
  members: readonly Member[],
  { partitions, copies }: { readonly partitions: number; readonly copies: number },
): number[] {
  const fair = members.map(() => 0);
  let open = members.map((_, i) => i);
  let rest = partitions * copies;
  for (;;) {
    const weight = open.reduce((sum, i) => sum + (members[i]?.weight ?? 0), 0);
    const shareOf = (i: number): number => (rest * (members[i]?.weight ?? 0)) / weight;
    const full = open.filter((i) => shareOf(i) >= partitions);
    if (full.length === 0) {
      for (const i of open) fair[i] = shareOf(i);
      return fair;
    }
    for (const i of full) fair[i] = partitions;
    rest -= full.length * partitions;
    open = open.filter((i) => !full.includes(i));
    if (open.length === 0) return fair;
  }
}
