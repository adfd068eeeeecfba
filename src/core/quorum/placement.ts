/**
 * Where the copies of one write go, and who is asked by one read: the first n healthy nodes of the
 * preference list (Dynamo, section 4.6). Values in, values out.
 *
 * Each dead owner is replaced by one stand-in, which keeps a hint for it and counts in its place.
 * When stand-ins are too few they share; when there is none the coordinator keeps the hint, which
 * is no copy more.
 */
import type { NodeId, Partition } from "../ids.ts";
import type { LivenessView, RingView } from "../views.ts";
import type { Tally } from "./judge.ts";

/** Sets of owners as bits: a copy counts in those sets where its node owns or stands in. */
export const inPresent = 1;
export const inFuture = 2;

/** One copy on its way. The write in flight changes what is not `readonly`. */
export interface Copy {
  readonly node: NodeId;
  /** Holds the partition itself, in its own right. */
  readonly isHolder: boolean;
  /** In whose place it keeps a hint, besides. */
  readonly hintFor: NodeId[];
  /** `inPresent`, `inFuture`, both or none. */
  sets: number;
  state: "waiting" | "acked" | "failed";
  /** Somebody else was asked in its place, or a hint is kept for it. */
  isReplaced: boolean;
}

export interface Placement {
  /** The coordinator's own comes first. */
  readonly copies: Copy[];
  /** Owners for whom the coordinator itself keeps hints, for want of a stand-in. */
  readonly kept: NodeId[];
  /** Sets in which the coordinator's copy will count once those hints are durable. */
  keptSets: number;
  /** Nodes that may still step in, best first; undefined until the first is needed. */
  spare: NodeId[] | undefined;
  readonly surroundings: Surroundings;
  readonly present: readonly NodeId[];
  readonly future: readonly NodeId[];
}

export interface Surroundings {
  readonly ring: RingView;
  readonly partition: Partition;
  readonly liveness: LivenessView;
  /** Only owners count, and nobody stands in. */
  readonly strict: boolean;
}

export function placeCopies(surroundings: Surroundings): Placement {
  const { ring, partition, liveness, strict } = surroundings;
  const { self } = ring;
  const present = ring.owners(partition);
  const future = ring.future(partition) ?? [];
  const holders = future.length === 0 ? present : ring.holders(partition);
  const placement: Placement = {
    ...{ copies: [], kept: [], keptSets: 0, spare: undefined, present, future, surroundings },
  };
  const own = copyOf(placement, self, holders.includes(self));
  placement.copies.push(own);
  const dead: NodeId[] = [];
  for (const node of holders) {
    if (node === self) continue;
    if (liveness.isLive(node)) placement.copies.push(copyOf(placement, node, true));
    else dead.push(node);
  }
  if (own.isHolder && dead.length === 0) return placement;
  if (strict) {
    placement.kept.push(...dead);
    if (!own.isHolder) own.hintFor.push(...(dead.length === 0 ? holders : dead));
    return placement;
  }
  if (!own.isHolder) standInItself(placement, own, { dead, holders });
  for (const node of own.isHolder ? dead : dead.slice(1)) {
    const copy = standIn(placement, node) ?? sharer(placement, node);
    if (copy === undefined && own.isHolder) {
      placement.kept.push(node);
      placement.keptSets |= setsOf(placement, node);
    }
  }
  return placement;
}

/** The next live stand-in takes the owner's copy; undefined when there is none left. */
export function standIn(placement: Placement, owner: NodeId): Copy | undefined {
  placement.spare ??= sparesOf(placement);
  for (;;) {
    const node = placement.spare.shift();
    if (node === undefined) return undefined;
    if (!placement.surroundings.liveness.isLive(node)) continue;
    const copy = copyOf(placement, node, false);
    copy.hintFor.push(owner);
    copy.sets = setsOf(placement, owner);
    placement.copies.push(copy);
    return copy;
  }
}

function sparesOf({ surroundings, present, future }: Placement): NodeId[] {
  const { ring, partition, strict } = surroundings;
  if (strict) return [];
  return ring
    .preference(partition)
    .filter((node) => node !== ring.self && !present.includes(node) && !future.includes(node));
}

function setsOf({ present, future }: Placement, node: NodeId): number {
  return (present.includes(node) ? inPresent : 0) | (future.includes(node) ? inFuture : 0);
}

/** How the copies stand within one set of owners; undefined where there is no such set. */
export function tallyOf(placement: Placement, set: number, w: number): Tally | undefined {
  const { copies, keptSets, present, future } = placement;
  const size = set === inPresent ? present.length : future.length;
  if (size === 0 && set === inFuture) return undefined;
  let asked = 0;
  let acked = 0;
  let failed = 0;
  for (const copy of copies) {
    if ((copy.sets & set) === 0) {
      if (copy === copies[0] && (keptSets & set) !== 0) asked += 1;
      continue;
    }
    asked += 1;
    if (copy.state === "acked") acked += 1;
    else if (copy.state === "failed") failed += 1;
  }
  return { need: Math.min(w, size), asked, acked, failed };
}

/** Whom a read asks, best first: live owners by latency, this node before all; then stand-ins. */
export interface Readers {
  readonly nodes: readonly NodeId[];
  /** So many of them are owners. */
  readonly owners: number;
  /** So many can stand for the whole: live owners, and a stand-in for each dead one. */
  readonly reachable: number;
}

export function readersOf({ ring, partition, liveness, strict }: Surroundings): Readers {
  const { self } = ring;
  const owners = ring.owners(partition);
  const nodes: NodeId[] = [];
  for (const node of owners) {
    if (!liveness.isLive(node)) continue;
    // Insertion: at most seven owners.
    let at = nodes.length;
    while (at > 0 && isBetter(node, nodes[at - 1], self, liveness)) at -= 1;
    nodes.splice(at, 0, node);
  }
  const live = nodes.length;
  if (strict) return { nodes, owners: live, reachable: live };
  const ceiling = live + owners.length;
  for (const node of ring.preference(partition)) {
    if (nodes.length === ceiling) break;
    if (liveness.isLive(node) && !owners.includes(node)) nodes.push(node);
  }
  return { nodes, owners: live, reachable: Math.min(nodes.length, owners.length) };
}

function isBetter(
  node: NodeId,
  other: NodeId | undefined,
  self: NodeId,
  liveness: LivenessView,
): boolean {
  if (other === undefined || node === self) return true;
  return other !== self && liveness.latencyMs(node) < liveness.latencyMs(other);
}

function copyOf(placement: Placement, node: NodeId, isHolder: boolean): Copy {
  const sets = isHolder ? setsOf(placement, node) : 0;
  return { node, isHolder, hintFor: [], sets, state: "waiting", isReplaced: false };
}

/**
 * The coordinator owns nothing here. It keeps what it writes for every absent owner, and counts
 * for those. Where all owners are well it counts for none: no read would ask it.
 */
function standInItself(
  placement: Placement,
  own: Copy,
  { dead, holders }: { readonly dead: readonly NodeId[]; readonly holders: readonly NodeId[] },
): void {
  own.hintFor.push(...(dead.length === 0 ? holders : dead));
  for (const node of dead) own.sets |= setsOf(placement, node);
}

/** Stand-ins are too few: the one with the fewest hints takes one more and counts for it too. */
function sharer(placement: Placement, owner: NodeId): Copy | undefined {
  const sets = setsOf(placement, owner);
  let best: Copy | undefined;
  for (const copy of placement.copies) {
    if (copy.node === placement.copies[0]?.node) continue;
    // A holder helps out only where its copy did not count yet.
    if (copy.isHolder && (copy.sets & sets) === sets) continue;
    if (best === undefined || rank(copy) < rank(best)) best = copy;
  }
  best?.hintFor.push(owner);
  if (best !== undefined) best.sets |= sets;
  return best;
}

function rank(copy: Copy): number {
  return copy.hintFor.length + (copy.isHolder ? 100 : 0);
}
