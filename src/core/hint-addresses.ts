/**
 * To whom a hint goes: pure decisions from the ring. Within a data centre it goes to the node that
 * it was kept for. To another one a single hint was kept for all owners there, so any of them takes
 * it, and passes it on. Where the ring has changed meanwhile it goes to those who hold the key now.
 */
import type { NodeId } from "./ids.ts";
import type { Key } from "./key.ts";
import type { RingView } from "./views.ts";

export function isFar(ring: RingView, node: NodeId): boolean {
  return ring.dcOf(node) !== ring.dcOf(ring.self);
}

/**
 * Whether this node may keep anything for others. Once it is leaving and holds nothing it has said,
 * or is about to say, that nothing is lost with it; it may be struck out without hearing of it.
 */
export function mayKeepHints(ring: RingView): boolean {
  const { state, self } = ring;
  if (ring.held().length > 0) return true;
  return !state.members.some((member) => member.id === self && member.state === "leaving");
}

/** Whom a hint for `target` may be delivered to, the target itself first; nobody: see `heirsOf`. */
export function addresseesOf(ring: RingView, target: NodeId, key: Key): readonly NodeId[] {
  const holders = ring.holders(ring.partitionOf(key));
  const isThere = ring.isMember(target) && holders.includes(target);
  if (!isFar(ring, target)) return isThere ? [target] : [];
  const dc = ring.dcOf(target);
  const others = holders.filter((node) => node !== target && ring.dcOf(node) === dc);
  return isThere ? [target, ...others] : others;
}

/**
 * Who takes over what was kept for a target that holds the key no longer: the owners in its data
 * centre; when it owns nothing any more, those here, and one in each other data centre.
 */
export function heirsOf(ring: RingView, target: NodeId, key: Key): readonly NodeId[] {
  const partition = ring.partitionOf(key);
  const dc = ring.dcOf(target);
  const there = ring.holders(partition).filter((node) => ring.dcOf(node) === dc);
  if (there.length > 0) return isFar(ring, target) ? there.slice(0, 1) : there;
  const far = ring.far(partition).flatMap((holders) => holders.slice(0, 1));
  const here = [...ring.near(partition), ...(ring.nearFuture(partition) ?? [])];
  return [...new Set([...here, ...far])];
}

/** To whom a copy from another data centre is passed on by this one, which holds the key. */
export function neighboursOf(ring: RingView, key: Key): readonly NodeId[] {
  const holders = ring.holders(ring.partitionOf(key));
  return holders.filter((node) => node !== ring.self && !isFar(ring, node));
}
