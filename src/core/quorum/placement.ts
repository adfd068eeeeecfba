/**
 * Where the copies of one write go, and who is asked by one read: the first n healthy nodes of the
 * preference list (Dynamo, section 4.6). Values in, values out.
 *
 * Each dead owner is replaced by one stand-in, which keeps a hint for it and counts in its place.
 * When stand-ins are too few they share; when there is none the coordinator keeps the hint, which
 * is no copy more. All of this is within one data centre, the coordinator's: owners elsewhere get
 * their copies by far.ts, and are asked only when no owner is left here.
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

interface ReadSurroundings extends Surroundings {
  /** This node lost what it held, or never had it: it is asked when no other owner is left. */
  readonly isSelfLast?: boolean;
  /** Spreads reads over owners that are alike: a number from the key. */
  readonly turn?: number;
}

/** Of two owners neither is the nearer if the answers of one take less than so much longer. */
const alikeFactor = 1.5;
const alikeMs = 1;

export function placeCopies(surroundings: Surroundings): Placement {
  const { ring, partition, liveness, strict } = surroundings;
  const { self } = ring;
  const present = ring.near(partition);
  const future = ring.nearFuture(partition) ?? [];
  const holders = future.length === 0 ? present : [...new Set([...present, ...future])];
  const placement: Placement = {
    copies: [],
    kept: [],
    keptSets: 0,
    spare: undefined,
    surroundings,
    present,
    future,
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

/** Owners that this node's own ring does not name yet. */
export function addHolders(placement: Placement, nodes: readonly NodeId[]): void {
  for (const node of nodes) {
    const isKnown = [...placement.present, ...placement.future].includes(node);
    if (!isKnown) placement.copies.push(copyOf(placement, node, true));
  }
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

/**
 * Whom a read asks, best first: live owners by latency, this node before all; then stand-ins. Where
 * no near owner lives, far ones come last. Of owners that are alike each is the first for its part
 * of the keys, always the same: none has all the reads of its partitions, now or when another dies.
 */
export interface Readers {
  readonly nodes: readonly NodeId[];
  /** So many of them, the first, are near owners; and so many, the last, are far ones. */
  readonly owners: number;
  readonly farOwners: number;
  /** So many can stand for the whole: live owners, and a stand-in for each dead one. */
  readonly reachable: number;
}

export function readersOf({
  ring,
  partition,
  liveness,
  strict,
  isSelfLast = false,
  turn = 0,
}: ReadSurroundings): Readers {
  const { self } = ring;
  const owners = ring.near(partition);
  const nodes = livingOf(owners, self, liveness);
  takeTurns(nodes, { ring, liveness }, turn);
  // It comes first, if it is one of them.
  if (isSelfLast && nodes[0] === self) nodes.push(...nodes.splice(0, 1));
  const live = nodes.length;
  if (strict) return { nodes, owners: live, farOwners: 0, reachable: live };
  const ceiling = live + owners.length;
  for (const node of ring.preference(partition)) {
    if (nodes.length === ceiling) break;
    if (liveness.isLive(node) && !owners.includes(node)) nodes.push(node);
  }
  // Stand-ins know only what was written since: a late answer is better than a wrong "absent".
  const far = live > 0 ? [] : livingOf(ring.far(partition).flat(), self, liveness);
  nodes.push(...far.slice(0, owners.length));
  const farOwners = Math.min(far.length, owners.length);
  return { nodes, owners: live, farOwners, reachable: Math.min(nodes.length, owners.length) };
}

/** The live among the nodes, the fastest first. */
function livingOf(nodes: readonly NodeId[], self: NodeId, liveness: LivenessView): NodeId[] {
  const living: NodeId[] = [];
  for (const node of nodes) {
    if (!liveness.isLive(node)) continue;
    // Insertion: there are few of them.
    let at = living.length;
    while (at > 0 && isBetter(node, living[at - 1], self, liveness)) at -= 1;
    living.splice(at, 0, node);
  }
  return living;
}

/** The fastest but this node, and those as fast as it, change places by turns. */
function takeTurns(
  nodes: NodeId[],
  { ring, liveness }: Pick<Surroundings, "ring" | "liveness">,
  turn: number,
): void {
  const from = nodes[0] === ring.self ? 1 : 0;
  const first = nodes[from];
  if (first === undefined || turn === 0) return;
  const fastestMs = liveness.latencyMs(first);
  const limitMs = Math.max(fastestMs * alikeFactor, fastestMs + alikeMs);
  let to = from + 1;
  for (; to < nodes.length; to += 1) {
    const node = nodes[to];
    if (node === undefined || liveness.latencyMs(node) > limitMs) break;
  }
  const passed = turn % (to - from);
  if (passed > 0) nodes.splice(to - passed, 0, ...nodes.splice(from, passed));
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
