/**
 * The nodes of the clean-up model with what lies between them: a network that loses, repeats and
 * reorders, comparisons key by key, hints on their way, and the machine of each node wired to all
 * of it. Who owns the partition, and what goes wrong, is decided outside.
 */
import { Cleanup, type CleanupTuning, cleanupDefaults } from "../../src/core/cleanup/cleanup.ts";
import type { CleanupMessage } from "../../src/core/cleanup/message.ts";
import type { Versions } from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import type { Random } from "../../src/core/random.ts";
import type { Ring } from "../../src/core/ring/ring.ts";
import type { Operation } from "./cleanup-history.ts";
import { type Hint, ModelNode, type NodeWays } from "./cleanup-node.ts";

export const keys = ["x", "y"] as const;

export interface WriteParcel {
  readonly kind: "write";
  readonly to: NodeId;
  readonly key: string;
  readonly versions: Versions;
  readonly round: number;
  readonly operation: Operation | undefined;
}

type Parcel =
  | WriteParcel
  | {
      readonly kind: "cleanup";
      readonly from: NodeId;
      readonly to: NodeId;
      readonly message: CleanupMessage;
    };

export interface TownParts {
  readonly random: Random;
  ways(): NodeWays;
  ringOf(id: NodeId): Ring;
  isApart(from: NodeId, to: NodeId): boolean;
  acknowledge(operation: Operation, from: NodeId): void;
}

const tuning: CleanupTuning = {
  ...cleanupDefaults,
  ...{ intervalMs: 30, retryMs: 20, surveyMs: 10, restMs: 0, looseAgainMs: 30, looseMsMax: 900 },
  ...{ answerMs: 900, compareMsMax: 1_000 },
};

export class CleanupTown {
  readonly #parts: TownParts;
  readonly nodes = new Map<NodeId, ModelNode>();
  readonly machines = new Map<NodeId, Cleanup>();
  /** Owners that have yet to be filled, with those they were compared with. */
  readonly filling = new Map<NodeId, Set<NodeId>>();
  /** Former owners whose data the owners have. */
  readonly given = new Set<NodeId>();
  now = 1_000;
  rounds = 0;
  #net: Parcel[] = [];
  /** Copies of messages that come when nobody expects them any more. */
  readonly #late: Parcel[] = [];
  /** Answers of stores and steps of comparisons that are on their way. */
  #pending: (() => void)[] = [];

  constructor(parts: TownParts) {
    this.#parts = parts;
  }

  found(id: NodeId): void {
    this.nodes.set(id, new ModelNode(id, this.#parts.ways()));
    this.boot(id);
  }

  /** The node's process starts. */
  boot(id: NodeId): void {
    const node = this.node(id);
    const { life } = node;
    const isAlive = (): boolean => this.nodes.get(id) === node && node.life === life;
    const { random, ringOf } = this.#parts;
    const nothing = (): void => {};
    const isLive = (other: NodeId): boolean => this.reaches(id, other);
    const machine = new Cleanup({
      ...{ self: id, random, tuning, ring: () => ringOf(id) },
      liveness: {
        isLive,
        latencyMs: () => 1,
        late: () => false,
        answered: nothing,
        missed: nothing,
      },
      standing: {
        of: () => (this.filling.has(id) ? "rebuilding" : "current"),
        lost: () => void this.filling.set(id, new Set()),
      },
      departed: { isGiven: () => this.given.has(id) },
      exchanges: {
        exchangeNow: (done) =>
          this.#exchange(id, (counts) => {
            if (isAlive()) done(counts);
          }),
      },
      out: {
        send: (to, message) =>
          this.#net.push({ kind: "cleanup", from: id, to, message: message as CleanupMessage }),
        notice: ({ kind }) => {
          this.rounds += Number(kind === "cleaned");
        },
        store: (work, then) => {
          const isHolder = this.given.has(id) || ringOf(id).holders(0).includes(id);
          const outcome = node.run(work, isHolder);
          this.#pending.push(() => {
            if (isAlive()) then(outcome, this.now);
          });
        },
      },
    });
    this.machines.set(id, machine);
  }

  forget(id: NodeId): void {
    this.nodes.delete(id);
    this.machines.delete(id);
  }

  node(id: NodeId): ModelNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  isUp(id: NodeId): boolean {
    return this.nodes.get(id)?.isUp === true;
  }

  reaches(from: NodeId, to: NodeId): boolean {
    return this.isUp(from) && this.isUp(to) && !this.#parts.isApart(from, to);
  }

  send(parcel: WriteParcel, when: "soon" | "late"): void {
    (when === "soon" ? this.#net : this.#late).push(parcel);
  }

  tickAll(): void {
    for (const [id, machine] of this.machines) if (this.isUp(id)) machine.tick(this.now);
  }

  /** One of the messages on their way arrives, and may once more. */
  deliver(): void {
    const at = this.#parts.random.below(Math.max(1, this.#net.length));
    const parcel = this.#net[at];
    if (parcel === undefined) return;
    if (!this.#chance(parcel.kind === "write" ? 15 : 3)) this.#net.splice(at, 1);
    this.#hand(parcel);
  }

  /** A message arrives that everybody has forgotten. */
  surprise(): void {
    const at = this.#parts.random.below(Math.max(1, this.#late.length));
    const parcel = this.#late.splice(at, 1)[0];
    if (parcel !== undefined) this.#hand(parcel);
  }

  /** Some of what stores and comparisons have in hand goes on. */
  proceed(): void {
    for (let i = 0; i < 3; i++) {
      const at = this.#parts.random.below(Math.max(1, this.#pending.length));
      this.#pending.splice(at, 1)[0]?.();
    }
  }

  deliverAll(): void {
    for (const next of this.#pending.splice(0)) next();
    for (const parcel of this.#net.splice(0)) this.#hand(parcel);
    for (const node of this.nodes.values()) this.handOver(node);
  }

  deliverLate(): void {
    for (const parcel of this.#late.splice(0)) this.#hand(parcel);
  }

  /** Hints go to those they are for, or to the holders where those are none any more. */
  handOver(node: ModelNode, percent = 100): void {
    const { ringOf } = this.#parts;
    const holders = ringOf(node.id).holders(0);
    for (const hint of [...node.hints]) {
      if (!this.#chance(percent)) continue;
      const targets = holders.includes(hint.target) ? [hint.target] : holders;
      const isTaken = targets.every(
        (id) => this.reaches(node.id, id) && ringOf(id).holders(0).includes(id),
      );
      if (isTaken) this.#handHint(node, hint, targets);
    }
  }

  #handHint(node: ModelNode, hint: Hint, targets: readonly NodeId[]): void {
    for (const id of targets) {
      this.node(id).join(hint.key, hint.versions, 0);
      this.node(id).syncKey(hint.key);
    }
    if (!this.#chance(15)) node.drop(hint);
  }

  /** Both must be in one round; if they are not, they tell each other. */
  meet(one: NodeId, other: NodeId): boolean {
    if (!this.reaches(one, other)) return false;
    const { round } = this.node(one).floor;
    if (round === this.node(other).floor.round) return true;
    this.machines.get(other)?.met(this.now, one, { partition: 0, round });
    return false;
  }

  trade(one: NodeId, other: NodeId, key: string): void {
    const [a, b] = [this.node(one), this.node(other)];
    a.join(key, b.get(key), b.floor.round);
    a.syncKey(key);
    b.join(key, a.get(key), a.floor.round);
    b.syncKey(key);
  }

  /** Both hold the same afterwards, if they could meet. */
  compare(one: NodeId, other: NodeId): boolean {
    if (!this.meet(one, other)) return false;
    for (const key of keys) this.trade(one, other, key);
    return true;
  }

  /** As the machine asks for it: key by key, while everything else goes on. */
  #exchange(self: NodeId, done: (counts: { readonly partitions: number }) => void): void {
    const holders = this.#parts.ringOf(self).holders(0);
    const peers = holders.filter((id) => id !== self);
    let left = peers.length;
    let partitions = 0;
    for (const peer of peers) {
      const queue: string[] = [...keys];
      const next = (): void => {
        const key = queue.shift();
        if (key !== undefined && this.meet(self, peer)) {
          this.trade(self, peer, key);
          this.#pending.push(next);
          return;
        }
        partitions += Number(key === undefined);
        left -= 1;
        if (left === 0) done({ partitions });
      };
      this.#pending.push(next);
    }
  }

  #hand(parcel: Parcel): void {
    const node = this.nodes.get(parcel.to);
    if (node === undefined || !node.isUp) return;
    if (parcel.kind === "cleanup") {
      if (!this.reaches(parcel.from, parcel.to) || this.#chance(2)) return;
      this.machines.get(parcel.to)?.receive(this.now, parcel.from, parcel.message);
      return;
    }
    if (!this.#parts.ringOf(parcel.to).holders(0).includes(parcel.to)) return;
    const isTaken = node.join(parcel.key, parcel.versions, parcel.round);
    const { operation } = parcel;
    if (isTaken && operation !== undefined) this.#parts.acknowledge(operation, parcel.to);
    // A power cut may still take what is not acknowledged.
    if (isTaken || this.#chance(50)) node.syncKey(parcel.key);
  }

  #chance(percent: number): boolean {
    return this.#parts.random.below(100) < percent;
  }
}
