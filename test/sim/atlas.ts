/**
 * Which disks a run may destroy. An acknowledged write is on W disks, and while fewer than W of
 * them are lost before the others have made up for it, it must be kept: with W = 2, one. A run
 * within that promise must lose nothing; a run beyond it must still never show what was not
 * written.
 */
import type { NodeId } from "../../src/core/ids.ts";
import type { World } from "./world.ts";

export class Atlas {
  readonly isBeyond: boolean;
  /** Nodes whose disk is damaged, and is there still. */
  readonly damaged = new Set<NodeId>();
  #destroyed = 0;

  constructor({ isBeyond }: { readonly isBeyond: boolean }) {
    this.isBeyond = isBeyond;
  }

  /** Whether what this node has on its disk may be lost now. */
  mayDestroy(world: World, node: NodeId): boolean {
    if (this.damaged.has(node)) return false;
    if (this.#destroyed === 0) return this.isBeyond || standsOnW(world);
    // Without a majority of members nobody could be let in for those that are lost.
    const members = world.ring.members.filter(({ state }) => state !== "left");
    const gone = members.filter(({ id }) => this.damaged.has(id) || !world.ids.includes(id));
    return this.isBeyond && 2 * (members.length - gone.length - 1) > members.length;
  }

  destroyed(): void {
    this.#destroyed += 1;
  }
}

/**
 * Where a partition has fewer owners in a data centre than W, all that there are must do for a
 * write: few are there, or leaving was taken back after its partitions had gone.
 */
export function standsOnW(world: World): boolean {
  const { members, owners } = world.ring;
  const centres = new Map(members.map(({ id, dc }) => [id, dc]));
  const inUse = new Set(members.flatMap(({ state, dc }) => (state === "member" ? [dc] : [])));
  return [...inUse].every((dc) =>
    // One more, because a coordinator may know a ring that is older or newer by one change.
    owners.every((row) => row.filter((id) => centres.get(id) === dc).length > world.w),
  );
}
