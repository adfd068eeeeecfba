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

export class Durability {
  readonly wrongs: string[] = [];
  readonly #partitions: number;
  readonly #byKey = new Map<string, Tracked[]>();
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
        for (const { key, versions } of work.entries) this.#add(node, "own", key, versions);
        break;
      case "keep-hints":
        if (outcome.kind !== "durable") break;
        for (const target of work.targets) {
          this.#add(node, target, work.entry.key, work.entry.versions);
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
    const twins = this.#of(key).filter((one) => one.value === value);
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
    for (const tracked of this.#all()) {
      if (tracked.at.delete(node)) tracked.lost += 1;
    }
  }

  /** A partition that moved away was dropped, and nothing of it is there any more. */
  removed(node: NodeId, partition: Partition): void {
    for (const tracked of this.#all()) {
      if (tracked.partition === partition) this.#leave(tracked, node, "own");
    }
  }

  /** Acknowledged writes to a key that no floor has covered yet. */
  acknowledgedOf(key: Key): readonly Tracked[] {
    return this.#of(key).filter(({ need }) => need > 0);
  }

  /** The dots that stand for a value, of all attempts at writing it. */
  dotsOf(key: Key, value: string): readonly Dot[] {
    return this.#of(key)
      .filter((one) => one.value === value)
      .map(({ dot }) => dot);
  }

  #begin(key: Key, versions: Versions): void {
    const known = this.#byKey.get(nameOf(key)) ?? [];
    for (const { dot, value } of versions.siblings) {
      if (known.some((one) => isSame(one.dot, dot))) continue;
      const partition = partitionOf(key, this.#partitions);
      const text = Buffer.from(value).toString();
      const about = { key: nameOf(key), partition, dot, value: text };
      known.push({ ...about, at: new Map(), need: 0, lost: 0 });
    }
    this.#byKey.set(nameOf(key), known);
  }

  #coordinated(node: NodeId, work: Extract<StoreWork, { kind: "write" }>): void {
    const versions = this.#written.get(work);
    this.#written.delete(work);
    if (versions === undefined) return;
    const slots: readonly Slot[] = work.targets.length === 0 ? ["own"] : work.targets;
    for (const slot of slots) this.#add(node, slot, work.key, versions);
  }

  #add(node: NodeId, slot: Slot, key: Key, versions: Versions): void {
    for (const tracked of this.#of(key)) {
      const slots = tracked.at.get(node);
      // Most of a long history is there already: to look at it all again took a tenth of a run.
      if (slots?.has(slot) === true || !reaches(versions, tracked.dot)) continue;
      if (slots === undefined) tracked.at.set(node, new Set([slot]));
      else slots.add(slot);
    }
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
    if (slots?.delete(slot) !== true || slots.size > 0) return;
    tracked.at.delete(node);
    if (tracked.at.size + tracked.lost >= tracked.need) return;
    const { key, value, need } = tracked;
    // A retried write may stand there under its other dot.
    const twins = this.#byKey.get(key)?.filter((one) => one.value === value) ?? [];
    if (twins.length > 1) return;
    const left = `${tracked.at.size} copies of ${value} are left`;
    this.wrongs.push(`${left} as node ${node} lets go of it; ${need} were acknowledged`);
  }

  #forget(partition: Partition, events: readonly Dot[]): void {
    const isBelow = ({ dot }: Tracked): boolean =>
      events.some(({ actor, counter }) => actor === dot.actor && counter >= dot.counter);
    for (const [key, all] of this.#byKey) {
      if (all[0]?.partition !== partition) continue;
      this.#byKey.set(
        key,
        all.filter((one) => !isBelow(one)),
      );
    }
  }

  #of(key: Key): readonly Tracked[] {
    return this.#byKey.get(nameOf(key)) ?? [];
  }

  *#all(): Iterable<Tracked> {
    for (const all of this.#byKey.values()) yield* all;
  }
}

function isSame(a: Dot, b: Dot): boolean {
  return a.actor === b.actor && a.counter === b.counter;
}

function handName(node: NodeId, target: NodeId, entry: { key: Key; digest: Hash }): string {
  return `${node} ${target} ${entry.digest.high}.${entry.digest.low} ${nameOf(entry.key)}`;
}
