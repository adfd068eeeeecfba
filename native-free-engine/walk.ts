/**
 * A walk: what one reader sees of several sources, one entry a key. Of each key it shows the
 * newest version that the reader's sequence admits, in the newest source that has one, and hides
 * deleted and expired ones. Sources are given newest first.
 */
import { atEnd, atEntry, blocked, type Cursor } from "./cursor.ts";
import { compareKeys, emptyPlace, isSameKey } from "./key-order.ts";
import { isHidden } from "./visible.ts";

/** What the reader may see: versions up to a sequence, judged for expiry at a time. */
export interface Sight {
  readonly sequence: number;
  readonly time: number;
}

export interface Walk {
  /** atEnd, atEntry, or blocked (by the disk, or to pause): then await `load` and look again. */
  readonly state: number;
  /** The entry, while the state is atEntry. */
  readonly current: EntryShown;
  /** To the first entry in the direction of the walk. */
  start(): void;
  /** To the first entry at or after a key, in the direction of the walk. */
  seek(key: Uint8Array, at: number, length: number, orEqual: boolean): void;
  next(): void;
  load(): Promise<void>;
}

/** What a reader takes from an entry. */
export type EntryShown = Pick<
  Cursor,
  | "bytes"
  | "prefixAt"
  | "prefixLength"
  | "suffixAt"
  | "suffixLength"
  | "valueAt"
  | "valueLength"
  | "stable"
>;

/** Entries that are passed without showing one, before the walk pauses: under a millisecond. */
const passedMax = 4096;

/** From small keys to large ones. */
export class ForwardWalk implements Walk {
  state = atEnd;
  current: Cursor;
  readonly #cursors: readonly Cursor[];
  readonly #sight: Sight;
  /** The key that is done with: versions of it that remain are skipped. */
  readonly #past = emptyPlace();

  constructor(cursors: readonly Cursor[], sight: Sight) {
    this.#cursors = cursors;
    this.#sight = sight;
    this.current = cursors[0]!;
  }

  start(): void {
    this.#past.head = Number.NaN;
    for (const cursor of this.#cursors) cursor.first();
    this.#settle();
  }

  seek(key: Uint8Array, at: number, length: number): void {
    this.#past.head = Number.NaN;
    for (const cursor of this.#cursors) cursor.seek(key, at, length);
    this.#settle();
  }

  next(): void {
    this.#leave(this.current);
    this.#settle();
  }

  async load(): Promise<void> {
    for (const cursor of this.#cursors) if (cursor.state === blocked) await cursor.load();
    this.#settle();
  }

  /** Remembers the key and goes on behind this version of it. */
  #leave(cursor: Cursor): void {
    const past = this.#past;
    past.bytes = cursor.bytes;
    past.prefixAt = cursor.prefixAt;
    past.prefixLength = cursor.prefixLength;
    past.suffixAt = cursor.suffixAt;
    past.suffixLength = cursor.suffixLength;
    past.head = cursor.head;
    cursor.next();
  }

  #settle(): void {
    const cursors = this.#cursors;
    const { sequence, time } = this.#sight;
    for (let passed = 0; ; passed++) {
      let best: Cursor | undefined;
      for (let i = 0; i < cursors.length; i++) {
        const cursor = cursors[i]!;
        while (
          cursor.state === atEntry &&
          (cursor.sequence > sequence || isSameKey(cursor, this.#past))
        ) {
          cursor.next();
          passed++;
          if (passed > passedMax) break;
        }
        if (cursor.state === blocked || passed > passedMax) {
          this.state = blocked;
          return;
        }
        if (cursor.state === atEnd) continue;
        if (best === undefined || cursor.head < best.head) best = cursor;
        else if (cursor.head === best.head && compareKeys(cursor, best) < 0) best = cursor;
      }
      if (best === undefined) {
        this.state = atEnd;
        return;
      }
      this.current = best;
      if (!isHidden(best.kind, best.expiry, time)) {
        this.state = atEntry;
        return;
      }
      this.#leave(best);
    }
  }
}

/** One source of a backward walk: the newest visible version of its largest key not yet done. */
interface Backward {
  readonly cursor: Cursor;
  readonly entry: Captured;
  /** The cursor has left the key of the entry, so the entry is final. */
  ready: boolean;
}

type Captured = { -readonly [Field in keyof Cursor]: Cursor[Field] } extends infer C
  ? Omit<C, "first" | "last" | "seek" | "seekBelow" | "next" | "previous" | "load" | "close">
  : never;

/**
 * From large keys to small ones. Going backward, a source shows the oldest version of a key
 * first, so each source is read one key ahead, and the version to show is kept aside.
 */
export class BackwardWalk implements Walk {
  state = atEnd;
  current: Captured;
  readonly #sources: readonly Backward[];
  readonly #sight: Sight;

  constructor(cursors: readonly Cursor[], sight: Sight) {
    this.#sight = sight;
    this.#sources = cursors.map((cursor) => ({ cursor, entry: emptyEntry(), ready: false }));
    this.current = emptyEntry();
  }

  start(): void {
    for (const source of this.#sources) {
      forget(source);
      source.cursor.last();
    }
    this.#settle();
  }

  seek(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    for (const source of this.#sources) {
      forget(source);
      source.cursor.seekBelow(key, at, length, orEqual);
    }
    this.#settle();
  }

  next(): void {
    this.#leave(this.current);
    this.#settle();
  }

  async load(): Promise<void> {
    for (const { cursor } of this.#sources) if (cursor.state === blocked) await cursor.load();
    this.#settle();
  }

  /** Every source is done with this key. */
  #leave(entry: Captured): void {
    for (const source of this.#sources) {
      if (source.entry !== entry && source.ready && isSameKey(source.entry, entry)) forget(source);
    }
    for (const source of this.#sources) if (source.entry === entry) forget(source);
  }

  #settle(): void {
    for (let passed = 0; ; passed++) {
      let best: Captured | undefined;
      for (const source of this.#sources) {
        if (!source.ready && !this.#capture(source)) {
          if (source.cursor.state !== atEnd) {
            this.state = blocked;
            return;
          }
          continue;
        }
        const { entry } = source;
        if (best === undefined || entry.head > best.head) best = entry;
        else if (entry.head === best.head && compareKeys(entry, best) > 0) best = entry;
      }
      if (best === undefined) {
        this.state = atEnd;
        return;
      }
      this.current = best;
      if (!isHidden(best.kind, best.expiry, this.#sight.time)) {
        this.state = atEntry;
        return;
      }
      this.#leave(best);
      if (passed > passedMax) {
        this.state = blocked;
        return;
      }
    }
  }

  /** Reads on until the newest visible version of one key is known; false at the end or blocked. */
  #capture(source: Backward): boolean {
    const { cursor, entry } = source;
    for (let passed = 0; cursor.state === atEntry; passed++) {
      if (passed > passedMax) return false;
      const sameKey = entry.state === atEntry && isSameKey(cursor, entry);
      if (entry.state === atEntry && !sameKey) {
        source.ready = true;
        return true;
      }
      if (cursor.sequence <= this.#sight.sequence) copyEntry(cursor, entry);
      cursor.previous();
    }
    source.ready = cursor.state === atEnd && entry.state === atEntry;
    return source.ready;
  }
}

function forget(source: Backward): void {
  source.ready = false;
  source.entry.state = atEnd;
}

function copyEntry(from: Cursor, to: Captured): void {
  to.state = atEntry;
  to.bytes = from.bytes;
  to.prefixAt = from.prefixAt;
  to.prefixLength = from.prefixLength;
  to.suffixAt = from.suffixAt;
  to.suffixLength = from.suffixLength;
  to.valueAt = from.valueAt;
  to.valueLength = from.valueLength;
  to.kind = from.kind;
  to.sequence = from.sequence;
  to.expiry = from.expiry;
  to.head = from.head;
  to.stable = from.stable;
}

function emptyEntry(): Captured {
  return {
    state: atEnd,
    ...emptyPlace(),
    valueAt: 0,
    valueLength: 0,
    kind: 0,
    sequence: 0,
    expiry: 0,
    stable: true,
  };
}
