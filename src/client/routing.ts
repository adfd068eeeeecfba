/**
 * Which node to ask: pure decisions from the ring, who is down, and how nodes answered lately. A
 * partition-aware client goes straight to an owner (zero hops); any other goes anywhere.
 */
import type { NodeId } from "../core/ids.ts";

export interface OwnersView {
  /** Of the partition, as the preference list has them. */
  readonly owners: readonly NodeId[];
  /** The node that answered the read fastest on which this write is based; 0 when none. */
  readonly preferred: NodeId;
  isDown(node: NodeId): boolean;
  /** In the data centre that the client works with. */
  isNear(node: NodeId): boolean;
  /** What a request is likely to take there; lower is better. */
  costOf(node: NodeId): number;
}

export interface OwnersInOrder {
  readonly live: readonly NodeId[];
  /** To be asked when nobody else is left: what is said of them may be wrong. */
  readonly down: readonly NodeId[];
}

/**
 * Near ones before far ones; of each the preferred owner first, then by cost; those that cost the
 * same stay in the ring's order.
 */
export function inOrder(view: OwnersView): OwnersInOrder {
  const { owners, preferred, isDown, isNear, costOf } = view;
  const live: NodeId[] = [];
  const down: NodeId[] = [];
  const costs: number[] = [];
  for (const owner of owners) {
    if (isDown(owner)) {
      down.push(owner);
      continue;
    }
    const distance = isNear(owner) ? 0 : farCost;
    const cost = distance + (owner === preferred ? -1 : costOf(owner));
    let at = live.length;
    // There are few of them, mostly in order: inserting is cheaper than to sort.
    while (at > 0 && (costs[at - 1] ?? 0) > cost) at -= 1;
    live.splice(at, 0, owner);
    costs.splice(at, 0, cost);
  }
  return { live, down };
}

/** More than any request can cost. */
const farCost = 1e12;
/** Of a node that says nothing: whoever speaks, even from far away, is rather waited for. */
export const muteCost = 2 * farCost;

interface Avoidable {
  readonly avoidUntil: number;
}

export interface Tried {
  has(candidate: Avoidable): boolean;
}

/** The few that a call was sent to. A Set for each call would cost more than to look through. */
export class TriedFew implements Tried {
  readonly #tried: Avoidable[] = [];

  has(candidate: Avoidable): boolean {
    return this.#tried.includes(candidate);
  }

  add(candidate: Avoidable): void {
    this.#tried.push(candidate);
  }
}

/**
 * The first that has not been tried and is not avoided, else the first not tried, else, since there
 * is no other, one that was tried before.
 */
export function pickOf<T extends Avoidable>(
  candidates: Iterable<T>,
  { tried, now }: { readonly tried: Tried; readonly now: number },
): T | undefined {
  let avoided: T | undefined;
  let again: T | undefined;
  for (const candidate of candidates) {
    if (tried.has(candidate)) again = better(again, candidate, now);
    else if (candidate.avoidUntil <= now) return candidate;
    else avoided ??= candidate;
  }
  return avoided ?? again;
}

/**
 * As `pickOf`, but who is said to be down comes when all others were tried: who let a request wait
 * answers late, who is down mostly not at all.
 */
export function pickUpFirst<T extends Avoidable>(
  up: readonly T[],
  down: readonly T[],
  view: { readonly tried: Tried; readonly now: number },
): T | undefined {
  const first = pickOf(up, view);
  return first === undefined || view.tried.has(first) ? pickOf([...up, ...down], view) : first;
}

function better<T extends Avoidable>(known: T | undefined, other: T, now: number): T {
  return known === undefined || (known.avoidUntil > now && other.avoidUntil <= now) ? other : known;
}

/** Down is what more than half of those say that tell: one that is cut off says it of all. */
export function downIn(views: readonly (readonly NodeId[])[]): ReadonlySet<NodeId> {
  const votes = new Map<NodeId, number>();
  for (const view of views) for (const node of view) votes.set(node, (votes.get(node) ?? 0) + 1);
  return new Set([...votes].filter(([, count]) => 2 * count > views.length).map(([node]) => node));
}
