/**
 * One epoch as a node sees it: from a key to its partition, from a partition to whoever owns it
 * and whoever stands in. Which owners are near depends on where the node is: quorums are counted
 * among those, and the far ones follow. Immutable; a new epoch makes a new
 * one. What is asked for by every request is worked out once and kept.
 */
import type { NodeId, Partition } from "../ids.ts";
import { type Key, partitionOf } from "../key.ts";
import type { RingView } from "../views.ts";
import { isSameSet } from "./check-ring.ts";
import type { Member, RingState } from "./ring-state.ts";

const nobody: readonly NodeId[] = [];

export class Ring implements RingView {
  readonly state: RingState;
  readonly self: NodeId;
  readonly partitions: number;
  /** What the node itself is; absent where it never was a member. */
  readonly selfState: Member["state"] | undefined;
  readonly #futures = new Map<Partition, readonly NodeId[]>();
  readonly #holders: (readonly NodeId[])[] = [];
  readonly #preferences: (readonly NodeId[])[] = [];
  readonly #near: (readonly NodeId[])[] = [];
  readonly #far: (readonly (readonly NodeId[])[])[] = [];
  readonly #racks = new Map<NodeId, string>();
  readonly #dcs = new Map<NodeId, string>();
  readonly #dc: string | undefined;
  readonly #staying: readonly NodeId[];
  /** They keep no new data for others, unless nobody else is there. */
  readonly #leaving: readonly NodeId[];
  #held: readonly Partition[] | undefined;

  constructor(state: RingState, self: NodeId) {
    this.state = state;
    this.self = self;
    this.partitions = state.owners.length;
    this.selfState = state.members.find(({ id }) => id === self)?.state;
    for (const { partition, to } of state.moves) this.#futures.set(partition, to);
    for (const { id, dc } of state.members) this.#dcs.set(id, dc);
    this.#dc = this.#dcs.get(self);
    const present = state.members.filter((member) => member.state !== "left");
    for (const { id, dc, rack } of present) this.#racks.set(id, `${dc}\0${rack}`);
    this.#staying = present.filter((one) => one.state === "member").map(({ id }) => id);
    this.#leaving = present.filter((one) => one.state === "leaving").map(({ id }) => id);
  }

  partitionOf(key: Key): Partition {
    return partitionOf(key, this.partitions);
  }

  owners(partition: Partition): readonly NodeId[] {
    return this.state.owners[partition] ?? nobody;
  }

  future(partition: Partition): readonly NodeId[] | undefined {
    return this.#futures.get(partition);
  }

  holders(partition: Partition): readonly NodeId[] {
    this.#holders[partition] ??= this.#findHolders(partition);
    return this.#holders[partition];
  }

  near(partition: Partition): readonly NodeId[] {
    this.#near[partition] ??= this.#findNear(partition);
    return this.#near[partition];
  }

  nearFuture(partition: Partition): readonly NodeId[] | undefined {
    const future = this.future(partition);
    if (future === undefined) return undefined;
    const near = this.near(partition);
    const here = future.filter((node) => this.#isHere(node));
    const found = near.some((node) => this.#isHere(node)) ? here : future;
    return found.length === 0 || isSameSet(found, near) ? undefined : found;
  }

  far(partition: Partition): readonly (readonly NodeId[])[] {
    this.#far[partition] ??= this.#findFar(partition);
    return this.#far[partition];
  }

  dcOf(node: NodeId): string | undefined {
    return this.#dcs.get(node);
  }

  preference(partition: Partition): readonly NodeId[] {
    this.#preferences[partition] ??= this.#findPreference(partition);
    return this.#preferences[partition];
  }

  held(): readonly Partition[] {
    this.#held ??= this.#findHeld();
    return this.#held;
  }

  isMember(node: NodeId): boolean {
    return this.#racks.has(node);
  }

  #findHolders(partition: Partition): readonly NodeId[] {
    const owners = this.owners(partition);
    const future = this.#futures.get(partition);
    return future === undefined ? owners : [...new Set([...owners, ...future])];
  }

  #findNear(partition: Partition): readonly NodeId[] {
    const owners = this.owners(partition);
    const here = owners.filter((node) => this.#isHere(node));
    return here.length === 0 || here.length === owners.length ? owners : here;
  }

  #findFar(partition: Partition): readonly (readonly NodeId[])[] {
    const near = new Set([...this.near(partition), ...(this.nearFuture(partition) ?? [])]);
    const groups = new Map<string | undefined, NodeId[]>();
    for (const node of this.holders(partition)) {
      if (near.has(node)) continue;
      const dc = this.dcOf(node);
      const group = groups.get(dc);
      if (group === undefined) groups.set(dc, [node]);
      else group.push(node);
    }
    return [...groups.values()];
  }

  /**
   * Stand-ins come in the order in which a walk clockwise meets them as first owners, so the load
   * of a node that is down spreads over as many as follow its many partitions. Those in a rack
   * that holds no copy yet go first: whatever took the owner down may have taken its rack.
   */
  #findPreference(partition: Partition): readonly NodeId[] {
    const owners = this.near(partition);
    const isHere = owners.every((node) => this.#isHere(node));
    const mayStandIn = (node: NodeId): boolean => !isHere || this.#isHere(node);
    const staying = this.#staying.filter(mayStandIn);
    const leaving = new Set(this.#leaving.filter(mayStandIn));
    const found = new Set(owners);
    const reachable = staying.length + owners.filter((node) => leaving.has(node)).length;
    for (let step = 1; step < this.partitions && found.size < reachable; step++) {
      const head = this.near((partition + step) % this.partitions).find(mayStandIn);
      if (head !== undefined && !leaving.has(head)) found.add(head);
    }
    for (const node of staying) found.add(node);
    const racks = new Set(owners.map((node) => this.#racks.get(node)));
    const standIns = [...found].slice(owners.length);
    const isElsewhere = (node: NodeId): boolean => !racks.has(this.#racks.get(node));
    return [
      ...owners,
      ...standIns.filter(isElsewhere),
      ...standIns.filter((node) => !isElsewhere(node)),
      ...[...leaving].filter((node) => !found.has(node)),
    ];
  }

  #findHeld(): readonly Partition[] {
    const held: Partition[] = [];
    for (let partition = 0; partition < this.partitions; partition++) {
      if (this.holders(partition).includes(this.self)) held.push(partition);
    }
    return held;
  }

  #isHere(node: NodeId): boolean {
    return this.#dcs.get(node) === this.#dc;
  }
}
