/**
 * Tells a regression from noise. Rates are compared by their logarithms, so that a fifth more and
 * a fifth less weigh the same. A row counts as changed when all of this holds:
 *
 * - the ranges of the two runs do not overlap;
 * - the means lie four standard errors apart. Three rounds say little about how much they scatter,
 *   so a row that happens to scatter less than its neighbours (the other engines of the row, and
 *   the middle of all rows) is not believed to: theirs is taken instead;
 * - what the peers of the same row did between the two runs does not explain it: their code is the
 *   same, so when most of them moved, the machine did;
 * - it is at least 3 %.
 *
 * Where no code changed, a table of forty rows is then without a single alarm in nineteen of twenty
 * comparisons (test/bench.test.ts counts them); mere ranges would give four alarms in each.
 */
import { spreadOf } from "./measurement.ts";

export type Verdict = "better" | "worse" | "same" | "unsure";

export interface Pair {
  /** Pairs of one row: other engines under the same work. */
  readonly row: string;
  /** Its code is the same in both runs. */
  readonly isPeer: boolean;
  readonly lessIsBetter: boolean;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** With fewer rounds than this, a row says nothing of how much it scatters. */
export const roundsNeeded = 3;
const standardErrors = 4;
const leastChange = Math.log(1.03);
/** One peer that moved may be noise itself. */
const peersNeeded = 2;

interface Weighed {
  readonly pair: Pair;
  /** Of the logarithms: how far the means lie apart, and how much the rounds scatter. */
  readonly change: number;
  readonly variance: number;
}

/** One verdict for each pair, in their order. */
export function judgeAll(pairs: readonly Pair[]): Verdict[] {
  const weighed = pairs.map(weigh);
  const known = weighed.flatMap((one) => one ?? []);
  const usual = median(known.map(({ variance }) => variance)) ?? 0;
  const rows = new Map<string, Weighed[]>();
  for (const one of known) rows.set(one.pair.row, [...(rows.get(one.pair.row) ?? []), one]);
  return weighed.map((one) => {
    if (one === undefined) return "unsure";
    const { pair, change, variance } = one;
    const row = rows.get(pair.row) ?? [];
    const neighbours = median(row.map((other) => other.variance)) ?? 0;
    const { before, after } = pair;
    const error = Math.sqrt(
      Math.max(variance, neighbours, usual) * (1 / before.length + 1 / after.length),
    );
    const left = pair.isPeer ? change : unexplained(change, row);
    const isChange = Math.abs(left) > Math.max(standardErrors * error, leastChange);
    if (!isChange || overlap(before, after)) return "same";
    return left > 0 === pair.lessIsBetter ? "worse" : "better";
  });
}

/** How much the middle row must lose to be called worse, as a share: what the scatter can hide. */
export function leastNoticed(pairs: readonly Pair[]): number | undefined {
  const losses = pairs.flatMap((pair) => {
    const { before, after } = pair;
    const variance = weigh(pair)?.variance;
    if (variance === undefined) return [];
    return Math.sqrt(variance * (1 / before.length + 1 / after.length));
  });
  const error = median(losses);
  if (error === undefined) return undefined;
  return 1 - Math.exp(-Math.max(standardErrors * error, leastChange));
}

/** What of a change is left when that of the row's peers is taken away; never more than it was. */
function unexplained(change: number, row: readonly Weighed[]): number {
  const peers = row.filter(({ pair }) => pair.isPeer).map((peer) => peer.change);
  const drift = peers.length < peersNeeded ? 0 : (median(peers) ?? 0);
  if (Math.sign(drift) !== Math.sign(change)) return change;
  return Math.sign(change) * Math.max(0, Math.abs(change) - Math.abs(drift));
}

function weigh(pair: Pair): Weighed | undefined {
  const { before, after } = pair;
  if (Math.min(before.length, after.length) < roundsNeeded) return undefined;
  // Nothing has a ratio to zero.
  if ([...before, ...after].some((value) => !(value > 0))) return undefined;
  const earlier = before.map(Math.log);
  const later = after.map(Math.log);
  const freedom = before.length + after.length - 2;
  return {
    pair,
    change: mean(later) - mean(earlier),
    variance: (squares(earlier) + squares(later)) / freedom,
  };
}

function overlap(a: readonly number[], b: readonly number[]): boolean {
  return Math.min(...a) <= Math.max(...b) && Math.min(...b) <= Math.max(...a);
}

function squares(values: readonly number[]): number {
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number | undefined {
  return spreadOf(values)?.median;
}
