/**
 * Reading, deciding and writing, one at a time for each key, in the order of asking. While writes
 * of a key are on their way to the disk, what they add up to is known here, so the next task
 * builds on it without waiting for any of them.
 *
 * A line of tasks lives as long as it has some, or writes on their way. Afterwards the engine
 * alone says what is held of the key.
 */
import type { Versions } from "../core/clock/versions.ts";
import type { NodeId } from "../core/ids.ts";
import type { Key } from "../core/key.ts";
import type { Hash } from "../core/message.ts";
import type { Flight } from "./flights.ts";
import { type Keyed, KeyTable } from "./key-table.ts";
import { StoreError } from "./outcomes.ts";

/** One copy of a key: the node's own, or a hint for a target. */
export interface Cell {
  readonly target: NodeId;
  versions: Versions;
  /** Of the versions; absent when the copy is. */
  digest: Hash | undefined;
  /** Length of the record; 0 when there is none. */
  bytes: number;
  /** The last write of this copy, if one was made lately. */
  flight: Flight | undefined;
}

export interface Line {
  readonly key: Key;
  cellOf(target: NodeId): Cell;
}

/** A step over some copies of a key. */
export interface Task {
  readonly key: Key;
  readonly targets: readonly NodeId[];
  /** Called when it is the first in line and its copies are known. May write. */
  act(line: Line): void;
  fail(error: unknown): void;
}

export type Loaded = Omit<Cell, "target" | "flight">;

export interface QueueParts {
  /** The record that the engine holds, and what it says; both may refuse. */
  fetch(key: Key, target: NodeId): Promise<Uint8Array | undefined>;
  loaded(record: Uint8Array | undefined): Loaded;
  /** A write failed and this is what is there instead of what the cell says. */
  correct(key: Key, cell: Cell, actual: Loaded): void;
}

/** Tasks that wait, in all and for one key. */
const waitingMax = 65_536;
const waitingPerKeyMax = 1_024;

export class KeyQueue {
  readonly #parts: QueueParts;
  readonly #lines = new KeyTable<KeyLine>();
  #waiting = 0;
  #onIdle: (() => void)[] = [];

  constructor(parts: QueueParts) {
    this.#parts = parts;
  }

  add(task: Task): void {
    let line = this.#lines.find(task.key);
    if (line === undefined) {
      line = new KeyLine(task.key);
      this.#lines.add(line);
    }
    const isFull = this.#waiting >= waitingMax || line.tasks.length >= waitingPerKeyMax;
    if (isFull) {
      task.fail(new StoreError("OVERLOADED", "too many writes wait for the disk"));
      this.#letGo(line);
      return;
    }
    this.#waiting += 1;
    line.tasks.push(task);
    this.#advance(line);
  }

  /** A task wrote a copy of its key. */
  depart(line: Line, cell: Cell, flight: Flight): void {
    if (!(line instanceof KeyLine)) return;
    cell.flight = flight;
    line.writing += 1;
    flight.onLanding((failure) => this.#land(line, failure));
  }

  /** Resolves when nothing waits and nothing is on its way. */
  idle(): Promise<void> {
    if (this.#lines.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  #advance(line: KeyLine): void {
    if (line.isBusy) return;
    if (line.isDoubtful) {
      if (line.writing === 0) void this.#settle(line);
      return;
    }
    for (;;) {
      const task = line.tasks[0];
      if (task === undefined) break;
      const missing = line.missing(task.targets);
      if (missing !== undefined) {
        this.#load(line, missing);
        return;
      }
      this.#waiting -= 1;
      line.tasks.shift();
      try {
        task.act(line);
      } catch (error) {
        task.fail(error);
      }
    }
    this.#letGo(line);
  }

  #load(line: KeyLine, target: NodeId): void {
    line.isBusy = true;
    this.#parts.fetch(line.key, target).then(
      (record) => this.#fetched(line, target, record),
      (error: unknown) => this.#refuse(line, error),
    );
  }

  #fetched(line: KeyLine, target: NodeId, record: Uint8Array | undefined): void {
    try {
      const { versions, digest, bytes } = this.#parts.loaded(record);
      line.cells.push({ target, versions, digest, bytes, flight: undefined });
    } catch (error) {
      this.#refuse(line, error);
      return;
    }
    line.isBusy = false;
    this.#advance(line);
  }

  /** The first task cannot be done; for the next one it is tried again. */
  #refuse(line: KeyLine, error: unknown): void {
    line.isBusy = false;
    this.#waiting -= 1;
    line.tasks.shift()?.fail(error);
    this.#advance(line);
  }

  #land(line: KeyLine, failure: unknown): void {
    line.writing -= 1;
    // Later writes of the key may have been built on this one: nothing goes on before the engine
    // has said what it holds after all.
    if (failure !== undefined) line.isDoubtful = true;
    if (line.isDoubtful) this.#advance(line);
    else this.#letGo(line);
  }

  /** Never rejects. */
  async #settle(line: KeyLine): Promise<void> {
    line.isBusy = true;
    for (const cell of line.cells) {
      try {
        const record = await this.#parts.fetch(line.key, cell.target);
        this.#parts.correct(line.key, cell, this.#parts.loaded(record));
      } catch {
        // The engine is closed or damaged: whoever needs this copy next will be told.
      }
    }
    line.cells.length = 0;
    line.isDoubtful = false;
    line.isBusy = false;
    this.#advance(line);
  }

  #letGo(line: KeyLine): void {
    if (line.writing > 0 || line.tasks.length > 0 || line.isBusy) return;
    this.#lines.remove(line);
    if (this.#lines.size > 0 || this.#onIdle.length === 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

class KeyLine implements Line, Keyed<KeyLine> {
  readonly key: Key;
  next: KeyLine | undefined;
  readonly cells: Cell[] = [];
  readonly tasks: Task[] = [];
  /** Copies of the key on their way to the disk. */
  writing = 0;
  isBusy = false;
  isDoubtful = false;

  constructor(key: Key) {
    this.key = key;
  }

  cellOf(target: NodeId): Cell {
    for (const cell of this.cells) if (cell.target === target) return cell;
    throw new Error("a task names the copies that it needs");
  }

  /** The first of these copies that is not known. */
  missing(targets: readonly NodeId[]): NodeId | undefined {
    for (const target of targets) if (!this.#has(target)) return target;
    return undefined;
  }

  #has(target: NodeId): boolean {
    for (const cell of this.cells) if (cell.target === target) return true;
    return false;
  }
}
