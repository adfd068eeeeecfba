/**
 * Clean-up on the side of the store: tells what was seen and what is in the way of a round, takes
 * over proven floors, and brings the keys below them into the form that all owners come to. While
 * it does, the partition's tree is not to be compared with: see Trees.changing.
 */
import type { Engine } from "../../native-free-engine/index.ts";
import {
  type Floor,
  newsOf,
  raised,
  sortedEvents,
  stripped,
  withoutUnproven,
} from "../core/clock/floor.ts";
import type { Versions } from "../core/clock/versions.ts";
import type { RoundState, StoreOutcome, StoreWork } from "../core/event.ts";
import type { Actor, Partition } from "../core/ids.ts";
import type { Census } from "./census.ts";
import type { Floors } from "./floors.ts";
import type { HintCounts } from "./hint-counts.ts";
import type { Incarnations } from "./incarnations.ts";
import { type KeyRange, keyIn, rangeOfPartition } from "./keyspace.ts";
import { rangesOf } from "./pages.ts";
import type { Trees } from "./trees.ts";
import type { Writes } from "./writes.ts";

type Work<K extends StoreWork["kind"]> = Extract<StoreWork, { kind: K }>;

export interface CleanupsParts {
  readonly engine: Engine;
  readonly partitions: number;
  readonly floors: Floors;
  readonly census: Census;
  readonly trees: Trees;
  readonly hints: HintCounts;
  readonly writes: Writes;
  readonly incarnations: Incarnations;
  readonly hintsCounted: Promise<void>;
  decode(record: Uint8Array): Versions;
  isClosed(): boolean;
  /** A sweep came to no end: keys stay as they are until the next one. */
  onFailure(error: unknown): void;
}

/** Keys that are read, and rewritten where they have to be, at a time. */
const keysAtOnce = 128;

export class Cleanups {
  readonly #parts: CleanupsParts;
  /** One floor is taken over at a time, and one partition swept: it is background work. */
  #raising: Promise<void> = Promise.resolve();
  #sweeping: Promise<void> = Promise.resolve();

  constructor(parts: CleanupsParts) {
    this.#parts = parts;
  }

  /** After opening: a sweep that a crash cut off goes on. */
  resume(): void {
    const { partitions, floors, census } = this.#parts;
    for (let partition = 0; partition < partitions; partition++) {
      const isDue = floors.of(partition).round > 0 && census.of(partition).reapable > 0;
      if (isDue) this.#sweepLater(partition);
    }
  }

  /** Nothing is in hand any more. */
  async idle(): Promise<void> {
    await this.#raising;
    await this.#sweeping;
  }

  survey(): StoreOutcome {
    const { partitions, floors, census, trees } = this.#parts;
    const rounds: RoundState[] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const { round } = floors.of(partition);
      const { reapable, tombstones, expiresFrom } = census.of(partition);
      if (round === 0 && reapable === 0 && expiresFrom === 0) continue;
      const promised = floors.promised(partition);
      const isSweeping = trees.isChanging(partition);
      rounds.push({ partition, round, promised, reapable, tombstones, expiresFrom, isSweeping });
    }
    return { kind: "rounds", rounds };
  }

  /**
   * Everything that has been seen, known to be durable here unless it is known to others: whatever
   * a cut names must be found by the comparison that follows it.
   */
  async cut({ partition }: Work<"cut">): Promise<StoreOutcome> {
    const { census, floors, trees } = this.#parts;
    const events = new Map<Actor, number>(floors.of(partition).events);
    for (const [actor, counter] of census.of(partition).seen) {
      if ((events.get(actor) ?? 0) < counter) events.set(actor, counter);
    }
    const { round } = floors.of(partition);
    const promised = floors.promised(partition);
    const ready = trees.isWhole(partition) && !trees.isChanging(partition);
    // What was written before is on the disk when this is: the same log holds both, in order.
    if (ready) await floors.promise(partition, promised);
    return { kind: "cut", ready, round, promised, events: sortedEvents(events) };
  }

  async loose({ partition, isHolder }: Work<"loose">): Promise<StoreOutcome> {
    const { hints, hintsCounted, census, trees } = this.#parts;
    await hintsCounted;
    const isClear = isHolder || (trees.isWhole(partition) && census.of(partition).keys === 0);
    return { kind: "loose", isFree: isClear && !hints.holdsIn(partition) };
  }

  /** Once for a round: whoever has all owners' promises is the only one who has. */
  async promise({ partition, round }: Work<"promise">): Promise<StoreOutcome> {
    const { floors } = this.#parts;
    if (round <= floors.promised(partition)) {
      const message = `round ${round} of partition ${partition} was promised before`;
      return { kind: "failed", code: "CONFLICT", message, applied: "no" };
    }
    await floors.promise(partition, round);
    return { kind: "durable" };
  }

  readFloor({ partition }: Work<"read-floor">): StoreOutcome {
    const { floors } = this.#parts;
    const promised = floors.promised(partition);
    return { kind: "floor", floor: newsOf(floors.of(partition)), promised };
  }

  raise(work: Work<"raise-floor">): Promise<StoreOutcome> {
    const raising = this.#raising.then(() => this.#raise(work));
    this.#raising = raising.catch(() => {});
    return raising.then(() => ({ kind: "durable" }));
  }

  async #raise({ partition, floor: news }: Work<"raise-floor">): Promise<void> {
    const { floors, trees, census } = this.#parts;
    const before = floors.of(partition);
    if (news.round <= before.round) return;
    const floor = raised(before, news);
    floors.expect(partition, floor);
    trees.changing(partition, 1);
    try {
      const isProven = floors.promised(partition) >= floor.round;
      if (!isProven && census.of(partition).keys > 0) await this.#clear(partition, floor);
      await floors.raise(partition, floor);
      this.#sweepLater(partition);
    } finally {
      trees.changing(partition, -1);
    }
  }

  /** This store was not there when the floor was proven: what is below it may be deleted. */
  async #clear(partition: Partition, floor: Floor): Promise<void> {
    const { partitions, floors, incarnations } = this.#parts;
    // What is still on its way to the disk would be passed over.
    await floors.promise(partition, 0);
    await this.#rewrite([rangeOfPartition(partition, partitions)], (versions) =>
      withoutUnproven(versions, floor),
    );
    incarnations.renew(partition, []);
  }

  #sweepLater(partition: Partition): void {
    const { trees, onFailure } = this.#parts;
    trees.changing(partition, 1);
    this.#sweeping = this.#sweeping
      .then(() => this.#sweep(partition))
      .catch(onFailure)
      .then(() => trees.changing(partition, -1));
  }

  async #sweep(partition: Partition): Promise<void> {
    const { census, floors, trees } = this.#parts;
    const tree = trees.treeOf(partition);
    if (tree === undefined) return;
    const marked = census.takeMarked(partition);
    try {
      await this.#rewrite(rangesOf(tree, marked), (versions) =>
        stripped(versions, floors.of(partition)),
      );
    } catch (error) {
      census.mark(partition, marked);
      throw error;
    }
  }

  /** Brings every key of these ranges into the form that is asked for, a page at a time. */
  async #rewrite(
    ranges: readonly KeyRange[],
    change: (versions: Versions) => Versions,
  ): Promise<void> {
    const { engine, decode, census, writes, isClosed } = this.#parts;
    for (const range of ranges) {
      const scan = engine.scan(range);
      try {
        for (;;) {
          const pairs = await scan.nextMany(keysAtOnce);
          const changing = pairs.flatMap(([engineKey, record]) => {
            const key = keyIn(engineKey);
            if (key === undefined) return [];
            const versions = decode(record);
            if (change(versions) !== versions) return [key];
            census.leave(key, versions);
            return [];
          });
          if (isClosed()) return;
          await writes.rewrite(changing, change);
          if (pairs.length < keysAtOnce) break;
        }
      } finally {
        await scan.close();
      }
    }
  }
}
