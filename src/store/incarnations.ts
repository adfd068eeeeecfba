/**
 * Where dots come from. The actor of a dot claims every earlier event of its own on the same key,
 * so it may be used for a partition only while this node has held, without a break, all that the
 * actor wrote there. Whenever that ends (the partition was dropped or gained anew, hints were
 * handed over, a write failed), the partition is renewed: its next dot comes from a fresh actor,
 * which all partitions share that were renewed as often.
 *
 * What is held is different for each role: the node's own copies, or the hints for one set of
 * targets. So each role has actors of its own. Nothing here is ever read from the disk.
 */
import { assert } from "../../native-free-engine/base/assert.ts";
import type { Dot } from "../core/clock/versions.ts";
import type { Actor, NodeId, Partition } from "../core/ids.ts";

interface Incarnation {
  readonly actor: Actor;
  /** The last counter used in each partition. */
  readonly counters: Float64Array;
}

interface Role {
  readonly targets: readonly NodeId[];
  /** How often each partition was renewed, and the incarnation after so many renewals. */
  readonly renewals: Uint32Array;
  readonly incarnations: (Incarnation | undefined)[];
}

export class Incarnations {
  readonly #newActor: () => Actor;
  readonly #partitions: number;
  readonly #owner: Role;
  readonly #standIns = new Map<string, Role>();

  constructor(newActor: () => Actor, partitions: number) {
    this.#newActor = newActor;
    this.#partitions = partitions;
    this.#owner = this.#roleFor([]);
  }

  /** A dot that was never given out before. Without targets the node writes as an owner. */
  next(partition: Partition, targets: readonly NodeId[]): Dot {
    const role = this.#roleOf(targets);
    const renewals = role.renewals[partition];
    assert(renewals !== undefined, "a partition is below the number of partitions");
    role.incarnations[renewals] ??= {
      actor: this.#newActor(),
      counters: new Float64Array(this.#partitions),
    };
    const { actor, counters } = role.incarnations[renewals];
    counters[partition]! += 1;
    return { actor, counter: counters[partition]! };
  }

  /** What was held in this role in the partition was not held without a break. */
  renew(partition: Partition, targets: readonly NodeId[]): void {
    this.#roleOf(targets).renewals[partition]! += 1;
  }

  /** Hints for this target were let go: so were events of each role that kept some there. */
  renewStandIns(partition: Partition, target: NodeId): void {
    for (const role of this.#standIns.values()) {
      if (role.targets.includes(target)) role.renewals[partition]! += 1;
    }
  }

  #roleOf(targets: readonly NodeId[]): Role {
    if (targets.length === 0) return this.#owner;
    const name = targets.join();
    let role = this.#standIns.get(name);
    if (role === undefined) {
      role = this.#roleFor(targets);
      this.#standIns.set(name, role);
    }
    return role;
  }

  #roleFor(targets: readonly NodeId[]): Role {
    const renewals = new Uint32Array(this.#partitions);
    return { targets, renewals, incarnations: [] };
  }
}
