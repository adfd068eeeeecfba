/**
 * A model of everything that clean-up has to withstand, over its real code: three or four owners
 * of one partition and two others, clients, a bad network, nodes that are down, cut off, lose
 * their power or their disk, or come back with an old one, moves of the partition, hints, read
 * repair and comparisons, all between the steps of clean-up rounds.
 *
 * Ported from the model that the design was found by. What it judges is what clients see: no
 * acknowledged write is lost, and nothing that an acknowledged write superseded is seen again.
 */
import {
  type CausalContext,
  contextOf,
  emptyContext,
  merge,
  noVersions,
} from "../../src/core/clock/versions.ts";
import type { NodeId } from "../../src/core/ids.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { History } from "./cleanup-history.ts";
import { type Disk, type NodeWays, type Rules, realRules } from "./cleanup-node.ts";
import { ModelRing } from "./cleanup-ring.ts";
import { CleanupTown, keys, type WriteParcel } from "./cleanup-town.ts";

/** How a mutant differs from what is right. */
export interface Mutant extends Partial<Omit<NodeWays, "rules" | "lateCut" | "newActor">> {
  readonly rules?: Partial<Rules>;
  /** Floors say what was seen when the round ends, not when it began. */
  readonly lateCut?: boolean;
  /** Tombstones go by the clock. */
  readonly forgetsByTime?: boolean;
}

export interface Setting {
  /** One a run: each takes one copy of something. */
  readonly injury: "none" | "power" | "wipe" | "old disk";
  readonly moves: boolean;
  /** Four owners in two data centres, which are cut apart now and then. */
  readonly apart: boolean;
}

export interface Outcome {
  readonly lost: number;
  readonly resurrected: number;
  /** Keys that owners hold differently after all, and keys with a past left. */
  readonly divided: number;
  readonly left: number;
  readonly acked: number;
  readonly rounds: number;
}

type Step = () => void;

const stepMs = 5;
/** Clients write for so long, and then leave keys alone for long enough that a round may end. */
const burstSteps = 60;
const quietSteps = 240;

export class CleanupModel {
  readonly #random: Random;
  readonly #mutant: Mutant;
  readonly #setting: Setting;
  readonly #town: CleanupTown;
  readonly #ring: ModelRing;
  readonly #history = new History();
  /** What each client last saw of each key. */
  readonly #contexts = new Map<string, CausalContext>();
  #image: { readonly id: NodeId; readonly disk: Disk } | undefined;
  #isHurt = false;
  #isApart = false;
  #isQuiet = false;
  #drawn = 0;
  /** Steps, each as often as it is likely. */
  readonly #steps: readonly Step[];

  constructor(seed: number, mutant: Mutant, setting: Setting) {
    this.#random = seededRandom(seed);
    this.#mutant = mutant;
    this.#setting = setting;
    this.#town = new CleanupTown({
      random: this.#random,
      ways: () => this.#ways(),
      ringOf: (id) => this.#ring.of(id),
      isApart: (from, to) => this.#isApart && this.#ring.dcOf(from) !== this.#ring.dcOf(to),
      acknowledge: (operation, from) =>
        this.#history.acknowledge(operation, from, this.#ring.future),
    });
    this.#ring = new ModelRing(this.#random, this.#town, setting.apart);
    this.#ring.foundAll();
    this.#steps = this.#likely();
  }

  play(steps: number): Outcome {
    for (let i = 0; i < steps; i++) {
      this.#town.now += stepMs;
      this.#isQuiet = i % (burstSteps + quietSteps) >= burstSteps;
      this.#steps[this.#random.below(this.#steps.length)]?.();
    }
    this.#settle();
    this.#town.deliverLate();
    this.#settle();
    return this.#judge();
  }

  #likely(): readonly Step[] {
    const { moves, apart, injury } = this.#setting;
    const odds: readonly (readonly [number, Step])[] = [
      [16, () => this.#write()],
      [26, () => [1, 2, 3, 4].forEach(() => void this.#town.deliver())],
      [4, () => this.#read()],
      [1, () => this.#upOrDown()],
      [2, () => this.#compare()],
      [2, () => this.#town.surprise()],
      [3, () => this.#handOver()],
      [injury === "none" ? 0 : 1, () => this.#hurt()],
      [moves ? 1 : 0, () => this.#ring.change()],
      [apart ? 1 : 0, () => this.#cut()],
      [this.#mutant.forgetsByTime === true ? 2 : 0, () => this.#forgetByTime()],
      [10, () => this.#tick()],
      [40, () => this.#proceed()],
    ];
    return odds.flatMap(([often, step]) => Array.from({ length: often }, () => step));
  }

  #tick(): void {
    this.#town.tickAll();
    this.#ring.tick();
  }

  #proceed(): void {
    this.#town.proceed();
    this.#town.deliver();
  }

  #write(): void {
    const town = this.#town;
    if (this.#isQuiet && !this.#chance(1)) return;
    const key = this.#pick(keys);
    const name = `${this.#random.below(3)} ${key}`;
    const context = this.#chance(15) ? emptyContext : (this.#contexts.get(name) ?? emptyContext);
    // Now and then a node that owns nothing reaches no owner, though they are well.
    const isAlone = this.#chance(15);
    const others = this.#ring.others.filter((other) => town.isUp(other));
    const id = (isAlone ? this.#pickMaybe(others) : undefined) ?? this.#pickMaybe(this.#full());
    if (id === undefined) return;
    const node = town.node(id);
    const holders = this.#ring.of(id).holders(0);
    const isHolder = holders.includes(id);
    const isDelete = this.#chance(45);
    const change = this.#change(isDelete);
    const {
      versions,
      round,
      dot,
      context: after,
    } = isHolder
      ? node.coordinate(key, context, change)
      : node.standIn(key, context, change, holders);
    const need = this.#setting.injury === "none" ? 1 + this.#random.below(2) : 2;
    const operation = this.#history.begin({ key, dot, isDelete, context, need });
    for (const to of holders) {
      if (to === id) continue;
      const parcel = { kind: "write", to, key, versions, round, operation } as const;
      if (this.#chance(25)) town.send(parcel, "late");
      if (isAlone && !isHolder) continue;
      if (!town.reaches(id, to)) this.#hint(parcel);
      else if (!this.#chance(20)) town.send(parcel, "soon");
    }
    this.#history.acknowledge(operation, id, this.#ring.future);
    if (this.#chance(60)) this.#contexts.set(name, this.#chance(50) ? contextOf(versions) : after);
  }

  /** A stand-in keeps it, mostly. */
  #hint({ key, to, versions, operation }: WriteParcel): void {
    const standIn = this.#pickMaybe(this.#ring.others.filter((id) => this.#town.isUp(id)));
    if (standIn === undefined || this.#chance(20)) return;
    this.#town.node(standIn).keep(key, to, versions);
    if (operation !== undefined) {
      this.#history.acknowledge(operation, standIn, this.#ring.future);
    }
  }

  #read(): void {
    const key = this.#pick(keys);
    const full = this.#full();
    const one = this.#pickMaybe(full);
    const other = this.#pickMaybe(full.filter((id) => id !== one));
    if (one === undefined || other === undefined) return;
    const versions = merge(this.#town.node(one).get(key), this.#town.node(other).get(key));
    this.#contexts.set(`${this.#random.below(3)} ${key}`, contextOf(versions));
    if (this.#chance(50)) return;
    const repair = { kind: "write", key, versions, round: 0, operation: undefined } as const;
    for (const to of [one, other]) this.#town.send({ ...repair, to }, "soon");
  }

  #compare(): void {
    const up = this.#ring.holders.filter((id) => this.#town.isUp(id));
    const one = this.#pickMaybe(up);
    const other = this.#pickMaybe(up.filter((id) => id !== one));
    if (one === undefined || other === undefined || !this.#town.meet(one, other)) return;
    this.#town.trade(one, other, this.#pick(keys));
  }

  #handOver(): void {
    const nodes = [...this.#town.nodes.values()];
    const node = this.#pickMaybe(nodes.filter(({ isUp, hints }) => isUp && hints.length > 0));
    const some = this.#chance(50) ? 50 : 100;
    if (node !== undefined) this.#town.handOver(node, some);
  }

  #upOrDown(): void {
    const nodes = [...this.#town.nodes.values()];
    const back = this.#pickMaybe(nodes.filter(({ isUp }) => !isUp));
    if (back !== undefined && this.#chance(80)) back.isUp = true;
    else if (this.#chance(50)) this.#pick(nodes).isUp = false;
  }

  #cut(): void {
    this.#isApart = !this.#isApart && this.#chance(40);
  }

  #hurt(): void {
    const { injury } = this.#setting;
    const isCalm = this.#town.filling.size === 0 && this.#ring.future === undefined;
    if (this.#isHurt || !isCalm) return;
    if (injury === "old disk" && this.#image === undefined) {
      const id = this.#pick(this.#ring.owners);
      this.#image = { id, disk: this.#town.node(id).image() };
      return;
    }
    const id = this.#image?.id ?? this.#pick(this.#ring.owners);
    if (!this.#chance(20) || !this.#ring.owners.includes(id)) return;
    this.#isHurt = true;
    if (injury === "wipe") this.#ring.replace(id);
    else {
      this.#town.node(id).restart(this.#image?.disk);
      this.#town.boot(id);
    }
  }

  #forgetByTime(): void {
    const { data } = this.#town.node(this.#pick(this.#ring.owners));
    for (const [key, { siblings }] of [...data]) if (siblings.length === 0) data.delete(key);
  }

  /** Everybody is there, everything arrives, and rounds go on until nothing is left to forget. */
  #settle(): void {
    const town = this.#town;
    this.#isApart = false;
    for (const node of town.nodes.values()) node.isUp = true;
    this.#ring.tellAll();
    for (let i = 0; i < 4_000 && (i < 40 || !this.#isSettled()); i++) {
      town.now += stepMs;
      this.#tick();
      town.deliverAll();
      if (i % 10 > 0) continue;
      const { holders } = this.#ring;
      for (const one of holders)
        for (const other of holders) if (one < other) town.compare(one, other);
      this.#ring.finishMove();
    }
  }

  #isSettled(): boolean {
    if (this.#ring.future !== undefined || this.#town.filling.size > 0) return false;
    return this.#ring.owners.every((id) =>
      [...this.#town.node(id).data.values()].every(
        ({ vector, siblings }) => vector.length === 0 && siblings.length > 0,
      ),
    );
  }

  #judge(): Outcome {
    const { acked } = this.#history;
    const { rounds } = this.#town;
    let [lost, resurrected, divided, left] = [0, 0, 0, 0];
    for (const key of keys) {
      const copies = this.#ring.owners.map((id) => this.#town.node(id).get(key));
      if (new Set(copies.map((copy) => JSON.stringify(copy))).size > 1) divided += 1;
      const final = copies.reduce(merge, noVersions);
      if (final.vector.length > 0) left += 1;
      const wrongs = this.#history.judge(key, final);
      lost += wrongs.lost;
      resurrected += wrongs.resurrected;
    }
    return { lost, resurrected, divided, left, acked, rounds };
  }

  /** Owners that can coordinate and be read. */
  #full(): readonly NodeId[] {
    return this.#ring.owners.filter((id) => this.#town.isUp(id) && !this.#town.filling.has(id));
  }

  #ways(): NodeWays {
    const { rules, lateCut, forgetsByTime: _, ...mutant } = this.#mutant;
    return {
      ...{ looseIgnoresHints: false, countersPerKey: false, keepsActor: false },
      ...{ reusesStandIn: false, trustsOldDisk: false, ...mutant },
      rules: { ...realRules, ...rules },
      lateCut: lateCut === true ? () => this.#seenByAll() : undefined,
      newActor: () => (++this.#drawn).toString(16).padStart(16, "0"),
    };
  }

  #seenByAll(): ReadonlyMap<string, number> {
    const all = new Map<string, number>();
    for (const { seen, floor } of this.#town.nodes.values()) {
      for (const [actor, counter] of [...seen, ...floor.events]) {
        if ((all.get(actor) ?? 0) < counter) all.set(actor, counter);
      }
    }
    return all;
  }

  #change(isDelete: boolean) {
    const nonce = this.#history.operations.length;
    const operation = { at: 1, nonce, retried: false };
    const value = isDelete ? undefined : new TextEncoder().encode(`v${nonce}`);
    return { operation, time: this.#town.now, expiresAt: 0, value };
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  #pick<T>(from: readonly T[]): T {
    const picked = this.#pickMaybe(from);
    if (picked === undefined) throw new Error("there is nothing to pick from");
    return picked;
  }

  #pickMaybe<T>(from: readonly T[]): T | undefined {
    return from[this.#random.below(Math.max(1, from.length))];
  }
}
