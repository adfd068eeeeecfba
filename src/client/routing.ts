/**
 * Which node to ask: pure decisions from the ring, who is down, and how nodes answered lately.
 * A partition-aware client goes straight to an owner (zero hops); any other goes anywhere.
 */
import type { NodeId } from "../core/ids.ts";
import { type Key, partitionOf } from "../core/key.ts";
import type { RingState } from "../core/ring/ring-state.ts";

export interface Candidates {
  /** What the client knows of the ring; undefined until a node has told it. */
  readonly ring: RingState | undefined;
  readonly down: ReadonlySet<NodeId>;
  /** Every address that may be asked, best first. */
  readonly addresses: readonly string[];
  /** The node that answered the read fastest on which this write is based; 0 when none. */
  readonly preferred: NodeId;
  /** How long an address takes; lower is better. */
  latencyMs(address: string): number;
}

/** Addresses in the order in which to try them, each once. */
export function routeOf(key: Key | undefined, candidates: Candidates): readonly string[] {
  const { ring, down, addresses, preferred } = candidates;
  if (ring === undefined || key === undefined) return addresses;
  const owners = ring.owners[partitionOf(key, ring.owners.length)] ?? [];
  const first: string[] = [];
  const last: string[] = [];
  for (const owner of byPreference(owners, preferred)) {
    const address = ring.members.find(({ id }) => id === owner)?.address;
    if (address === undefined) continue;
    if (down.has(owner)) last.push(address);
    else first.push(address);
  }
  if (preferred === 0 || !owners.includes(preferred)) {
    first.sort((a, b) => candidates.latencyMs(a) - candidates.latencyMs(b));
  }
  const owned = new Set([...first, ...last]);
  return [...first, ...addresses.filter((address) => !owned.has(address)), ...last];
}

function byPreference(owners: readonly NodeId[], preferred: NodeId): readonly NodeId[] {
  if (!owners.includes(preferred)) return owners;
  return [preferred, ...owners.filter((owner) => owner !== preferred)];
}
