/**
 * Where each write is durable, told from the answers of stores alone. An acknowledgement stands on
 * as many copies as it says, and from then on that many stay, but for disks that were destroyed
 * from outside; a hint goes only once its target has what was in it. What is below a clean-up floor
 * is followed no further: all owners have had it.
 */
import { digestOf } from "../../src/core/clock/digest.ts";
import type { Dot, Versions } from "../../src/core/clock/versions.ts";
import type { StoreOutcome, StoreWork } from "../../src/core/event.ts";
import type { NodeId, Partition } from "../../src/core/ids.ts";
import { type Key, nameOf, partitionOf } from "../../src/core/key.ts";
import type { Hash } from "../../src/core/message.ts";
import { reaches } from "./reach.ts";

/** A node's own copy, or what it keeps for another. */
type Slot = "own" | NodeId;

export interface Tracked {
  readonly key: string;
  readonly partition: Partition;
  readonly dot: Dot;
  readonly value: string;
  /** By node, in which of its copies the write is, or something that saw it. */
  readonly at: Map<NodeId, Set<Slot>>;
  /** Copies that its acknowledgement stands on; 0 before. */
  need: number;
  /** Copies that were destroyed from outside. */
  lost: number;
}

/** All that is tracked of one key, in the order of its beginning. */
class History {
  readonly #all: Tracked[] = [];
  readonly #byValue = new Map<string, Tracked[]>();
  /** By copy, what is not in it, and how much of `all` was looked at for that. */
  readonly #lacks = new Map<string, { looked: number; lacking: readonly Tracked[] }>();

  constructor(all: readonly Tracked[] = []) {
    for (const tracked of all) this.add(tracked);
  }

  get all(): readonly Tracked[] {
    return this.#all;
  }

  add(tracked: Tracked): void {
    this.#all.push(tracked);
    const twins = this.#byValue.get(tracked.value);
    if (twins === undefined) this.#byValue.set(tracked.value, [tracked]);
    else twins.push(tracked);
  }

  of(value: string): readonly Tracked[] {
    return this.#byValue.get(value) ?? [];
  }

  /** Most of a long history is in every copy: to look at it all each time took a tenth of a run. */
  reached(node: NodeId, slot: Slot, versions: Versions): void {
    const name = `${node} ${slot}`;
    const { looked, lacking } = this.#lacks.get(name) ?? { looked: 0, lacking: [] };
    const candidates = looked < this.all.length ? [...lacking, ...this.all.slice(looked)] : lacking;
    const still = candidates.filter((tracked) => {
      const slots = tracked.at.get(node);
      if (slots?.has(slot) === true) return false;
      if (!reaches(versions, tracked.dot)) return true;
      if (slots === undefined) tracked.at.set(node, new Set([slot]));
      else slots.add(slot);
      return false;
    });
    this.#lacks.set(name, { looked: this.all.length, lacking: still });
  }

  /** Some of it has left a copy. */
  left(): void {
    this.#lacks.clear();
  }
}

export class Durability {
  readonly wrongs: string[] = [];
  readonly #partitions: number;
  readonly #byKey = new Map<string, History>();
  /** What was handed out to be delivered, by keeper, target, key and digest. */
  readonly #handedOut = new Map<string, Versions>();
  /** What the store has said of a write in hand, which `durable` does not repeat. */
  readonly #written = new Map<StoreWork, Versions>();

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  stored(node: NodeId, work: StoreWork, outcome: StoreOutcome): void {
    switch (work.kind) {
      case "write":
        if (outcome.kind === "written") this.#written.set(work, outcome.versions);
        if (outcome.kind === "written") this.#begin(work.key, outcome.versions);
        if (outcome.kind === "durable") this.#coordinated(node, work);
        break;
      case "merge":
        // Of what came from an older round, some was not taken in.
        if (outcome.kind !== "merged" || outcome.stale > 0) break;
        for (const { key, versions } of work.entries) this.#reached(node, "own", key, versions);
        break;
      case "keep-hints":
        if (outcome.kind !== "durable") break;
        for (const target of work.targets) {
          this.#reached(node, target, work.entry.key, work.entry.versions);
        }
        break;
      case "read-hints":
        if (outcome.kind !== "hints") break;
        for (const { key, versions } of outcome.entries) {
          const name = handName(node, work.target, { key, digest: digestOf(versions) });
          this.#handedOut.set(name, versions);
        }
        break;
      case "drop-hints":
        if (outcome.kind !== "durable") break;
        for (const entry of work.entries) this.#dropped(node, work.target, entry);
        break;
      case "raise-floor":
        if (outcome.kind === "durable") this.#forget(work.partition, work.floor.events);
        break;
      default:
    }
  }

  /** A client was told so. Deletes have no value, and are judged by what comes back. */
  acknowledged(key: Key, value: string, acks: number): void {
    const twins = this.#byKey.get(nameOf(key))?.of(value) ?? [];
    const [first] = twins;
    if (first === undefined) return;
    const nodes = new Set(twins.flatMap(({ at }) => [...at.keys()]));
    const lost = twins.reduce((sum, one) => sum + one.lost, 0);
    first.need = acks;
    if (nodes.size + lost < acks) {
      this.wrongs.push(`${value} was acknowledged ${acks} times, and is durable ${nodes.size}`);
    }
  }

  /** A disk is gone, or older, or damaged: nothing that was on it is counted any more. */
  destroyed(node: NodeId): void {
    for (const history of this.#byKey.values()) {
      for (const tracked of history.all) if (tracked.at.delete(node)) tracked.lost += 1;
      history.left();
    }
  }

  /** A partition that moved away was dropped, and nothing of it is there any more. */
  removed(node: NodeId, partition: Partition): void {
    for (const { all } of this.#byKey.values()) {
      if (all[0]?.partition !== partition) continue;
      for (const tracked of all) this.#leave(tracked, node, "own");
    }
  }

  /** Acknowledged writes to a key that no floor has covered yet. */
  acknowledgedOf(key: Key): readonly Tracked[] {
    return this.#of(key).filter(({ need }) => need > 0);
  }

  /** The dots that stand for a value, of all attempts at writing it. */
  dotsOf(key: Key, value: string): readonly Dot[] {
    return (this.#byKey.get(nameOf(key))?.of(value) ?? []).map(({ dot }) => dot);
  }

  #begin(key: Key, versions: Versions): void {
    const name = nameOf(key);
    const history = this.#byKey.get(name) ?? new History();
    this.#byKey.set(name, history);
    for (const { dot, value } of versions.siblings) {
      const text = Buffer.from(value).toString();
      if (history.of(text).some((one) => isSame(one.dot, dot))) continue;
      const partition = partitionOf(key, this.#partitions);
      const about = { key: name, partition, dot, value: text };
      history.add({ ...about, at: new Map(), need: 0, lost: 0 });
    }
  }

  #coordinated(node: NodeId, work: Extract<StoreWork, { kind: "write" }>): void {
    const versions = this.#written.get(work);
    this.#written.delete(work);
    if (versions === undefined) return;
    const slots: readonly Slot[] = work.targets.length === 0 ? ["own"] : work.targets;
    for (const slot of slots) this.#reached(node, slot, work.key, versions);
  }

  #reached(node: NodeId, slot: Slot, key: Key, versions: Versions): void {
    this.#byKey.get(nameOf(key))?.reached(node, slot, versions);
  }

  #dropped(node: NodeId, target: NodeId, entry: { key: Key; digest: Hash }): void {
    const name = handName(node, target, entry);
    const versions = this.#handedOut.get(name);
    this.#handedOut.delete(name);
    if (versions === undefined) return;
    const kept = this.#of(entry.key).filter(({ at }) => at.get(node)?.has(target) === true);
    // Another hint was joined with it meanwhile: then it stayed.
    if (kept.some(({ dot }) => !reaches(versions, dot))) return;
    for (const tracked of kept) {
      this.#leave(tracked, node, target);
      if (tracked.at.size > 0 || tracked.lost > 0) continue;
      this.wrongs.push(`node ${node} drops the hint of ${tracked.value}, which nobody else has`);
    }
  }

  #leave(tracked: Tracked, node: NodeId, slot: Slot): void {
    const slots = tracked.at.get(node);
    if (slots?.delete(slot) !== true) return;
    const history = this.#byKey.get(tracked.key);
    history?.left();
    if (slots.size > 0) return;
    tracked.at.delete(node);
    if (tracked.at.size + tracked.lost >= tracked.need) return;
    const { value, need } = tracked;
    // A retried write may stand there under its other dot.
    if ((history?.of(value).length ?? 0) > 1) return;
    const left = `${tracked.at.size} copies of ${value} are left`;
    this.wrongs.push(`${left} as node ${node} lets go of it; ${need} were acknowledged`);
  }

  #forget(partition: Partition, events: readonly Dot[]): void {
    const isBelow = ({ dot }: Tracked): boolean =>
      events.some(({ actor, counter }) => actor === dot.actor && counter >= dot.counter);
    for (const [key, { all }] of this.#byKey) {
      if (all[0]?.partition !== partition) continue;
      this.#byKey.set(key, new History(all.filter((one) => !isBelow(one))));
    }
  }

  #of(key: Key): readonly Tracked[] {
    return this.#byKey.get(nameOf(key))?.all ?? [];
  }
}

function isSame(a: Dot, b: Dot): boolean {
  return a.actor === b.actor && a.counter === b.counter;
}

function handName(node: NodeId, target: NodeId, entry: { key: Key; digest: Hash }): string {
  return `${node} ${target} ${entry.digest.high}.${entry.digest.low} ${nameOf(entry.key)}`;
}
