/**
 * Who owns the partition of the clean-up model: epochs that nodes hear of one by one, moves, a node
 * that takes the place of one that lost its disk, and how owners are filled and former ones go.
 */
import { noFloor } from "../../src/core/clock/floor.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Random } from "../../src/core/random.ts";
import { Ring } from "../../src/core/ring/ring.ts";
import type { Member, RingState } from "../../src/core/ring/ring-state.ts";
import { type CleanupTown, keys } from "./cleanup-town.ts";

export class ModelRing {
  readonly #random: Random;
  readonly #town: CleanupTown;
  #state: RingState;
  /** By node the epoch that it has heard of. */
  readonly #rings = new Map<NodeId, Ring>();

  /** Three owners and two others, or with two data centres two and one in each. */
  constructor(random: Random, town: CleanupTown, isApart: boolean) {
    this.#random = random;
    this.#town = town;
    const owners = isApart ? [1, 2, 3, 4] : [1, 2, 3];
    const ids = [...owners, owners.length + 1, owners.length + 2];
    const eastern = isApart ? [3, 4, 6] : [];
    const members = ids.map((id) => memberOf(id, eastern.includes(id) ? "east" : "west"));
    this.#state = {
      ...{ clusterId: "5eed".repeat(8), generation: 1, epoch: 1, n: isApart ? 2 : 3, members },
      ...{ owners: [owners, owners], moves: [], buckets: [], staged: [] },
    };
    for (const id of ids) this.#rings.set(id, new Ring(this.#state, id));
  }

  get owners(): readonly NodeId[] {
    return this.#state.owners[0] ?? [];
  }

  get future(): readonly NodeId[] | undefined {
    return this.#state.moves[0]?.to;
  }

  get holders(): readonly NodeId[] {
    return [...new Set([...this.owners, ...(this.future ?? [])])];
  }

  get others(): readonly NodeId[] {
    return [...this.#rings.keys()].filter((id) => !this.holders.includes(id));
  }

  of(id: NodeId): Ring {
    const ring = this.#rings.get(id);
    if (ring === undefined) throw new Error(`node ${id} has no ring`);
    return ring;
  }

  dcOf(id: NodeId): string | undefined {
    return this.#state.members.find((member) => member.id === id)?.dc;
  }

  foundAll(): void {
    for (const id of this.#rings.keys()) this.#town.found(id);
  }

  /** Somebody hears of the epoch; or the partition begins to move; or a move comes to its end. */
  change(): void {
    const late = [...this.#rings].filter(([, { state }]) => state !== this.#state);
    const [first] = late;
    if (first !== undefined) this.#tell(first[0]);
    else if (this.future !== undefined) this.finishMove();
    else if (this.#chance(30) && this.#town.filling.size === 0) {
      const next = this.#pick(this.others);
      const gone = this.#pick(this.owners);
      if (next === undefined || gone === undefined) return;
      const to = this.owners.map((id) => (id === gone ? next : id));
      this.#decide(this.owners, [{ partition: 0, to }]);
    }
  }

  finishMove(): void {
    const { future } = this;
    if (future === undefined || future.some((id) => this.#town.filling.has(id))) return;
    this.#decide(future, []);
  }

  /** Its disk is gone: a new member takes its place. */
  replace(id: NodeId): void {
    const fresh = Math.max(...this.#state.members.map((member) => member.id)) + 1;
    const members = this.#state.members.map((member) =>
      member.id === id ? ({ ...member, state: "left" } as const) : member,
    );
    const place = memberOf(fresh, this.dcOf(id) ?? "west");
    this.#rings.delete(id);
    this.#town.forget(id);
    this.#state = { ...this.#state, members: [...members, place] };
    this.#decide(
      this.owners.map((owner) => (owner === id ? fresh : owner)),
      [],
    );
    this.#rings.set(fresh, new Ring(this.#state, fresh));
    this.#town.found(fresh);
    this.#town.filling.set(fresh, new Set());
  }

  tellAll(): void {
    for (const id of this.#rings.keys()) this.#tell(id);
  }

  /** Owners that are not filled go on, and so do former owners that have something left. */
  tick(): void {
    if ([...this.#rings.values()].some(({ state }) => state !== this.#state)) return;
    for (const id of this.#rings.keys()) {
      if (!this.#town.isUp(id)) continue;
      const met = this.#town.filling.get(id);
      if (met !== undefined) this.#fill(id, met);
      else if (!this.holders.includes(id) && this.#town.node(id).data.size > 0) this.#leave(id);
    }
  }

  #decide(owners: readonly NodeId[], moves: RingState["moves"]): void {
    const epoch = this.#state.epoch + 1;
    this.#state = { ...this.#state, epoch, owners: [owners, owners], moves };
    const first = this.#pick([...this.#rings.keys()]);
    if (first !== undefined) this.#tell(first);
  }

  #tell(id: NodeId): void {
    const before = this.of(id);
    if (before.state === this.#state) return;
    const ring = new Ring(this.#state, id);
    this.#rings.set(id, ring);
    const isHolder = ring.holders(0).includes(id);
    if (!isHolder) this.#town.filling.delete(id);
    else if (!before.holders(0).includes(id)) {
      this.#town.node(id).renew();
      this.#town.filling.set(id, new Set());
      this.#town.given.delete(id);
    }
  }

  #fill(id: NodeId, met: Set<NodeId>): void {
    const peer = this.#pick(this.owners.filter((owner) => owner !== id && !met.has(owner)));
    if (peer === undefined) this.#town.filling.delete(id);
    else if (this.#town.filling.has(peer) || this.#town.compare(id, peer)) met.add(peer);
  }

  /** What a former owner has goes to an owner, and is removed some time after that. */
  #leave(id: NodeId): void {
    const { given } = this.#town;
    const node = this.#town.node(id);
    const owner = this.#pick(this.owners);
    if (given.has(id)) {
      if (!this.#chance(20)) return;
      node.data.clear();
      node.floor = noFloor;
      node.guard = noFloor;
      node.promised = 0;
      node.sync();
    } else if (owner !== undefined && this.#town.meet(id, owner)) {
      const taking = this.#town.node(owner);
      for (const key of keys) taking.join(key, node.get(key), node.floor.round);
      taking.sync();
      given.add(id);
    }
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random.below(Math.max(1, from.length))];
  }
}

function memberOf(id: NodeId, dc: string): Member {
  return { id, address: `n${id}:1`, dc, rack: "r", weight: 1, state: "member" };
}
