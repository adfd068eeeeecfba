/**
 * Point reads: memtable, memtables waiting for their flush, level 0 from the newest table, then
 * one table of each deeper level. The first answer is the newest, so it is the answer, also when
 * it says that the key was deleted. All of it is synchronous while what it needs is in memory or
 * comes quickly from the page cache; a disk that has proved slow is read asynchronously.
 */
import { hash32 } from "./base/hash.ts";
import type { Clock } from "./clock.ts";
import type { SnapshotMark } from "./compaction/job.ts";
import { copyOut } from "./copy-out.ts";
import { kindExpiring, kindTombstone } from "./cursor.ts";
import type { ReadPace } from "./disk/read-pace.ts";
import { copyOfKey, register, takeKey } from "./key-register.ts";
import { absent, emptyFound, type Found, needsDisk, present } from "./table/found.ts";
import { type TableHandle, type TableSet, tableFor } from "./table-set.ts";
import type { Tree } from "./tree.ts";
import type { Turn } from "./turn.ts";

type Value = Uint8Array | undefined;
type Key = string | Uint8Array;

/** Up to so many keys, and up to that many bytes of values, getMany answers in one go. */
const keysPerSlice = 256;
const bytesPerSlice = 256 << 10;
/** Work is counted in small gets: copying this many bytes of a value is worth another one. */
const bytesPerUnitShift = 12;
/** Where the last lookup left its answer; read before the next one. */
const found = emptyFound();

export class Reader {
  readonly #tree: Tree;
  readonly #hashSeed: number;
  readonly #clock: Clock;
  readonly #turn: Turn;
  readonly #pace: ReadPace;

  constructor(parts: { tree: Tree; hashSeed: number; clock: Clock; turn: Turn; pace: ReadPace }) {
    this.#tree = parts.tree;
    this.#hashSeed = parts.hashSeed;
    this.#clock = parts.clock;
    this.#turn = parts.turn;
    this.#pace = parts.pace;
  }

  getSync(key: Key, mark: SnapshotMark | undefined): Value {
    return this.#find(key, mark, undefined) === present ? this.#value(found, mark) : undefined;
  }

  /** Reads at the call, so that the answer is of that instant, whenever it settles. */
  get(key: Key, mark: SnapshotMark | undefined): Promise<Value> {
    const outcome = this.#find(key, mark, this.#pace);
    if (outcome === needsDisk) return this.#readSlowly([key], mark).then((values) => values[0]);
    const value = outcome === present ? this.#value(found, mark) : undefined;
    const units = value === undefined ? 1 : 1 + (value.length >>> bytesPerUnitShift);
    return this.#turn.isOver(units) ? this.#turn.later(value) : Promise.resolve(value);
  }

  has(key: Key, mark: SnapshotMark | undefined): Promise<boolean> {
    const outcome = this.#find(key, mark, this.#pace);
    if (outcome === needsDisk) {
      return this.#readSlowly([key], mark).then((values) => values[0] !== undefined);
    }
    const answer = outcome === present && !this.#isHidden(found, mark);
    return this.#turn.isOver(1) ? this.#turn.later(answer) : Promise.resolve(answer);
  }

  getMany(keys: readonly Key[], mark: SnapshotMark | undefined): Promise<Value[]> {
    if (keys.length > keysPerSlice) return this.#readSlowly(keys, mark);
    const values: Value[] = new Array(keys.length);
    let bytes = 0;
    for (let i = 0; i < keys.length; i++) {
      const outcome = this.#find(keys[i]!, mark, this.#pace);
      if (outcome === needsDisk || bytes > bytesPerSlice) {
        return this.#readSlowly(keys, mark, values.slice(0, i));
      }
      const value = outcome === present ? this.#value(found, mark) : undefined;
      if (value !== undefined) bytes += value.length;
      values[i] = value;
    }
    const units = 1 + (keys.length >>> 1) + (bytes >>> bytesPerUnitShift);
    const over = this.#turn.isOver(units);
    return over ? this.#turn.later(values) : Promise.resolve(values);
  }

  /** Fills `found`, also for a tombstone. Reads as the pace allows, without one whenever needed. */
  #find(key: Key, mark: SnapshotMark | undefined, pace: ReadPace | undefined): number {
    const length = takeKey(key);
    const hash = hash32(register, 0, length, this.#hashSeed);
    const tree = this.#tree;
    const end = mark === undefined ? tree.sequence : mark.sequence + 1;
    const active = tree.active.memtable;
    if (active.find(register, length, hash, end - active.firstSequence, found)) return present;
    const sealed = tree.sealed;
    for (let i = 0; i < sealed.length; i++) {
      const memtable = sealed[i]!.memtable;
      if (memtable.find(register, length, hash, end - memtable.firstSequence, found)) {
        return present;
      }
    }
    return findInTables(tree.set, length, hash, end - 1, pace);
  }

  #value(answer: Found, mark: SnapshotMark | undefined): Value {
    if (this.#isHidden(answer, mark)) return undefined;
    return copyOut(answer.bytes, answer.at, answer.length);
  }

  #isHidden(answer: Found, mark: SnapshotMark | undefined): boolean {
    if (answer.kind === kindTombstone) return true;
    if (answer.kind !== kindExpiring) return false;
    return answer.expiry <= (mark === undefined ? this.#clock.now() : mark.time);
  }

  /**
   * One state for all keys, with awaited reads and pauses for the loop. `values` are those of the
   * first keys, if they were read just now.
   */
  async #readSlowly(
    keys: readonly Key[],
    given: SnapshotMark | undefined,
    values: Value[] = [],
  ): Promise<Value[]> {
    const copies = keys.map(copyOfKey);
    const view = this.#tree.view();
    const end = given === undefined ? view.sequence : given.sequence + 1;
    const mark = { sequence: end - 1, time: given?.time ?? this.#clock.now() };
    const answer = emptyFound();
    try {
      for (const key of copies.slice(values.length)) {
        const hash = hash32(key, 0, key.length, this.#hashSeed);
        const inMemory = view.memtables.some((memtable) =>
          memtable.find(key, key.length, hash, end - memtable.firstSequence, answer),
        );
        const value = inMemory
          ? this.#value(answer, mark)
          : await this.#inTables(view.set, key, hash, mark, answer);
        values.push(value);
        const units = 1 + ((value?.length ?? 0) >>> bytesPerUnitShift);
        if (this.#turn.isOver(units)) await this.#turn.later(undefined);
      }
      return values;
    } finally {
      view.release();
    }
  }

  async #inTables(
    set: TableSet,
    key: Uint8Array,
    hash: number,
    mark: SnapshotMark,
    answer: Found,
  ): Promise<Value> {
    const { sequence } = mark;
    for (const handle of candidates(set, key)) {
      if (handle.meta.minSequence > sequence) continue;
      const mayRead = this.#pace.synchronous();
      const table = mayRead ? handle.table() : await handle.tableSlowly();
      const quick = table.find(key, 0, key.length, hash, sequence, answer, mayRead);
      // Taken out before anything is awaited: the cache may give the place to another block.
      if (quick === present) return this.#value(answer, mark);
      if (quick === absent) continue;
      table.retain();
      try {
        const slow = await table.findSlow(key, 0, key.length, hash, sequence, answer);
        if (slow === present) return this.#value(answer, mark);
      } finally {
        table.release();
      }
    }
    return undefined;
  }
}

/** `needsDisk` when a block is missing and the pace forbids reading. The key is in the register. */
function findInTables(
  set: TableSet,
  length: number,
  hash: number,
  sequence: number,
  pace: ReadPace | undefined,
): number {
  const fresh = set.fresh;
  for (let i = 0; i < fresh.length; i++) {
    const answer = findInTable(fresh[i]!, length, hash, sequence, pace);
    if (answer !== absent) return answer;
  }
  const runs = set.runs;
  for (let i = 0; i < runs.length; i++) {
    const handle = tableFor(runs[i]!, register, 0, length);
    if (handle === undefined) continue;
    const answer = findInTable(handle, length, hash, sequence, pace);
    if (answer !== absent) return answer;
  }
  return absent;
}

function findInTable(
  handle: TableHandle,
  length: number,
  hash: number,
  sequence: number,
  pace: ReadPace | undefined,
): number {
  if (handle.meta.minSequence > sequence) return absent;
  // Asked for each table: a slow read in the one before ends the fast episode.
  const mayRead = pace === undefined || pace.synchronous();
  if (!(mayRead || handle.isOpen)) return needsDisk;
  return handle.table().find(register, 0, length, hash, sequence, found, mayRead);
}

function candidates(set: TableSet, key: Uint8Array): TableHandle[] {
  const deeper = set.runs.map((run) => tableFor(run, key, 0, key.length));
  return [...set.fresh, ...deeper.filter((handle) => handle !== undefined)];
}
