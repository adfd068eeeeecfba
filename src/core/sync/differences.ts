/** Where two trees differ, and two lists of keys: pure comparisons, the decisions of a walk. */
import { isSameHash } from "../clock/digest.ts";
import type { Hash, KeyDigest } from "../message.ts";

/** The places at which two rows of hashes differ. */
export function differingAt(mine: readonly Hash[], theirs: readonly Hash[]): number[] {
  const places: number[] = [];
  for (let at = 0; at < mine.length; at++) {
    const [left, right] = [mine[at], theirs[at]];
    if (left === undefined || right === undefined || !isSameHash(left, right)) places.push(at);
  }
  return places;
}

/** What to do about the keys of some leaves, by the heads of their tokens. */
export interface KeyDifferences {
  /** The peer has these differently, or alone. */
  readonly pull: readonly Hash[];
  /** The names (tokenName) of those among them that this side has too. */
  readonly shared: ReadonlySet<string>;
  /** The peer has nothing of these. */
  readonly push: readonly Hash[];
}

export function differingKeys(
  mine: readonly KeyDigest[],
  theirs: readonly KeyDigest[],
): KeyDifferences {
  const ours = summed(mine);
  const pull: Hash[] = [];
  const shared = new Set<string>();
  const rest = summed(theirs);
  for (const [name, { token, digest }] of rest) {
    const own = ours.get(name);
    if (own !== undefined && isSameHash(own.digest, digest)) continue;
    pull.push(token);
    if (own !== undefined) shared.add(name);
  }
  const push: Hash[] = [];
  for (const [name, { token }] of ours) if (!rest.has(name)) push.push(token);
  return { pull, shared, push };
}

export function tokenName({ high, low }: Hash): string {
  return `${high}/${low}`;
}

/** Keys whose tokens begin alike (one pair in 2^64) stand for one: their digests are added up. */
function summed(digests: readonly KeyDigest[]): Map<string, KeyDigest> {
  const byToken = new Map<string, KeyDigest>();
  for (const each of digests) {
    const name = tokenName(each.token);
    const twin = byToken.get(name);
    byToken.set(name, twin === undefined ? each : { token: each.token, digest: sum(twin, each) });
  }
  return byToken;
}

function sum({ digest: a }: KeyDigest, { digest: b }: KeyDigest): Hash {
  return { high: (a.high + b.high) >>> 0, low: (a.low + b.low) >>> 0 };
}
