/**
 * One node of the clean-up model: a store in memory over the real rules of versions and floors,
 * and the real machine of clean-up. A power cut takes what was not made durable. What a mutant
 * does otherwise is done here, by rules that can be replaced.
 */
import {
  type Floor,
  type FloorNews,
  hasPast,
  newsOf,
  noFloor,
  raised,
  sortedEvents,
  stripped,
  withoutStale,
  withoutUnproven,
} from "../../src/core/clock/floor.ts";
import {
  type CausalContext,
  isEmpty,
  isTombstone,
  knows,
  merge,
  noVersions,
  siblingAt,
  type Versions,
  write,
} from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { Actor, NodeId } from "../../src/core/ids.ts";

/** What a store does with versions; a mutant replaces some of it. */
export interface Rules {
  stripped(versions: Versions, floor: Floor): Versions;
  withoutStale(incoming: Versions, held: Versions, floor: Floor): Versions;
  withoutUnproven(versions: Versions, floor: Floor): Versions;
}

export const realRules: Rules = { stripped, withoutStale, withoutUnproven };

export interface Hint {
  readonly key: string;
  readonly target: NodeId;
  versions: Versions;
}

/** What a disk holds. */
export interface Disk {
  readonly data: Map<string, Versions>;
  readonly hints: readonly Hint[];
  readonly floor: Floor;
  readonly promised: number;
}

export interface NodeWays {
  readonly rules: Rules;
  /** What the newest event of each actor is, wherever it was seen: for the mutant lateCut. */
  readonly lateCut: (() => ReadonlyMap<Actor, number>) | undefined;
  readonly looseIgnoresHints: boolean;
  /** Counters run per key and begin anew where a key is forgotten: riak_kv#679. */
  readonly countersPerKey: boolean;
  readonly keepsActor: boolean;
  readonly reusesStandIn: boolean;
  readonly trustsOldDisk: boolean;
  newActor(): Actor;
}

export class ModelNode {
  readonly id: NodeId;
  readonly ways: NodeWays;
  data = new Map<string, Versions>();
  hints: Hint[] = [];
  floor: Floor = noFloor;
  guard: Floor = noFloor;
  promised = 0;
  isUp = true;
  /** Grows with each start: answers to an earlier life are for nobody. */
  life = 0;
  #disk: Disk = { data: new Map(), hints: [], floor: noFloor, promised: 0 };
  #seen = new Map<Actor, number>();
  #actor: Actor;
  #standIn: Actor;
  readonly #counters = new Map<string, number>();

  constructor(id: NodeId, ways: NodeWays) {
    this.id = id;
    this.ways = ways;
    this.#actor = ways.newActor();
    this.#standIn = ways.newActor();
  }

  get(key: string): Versions {
    return this.data.get(key) ?? noVersions;
  }

  get seen(): ReadonlyMap<Actor, number> {
    return this.#seen;
  }

  /** What came from elsewhere, composed in this round. False: some of it was too old. */
  join(key: string, versions: Versions, round: number): boolean {
    const held = this.get(key);
    const { rules } = this.ways;
    const isOld = round < this.guard.round;
    const fresh = isOld ? rules.withoutStale(versions, held, this.guard) : versions;
    this.put(key, merge(held, fresh));
    return fresh === versions;
  }

  coordinate(key: string, context: CausalContext, change: Parameters<typeof write>[3]) {
    const base = this.ways.rules.stripped(this.get(key), this.floor);
    const dot = { actor: this.#actor, counter: this.#next(key, this.#actor, base) };
    const written = write(base, context, dot, change);
    this.put(key, written.versions);
    return { ...written, dot, round: this.floor.round };
  }

  /** As a stand-in for all these owners. */
  standIn(
    key: string,
    context: CausalContext,
    change: Parameters<typeof write>[3],
    targets: readonly NodeId[],
  ) {
    const mine = this.hints.filter((hint) => hint.key === key && targets.includes(hint.target));
    const base = mine.map(({ versions }) => versions).reduce(merge, noVersions);
    const dot = { actor: this.#standIn, counter: this.#next(key, this.#standIn, base) };
    const written = write(base, context, dot, change);
    for (const target of targets) this.keep(key, target, written.versions);
    return { ...written, dot, round: 0 };
  }

  keep(key: string, target: NodeId, versions: Versions): void {
    const known = this.hints.find((hint) => hint.key === key && hint.target === target);
    if (known === undefined) this.hints.push({ key, target, versions });
    else known.versions = merge(known.versions, versions);
    // Hints are acknowledged when they are durable.
    this.#disk = { ...this.#disk, hints: this.hints.map((hint) => ({ ...hint })) };
  }

  drop(hint: Hint): void {
    this.hints = this.hints.filter((each) => each !== hint);
    this.#disk = { ...this.#disk, hints: this.hints.map((each) => ({ ...each })) };
    if (!this.ways.reusesStandIn) this.#standIn = this.ways.newActor();
  }

  put(key: string, versions: Versions): void {
    const form = this.ways.rules.stripped(versions, this.floor);
    if (isEmpty(form)) {
      this.data.delete(key);
      if (this.ways.countersPerKey) this.#counters.delete(`${key} ${this.#actor}`);
    } else this.data.set(key, form);
    this.#see(form);
  }

  /** Everything so far survives a power cut. */
  sync(): void {
    const { data, hints, floor, promised } = this;
    const copies = hints.map((hint) => ({ ...hint }));
    this.#disk = { data: new Map(data), hints: copies, floor, promised };
  }

  /** One key only: a group of writes that came later was on its way. */
  syncKey(key: string): void {
    const held = this.data.get(key);
    if (held === undefined) this.#disk.data.delete(key);
    else this.#disk.data.set(key, held);
  }

  image(): Disk {
    this.sync();
    return { ...this.#disk, data: new Map(this.#disk.data) };
  }

  /** Starts anew with what its disk has, or with another disk. */
  restart(disk: Disk = this.#disk): void {
    this.life += 1;
    this.data = new Map(disk.data);
    this.hints = disk.hints.map((hint) => ({ ...hint }));
    this.floor = disk.floor;
    this.guard = disk.floor;
    this.promised = disk.promised;
    this.#seen = new Map();
    for (const versions of this.data.values()) this.#see(versions);
    this.sync();
    if (this.ways.keepsActor) return;
    this.#actor = this.ways.newActor();
    this.#standIn = this.ways.newActor();
  }

  /** The partition is not held without a break. */
  renew(): void {
    this.#actor = this.ways.newActor();
  }

  run(work: StoreWork, isHolder: boolean): StoreOutcome {
    switch (work.kind) {
      case "survey-rounds":
        return { kind: "rounds", rounds: [this.#state()] };
      case "cut": {
        this.sync();
        const events = new Map(this.floor.events);
        for (const [actor, counter] of this.#seen) {
          if ((events.get(actor) ?? 0) < counter) events.set(actor, counter);
        }
        const about = { round: this.floor.round, promised: this.promised };
        return { kind: "cut", ready: true, ...about, events: sortedEvents(events) };
      }
      case "loose": {
        const isClear = work.isHolder || isHolder || this.data.size === 0;
        const hasNone = this.ways.looseIgnoresHints || this.hints.length === 0;
        return { kind: "loose", isFree: isClear && hasNone };
      }
      case "promise":
        if (work.round <= this.promised) {
          return { kind: "failed", code: "CONFLICT", message: "", applied: "no" };
        }
        this.promised = work.round;
        this.sync();
        return { kind: "durable" };
      case "read-floor":
        return { kind: "floor", floor: newsOf(this.floor), promised: this.promised };
      case "raise-floor":
        this.#raise(work.floor);
        return { kind: "durable" };
      default:
        throw new Error(`clean-up needs no ${work.kind}`);
    }
  }

  #raise(news: FloorNews): void {
    if (news.round <= this.floor.round) return;
    const late = this.ways.lateCut?.();
    const events = late === undefined ? news.events : sortedEvents(late);
    const floor = raised(this.floor, { ...news, events });
    const isProven = this.ways.trustsOldDisk || this.promised >= floor.round;
    if (!isProven && this.data.size > 0) {
      for (const [key, versions] of [...this.data]) {
        this.put(key, this.ways.rules.withoutUnproven(versions, floor));
      }
      this.renew();
    }
    this.floor = floor;
    this.guard = floor;
    for (const [key, versions] of [...this.data]) this.put(key, versions);
    this.sync();
  }

  #state() {
    const held = [...this.data.values()];
    const promised = this.ways.trustsOldDisk ? this.floor.round : this.promised;
    return {
      ...{ partition: 0, round: this.floor.round, promised, isSweeping: false, expiresFrom: 0 },
      reapable: held.filter(hasPast).length,
      tombstones: held.filter(isTombstone).length,
    };
  }

  #see({ vector, dots, siblings }: Versions): void {
    for (const { actor, counter } of [...vector, ...dots, ...siblings.map(({ dot }) => dot)]) {
      if ((this.#seen.get(actor) ?? 0) < counter) this.#seen.set(actor, counter);
    }
  }

  #next(key: string, actor: Actor, base: Versions): number {
    const name = this.ways.countersPerKey ? `${key} ${actor}` : actor;
    let counter = (this.#counters.get(name) ?? 0) + 1;
    while (this.ways.countersPerKey && isTaken(base, { actor, counter })) counter += 1;
    this.#counters.set(name, counter);
    return counter;
  }
}

function isTaken(base: Versions, dot: { actor: Actor; counter: number }): boolean {
  return knows(base, dot) || siblingAt(base, dot) !== undefined;
}
