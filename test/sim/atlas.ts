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

/** Where a data centre has fewer owners than W, all that there are must do for a write. */
export function standsOnW(world: World): boolean {
  const sizes = new Map<string, number>();
  for (const { dc, state } of world.ring.members) {
    sizes.set(dc, (sizes.get(dc) ?? 0) + (state === "member" ? 1 : 0));
  }
  // One more, because a coordinator may know a ring that is older or newer by one change.
  return [...sizes.values()].every((size) => size > world.w);
}
