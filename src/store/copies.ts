/**
 * Copies of keys in the engine: read and decoded, encoded and written. Whatever is written changes
 * the partition's tree, or the counts of hints, in the same step.
 */
import { type Engine, valueBytesMax } from "../../native-free-engine/index.ts";
import { digestOf } from "../core/clock/digest.ts";
import { isEmpty, noVersions, type Versions } from "../core/clock/versions.ts";
import type { NodeId } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import type { ActorTable } from "./actor-table.ts";
import type { Census } from "./census.ts";
import type { Flight, Flights } from "./flights.ts";
import type { HintCounts } from "./hint-counts.ts";
import { type Cell, KeyQueue, type Line, type Loaded, type Task } from "./key-queue.ts";
import { copyKey, own } from "./keyspace.ts";
import { StoreError } from "./outcomes.ts";
import { decodeRecord, encodeRecord } from "./record.ts";
import type { Trees } from "./trees.ts";

export interface CopiesParts {
  readonly engine: Engine;
  readonly actors: ActorTable;
  readonly trees: Trees;
  readonly census: Census;
  readonly hints: HintCounts;
  readonly flights: Flights;
  /** Vectors are truncated by age, so the times of their entries are stored. */
  readonly keepTimes: boolean;
}

const absent: Loaded = { versions: noVersions, digest: undefined, bytes: 0 };

export class Copies {
  readonly #parts: CopiesParts;
  readonly #queue: KeyQueue;

  constructor(parts: CopiesParts) {
    this.#parts = parts;
    this.#queue = new KeyQueue({
      fetch: (key, target) => parts.engine.get(copyKey(key, target)),
      loaded: (record) => this.#loaded(record),
      correct: (key, cell, actual) => this.#account(key, cell, actual),
    });
  }

  /**
   * What the engine has, which all that was acknowledged is part of. An engine answers at once
   * when the value is in memory, by a promise that lets the loop go round now and then, and waits
   * for a slow disk without holding anybody up; a read that blocks would save 0.2 µs.
   */
  read(key: Key, target: NodeId): Promise<Versions> {
    return this.#parts.engine
      .get(copyKey(key, target))
      .then((bytes) => (bytes === undefined ? noVersions : this.decode(bytes)));
  }

  /** Throws CORRUPTION, saying what cannot be. */
  decode(bytes: Uint8Array): Versions {
    const decoded = decodeRecord(bytes, this.#parts.actors);
    if (decoded.kind === "versions") return decoded.versions;
    throw new StoreError("CORRUPTION", `the engine holds ${decoded.why}`);
  }

  /** Lets a task read and write copies of its key when its turn comes. */
  add(task: Task): void {
    this.#queue.add(task);
  }

  /** Only within a task. Versions that are empty remove the copy. */
  write(line: Line, cell: Cell, versions: Versions): void {
    const { key } = line;
    const isRemoval = isEmpty(versions);
    const record = isRemoval ? nothing : this.#encode(versions);
    const flight = isRemoval ? this.#remove(key, cell.target) : this.#put(key, cell.target, record);
    const digest = isRemoval ? undefined : digestOf(versions);
    this.#account(key, cell, { versions, digest, bytes: record.length });
    this.#queue.depart(line, cell, flight);
    if (cell.target === own) return;
    const { hints } = this.#parts;
    hints.writing(cell.target, 1);
    flight.onLanding(() => hints.writing(cell.target, -1));
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  #loaded(record: Uint8Array | undefined): Loaded {
    if (record === undefined) return absent;
    const versions = this.decode(record);
    return { versions, digest: digestOf(versions), bytes: record.length };
  }

  #encode(versions: Versions): Uint8Array {
    const { actors, keepTimes } = this.#parts;
    const record = encodeRecord(versions, actors, { keepTimes });
    if (record.length <= valueBytesMax) return record;
    throw new StoreError(
      "VALUE_TOO_LARGE",
      `the siblings of a key take ${record.length} bytes, the limit is ${valueBytesMax}`,
    );
  }

  #put(key: Key, target: NodeId, record: Uint8Array): Flight {
    const { engine, actors, flights } = this.#parts;
    const named = actors.takeNamed();
    if (named.length === 0) return flights.of(engine.put(copyKey(key, target), record));
    const flight = flights.of(
      engine.batch([
        ...named.map((index) => actors.lineOf(index)),
        { type: "put", key: copyKey(key, target), value: record },
      ]),
    );
    flight.onLanding((failure) => {
      if (failure === undefined) actors.saved(named);
    });
    return flight;
  }

  #remove(key: Key, target: NodeId): Flight {
    const { engine, flights } = this.#parts;
    return flights.of(engine.delete(copyKey(key, target)));
  }

  /** What the copy was goes out of the sums, and what it is comes in. */
  #account(key: Key, cell: Cell, now: Loaded): void {
    if (cell.target === own) {
      this.#parts.trees.replace(key, cell.digest, now.digest);
      this.#parts.census.changed(
        key,
        cell.digest === undefined ? undefined : cell.versions,
        now.digest === undefined ? undefined : now.versions,
      );
    } else {
      const engineKey = copyKey(key, cell.target);
      this.#parts.hints.changed(cell.target, { engineKey, before: cell.bytes, after: now.bytes });
    }
    cell.versions = now.versions;
    cell.digest = now.digest;
    cell.bytes = now.bytes;
  }
}

const nothing = new Uint8Array(0);
