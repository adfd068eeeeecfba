/**
 * A cursor over a sorted array, as awkward as the contract allows: it blocks on any move, forgets
 * its fields while it is blocked, and cuts keys into prefix and suffix wherever it likes. Only
 * buffers it has shown are never written again, which is what walks rely on.
 */
import { compare, headOf } from "../../native-free-engine/base/bytes.ts";
import { atEnd, atEntry, blocked, type Cursor } from "../../native-free-engine/cursor.ts";
import type { Entry } from "./table-fixture.ts";

export interface ArrayCursorOptions {
  /** Bytes that all keys share. */
  readonly skip: number;
  /** A whole number in [0, below). */
  readonly random: (below: number) => number;
  /** One move in so many blocks; 0 for none. */
  readonly blocksOnceIn: number;
}

export class ArrayCursor implements Cursor {
  state = atEnd;
  bytes = new Uint8Array(0);
  prefixAt = 0;
  prefixLength = 0;
  suffixAt = 0;
  suffixLength = 0;
  valueAt = 0;
  valueLength = 0;
  kind = 0;
  sequence = 0;
  expiry = 0;
  head = 0;
  readonly stable = true;
  /** Moves made, to see that a walk does no more of them than it must. */
  moves = 0;
  readonly #entries: readonly Entry[];
  readonly #options: ArrayCursorOptions;
  #position = -1;

  constructor(entries: readonly Entry[], options: ArrayCursorOptions) {
    this.#entries = entries;
    this.#options = options;
  }

  first(): void {
    this.#go(0);
  }

  last(): void {
    this.#go(this.#entries.length - 1);
  }

  seek(key: Uint8Array, at: number, length: number): void {
    const target = key.slice(at, at + length);
    const found = this.#entries.findIndex((entry) => compare(entry.key, target) >= 0);
    this.#go(found === -1 ? this.#entries.length : found);
  }

  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    const target = key.slice(at, at + length);
    const bound = orEqual ? 1 : 0;
    this.#go(this.#entries.findLastIndex((entry) => compare(entry.key, target) < bound));
  }

  next(): void {
    this.#step(1);
  }

  previous(): void {
    this.#step(-1);
  }

  load(): Promise<void> {
    if (this.state === blocked) this.#show();
    return Promise.resolve();
  }

  close(): void {
    this.state = atEnd;
  }

  #step(by: number): void {
    if (this.state !== atEntry) throw new Error("a cursor moves on from an entry only");
    this.#go(this.#position + by);
  }

  #go(position: number): void {
    const { random, blocksOnceIn } = this.#options;
    this.moves++;
    this.#position = position;
    if (blocksOnceIn === 0 || random(blocksOnceIn) > 0) {
      this.#show();
      return;
    }
    this.state = blocked;
    this.#fill({ key: Uint8Array.of(1), value: junk, kind: 77, sequence: 0, expiry: 0 });
  }

  #show(): void {
    const entry = this.#entries[this.#position];
    this.state = entry === undefined ? atEnd : atEntry;
    if (entry !== undefined) this.#fill(entry);
  }

  #fill(entry: Entry): void {
    const { key, value } = entry;
    const { random, skip } = this.#options;
    this.prefixLength = random(key.length + 1);
    this.suffixLength = key.length - this.prefixLength;
    // The value stands first and the suffix before the prefix, so that mixing them up shows.
    this.valueAt = 1;
    this.valueLength = value.length;
    this.suffixAt = this.valueAt + value.length + 1;
    this.prefixAt = this.suffixAt + this.suffixLength + 1;
    this.bytes = new Uint8Array(this.prefixAt + this.prefixLength + 1).fill(0xee);
    this.bytes.set(value, this.valueAt);
    this.bytes.set(key.subarray(this.prefixLength), this.suffixAt);
    this.bytes.set(key.subarray(0, this.prefixLength), this.prefixAt);
    this.kind = entry.kind;
    this.sequence = entry.sequence;
    this.expiry = entry.expiry;
    this.head = headOf(key, skip, Math.max(0, key.length - skip));
  }
}

const junk = Uint8Array.of(0xba, 0xad);

/** The key under a cursor, in one piece. */
export function keyAt(
  cursor: Pick<Cursor, "bytes" | "prefixAt" | "prefixLength" | "suffixAt" | "suffixLength">,
): Uint8Array {
  const { bytes, prefixAt, prefixLength, suffixAt, suffixLength } = cursor;
  const key = new Uint8Array(prefixLength + suffixLength);
  key.set(bytes.subarray(prefixAt, prefixAt + prefixLength), 0);
  key.set(bytes.subarray(suffixAt, suffixAt + suffixLength), prefixLength);
  return key;
}

export function valueAt(cursor: Pick<Cursor, "bytes" | "valueAt" | "valueLength">): Uint8Array {
  return cursor.bytes.slice(cursor.valueAt, cursor.valueAt + cursor.valueLength);
}
