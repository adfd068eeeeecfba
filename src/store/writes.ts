/**
 * Work that changes what is held of keys: each reads, decides and writes as one step, in the
 * order of asking. Every change is a join, but for removals, which are what they say.
 */
import { digestOf, isSameHash } from "../core/clock/digest.ts";
import { type Floor, stripped, withoutStale } from "../core/clock/floor.ts";
import { truncate } from "../core/clock/vector.ts";
import {
  isEmpty,
  isEqual,
  merge,
  noVersions,
  type Versions,
  write,
} from "../core/clock/versions.ts";
import type { StoreWork } from "../core/event.ts";
import type { NodeId } from "../core/ids.ts";
import { type Key, partitionOf } from "../core/key.ts";
import type { Copies } from "./copies.ts";
import type { Landing } from "./flights.ts";
import type { Floors } from "./floors.ts";
import type { HintCounts } from "./hint-counts.ts";
import type { Incarnations } from "./incarnations.ts";
import type { Line } from "./key-queue.ts";
import { own } from "./keyspace.ts";
import { type Answers, type Done, failureOf, StoreError } from "./outcomes.ts";

type Work<K extends StoreWork["kind"]> = Extract<StoreWork, { kind: K }>;

export interface WritesParts {
  readonly copies: Copies;
  readonly incarnations: Incarnations;
  readonly hints: HintCounts;
  readonly floors: Floors;
  readonly answers: Answers;
  readonly partitions: number;
  /** Vectors with more entries lose the oldest; absent: none do. */
  readonly vectorEntriesMax: number | undefined;
}

const ownOnly: readonly NodeId[] = [own];
/** What stand-ins keep is of no partition of theirs: it counts as older than every round. */
const anyRound = 0;

export class Writes {
  readonly #parts: WritesParts;

  constructor(parts: WritesParts) {
    this.#parts = parts;
  }

  write(work: Work<"write">, done: Done): void {
    const { key, targets } = work;
    this.#parts.copies.add({
      key,
      targets: targets.length === 0 ? ownOnly : targets,
      act: (line) => this.#coordinate(line, work, done),
      fail: (error) => this.#parts.answers.give(done, failureOf(error)),
    });
  }

  merge({ entries, round }: Work<"merge">, done: Done): void {
    let changed = 0;
    let stale = 0;
    const land = this.#landings(entries.length, done, () => ({ kind: "merged", changed, stale }));
    for (const { key, versions } of entries) {
      this.#parts.copies.add({
        key,
        targets: ownOnly,
        act: (line) => {
          const fresh = this.#fresh(line, versions, round);
          if (fresh !== versions) stale += 1;
          if (this.#join(line, own, fresh)) changed += 1;
          whenDurable(line, ownOnly, land);
        },
        fail: land,
      });
    }
  }

  keepHints({ targets, entry }: Work<"keep-hints">, done: Done): void {
    const { copies } = this.#parts;
    const land = this.#landings(1, done, () => ({ kind: "durable" }));
    copies.add({
      key: entry.key,
      targets,
      act: (line) => {
        this.#checkRoom(targets);
        for (const target of targets) this.#join(line, target, entry.versions);
        whenDurable(line, targets, land);
      },
      fail: land,
    });
  }

  dropHints({ target, entries }: Work<"drop-hints">, done: Done): void {
    const land = this.#landings(entries.length, done, () => ({ kind: "durable" }));
    for (const { key, digest } of entries) {
      const isSent = (held: Versions): boolean => isSameHash(digestOf(held), digest);
      this.#drop(key, target, isSent, land);
    }
  }

  /** Brings what this node holds for itself of some keys into another form. */
  rewrite(keys: readonly Key[], change: (versions: Versions) => Versions): Promise<void> {
    const { copies } = this.#parts;
    return new Promise((resolve, reject) => {
      const land = afterAll(keys.length, (failure) => {
        if (failure === undefined) resolve();
        else reject(failure);
      });
      const act = (line: Line): void => {
        const cell = line.cellOf(own);
        const changed = change(cell.versions);
        if (changed !== cell.versions) copies.write(line, cell, changed);
        whenDurable(line, ownOnly, land);
      };
      for (const key of keys) copies.add({ key, targets: ownOnly, act, fail: land });
    });
  }

  /** Removes what this node holds for itself of some keys, each while `isMeant` still says so. */
  remove(keys: readonly Key[], isMeant: () => boolean, landed: Landing): void {
    const land = afterAll(keys.length, landed);
    for (const key of keys) this.#drop(key, own, isMeant, land);
  }

  #coordinate(line: Line, work: Work<"write">, done: Done): void {
    const { answers, floors, incarnations, partitions, vectorEntriesMax } = this.#parts;
    const { key, context, change, targets } = work;
    const copies = targets.length === 0 ? ownOnly : targets;
    if (targets.length > 0) this.#checkRoom(targets);
    const partition = partitionOf(key, partitions);
    const floor = floors.of(partition);
    const held = currentOf(line, copies);
    // Others take what goes out under this round as free of what the round removes.
    const current = targets.length === 0 ? stripped(held, floor) : held;
    const round = targets.length === 0 ? floor.round : anyRound;
    const written = write(current, context, incarnations.next(partition, targets), change);
    let { versions } = written;
    const siblings = versions.siblings.length;
    if (siblings > 1 && siblings > current.siblings.length) {
      const bytes = versions.siblings.reduce((sum, { value }) => sum + value.length, 0);
      if (siblings > work.siblingsMax || bytes > work.siblingBytesMax) {
        answers.give(done, { kind: "too-many-siblings", siblings, bytes });
        return;
      }
    }
    if (vectorEntriesMax !== undefined) {
      versions = { ...versions, vector: truncate(versions.vector, vectorEntriesMax) };
    }
    for (const target of copies) {
      const cell = line.cellOf(target);
      if (!isEqual(cell.versions, versions)) this.#parts.copies.write(line, cell, versions);
    }
    const { isDuplicate, context: seen } = written;
    answers.give(done, { kind: "written", versions, context: seen, isDuplicate, round });
    whenDurable(line, copies, (failure) => {
      if (failure === undefined) {
        answers.give(done, { kind: "durable" });
        return;
      }
      // Others may have got the dot that this node does not hold now.
      incarnations.renew(partition, targets);
      answers.give(done, failureOf(failure));
    });
  }

  /** What came of a key, without what has been superseded since and cleaned up. */
  #fresh(line: Line, versions: Versions, round: number): Versions {
    const guard = this.#parts.floors.guard(partitionOf(line.key, this.#parts.partitions));
    if (round >= guard.round) return versions;
    return withoutStale(versions, line.cellOf(own).versions, guard);
  }

  /** Whether there was something new. */
  #join(line: Line, target: NodeId, versions: Versions): boolean {
    const cell = line.cellOf(target);
    const joined = merge(cell.versions, versions);
    const merged = target === own ? stripped(joined, this.#floorOf(line.key)) : joined;
    if (merged === cell.versions || isEqual(merged, cell.versions)) return false;
    this.#parts.copies.write(line, cell, merged);
    return true;
  }

  /** Removes one copy, with a digest only if it is still the one that was meant. */
  #drop(key: Key, target: NodeId, isMeant: (held: Versions) => boolean, land: Landing): void {
    const { copies, incarnations, partitions } = this.#parts;
    copies.add({
      key,
      targets: [target],
      act: (line) => {
        const cell = line.cellOf(target);
        if (!isEmpty(cell.versions) && isMeant(cell.versions)) {
          copies.write(line, cell, noVersions);
          const partition = partitionOf(key, partitions);
          if (target !== own) incarnations.renewStandIns(partition, target);
        }
        whenDurable(line, [target], land);
      },
      fail: land,
    });
  }

  #floorOf(key: Key): Floor {
    return this.#parts.floors.of(partitionOf(key, this.#parts.partitions));
  }

  #checkRoom(targets: readonly NodeId[]): void {
    const full = targets.find((target) => this.#parts.hints.isFull(target));
    if (full === undefined) return;
    throw new StoreError("HINTS_FULL", `no room for more hints for node ${full}`);
  }

  #landings(count: number, done: Done, outcome: () => Parameters<Done>[0]): Landing {
    const { answers } = this.#parts;
    return afterAll(count, (failure) => {
      answers.give(done, failure === undefined ? outcome() : failureOf(failure));
    });
  }
}

/** What these copies add up to. */
function currentOf(line: Line, targets: readonly NodeId[]): Versions {
  let current = noVersions;
  for (const target of targets) current = merge(current, line.cellOf(target).versions);
  return current;
}

/** Calls back once all that these copies hold now is durable, or cannot be. */
function whenDurable(line: Line, targets: readonly NodeId[], landed: Landing): void {
  const land = targets.length === 1 ? landed : afterAll(targets.length, landed);
  for (const target of targets) {
    const { flight } = line.cellOf(target);
    if (flight === undefined) land(undefined);
    else flight.onLanding(land);
  }
}

/** Passes on the first failure, when the last has landed. */
function afterAll(count: number, landed: Landing): Landing {
  let left = count;
  let first: unknown;
  if (left === 0) landed(undefined);
  return (failure) => {
    first ??= failure;
    left -= 1;
    if (left === 0) landed(first);
  };
}
