/**
 * The memtable: the newest writes, in memory. An arena that is the image of its commit log (see
 * log/operation.ts) and an open-addressing index over it. Versions of one key hang on their
 * `previous` offsets, newest first, so a reader of an older instant walks past what it must not
 * see.
 *
 * Measured against a `Map` of strings: insert 69 against 176 ns, hit 180 against 230, and no
 * garbage. The arena is a SharedArrayBuffer, so that the flush thread reads it without a copy.
 */
import { assert } from "./base/assert.ts";
import { readU64, writeU64 } from "./base/bytes.ts";
import { hash32 } from "./base/hash.ts";
import { kindExpiring } from "./cursor.ts";
import {
  expiryBytes,
  forEachOperation,
  keyLengthMask,
  keyOffset,
  operationBytes,
  operationHeaderBytes,
} from "./log/operation.ts";
import { fileHeaderBytes, logMagic, recordHeaderBytes, writeFileHeader } from "./log/record.ts";
import {
  arenaBytesFor,
  grownArena,
  grownSlots,
  indexForLog,
  indexOf,
  type MemtableBuffers,
  newBuffers,
} from "./memtable-buffers.ts";
import { MemtableOrder } from "./memtable-order.ts";
import type { Found } from "./table/found.ts";

export interface MemtableOptions {
  readonly logNumber: number;
  readonly firstSequence: number;
  readonly previous: { readonly number: number; readonly end: number };
  readonly hashSeed: number;
  /** The arena never grows beyond this. */
  readonly bytesMax: number;
  /** Start at full size: worth it once writes have filled one memtable. */
  readonly full: boolean;
  /** Of a memtable of the same size that nobody reads any more. */
  readonly buffers?: MemtableBuffers | undefined;
}

export class Memtable {
  readonly logNumber: number;
  readonly firstSequence: number;
  /** The log that this one continues. */
  readonly previous: { readonly number: number; readonly end: number };
  readonly #hashSeed: number;
  readonly #bytesMax: number;
  #arena: Uint8Array;
  #words: Int32Array;
  #text: Buffer;
  /** Where the next operation or record goes. */
  #end = fileHeaderBytes;
  /** Pairs (offset of the newest operation, hash); offset 0 is an empty slot. */
  #index: Int32Array;
  #mask: number;
  /** Offset of the first operation of each key, in order of arrival. */
  #keys: Int32Array;
  #keyCount = 0;
  /** A bit for each 32 bytes of arena: whether an operation there has a newer one on its key. */
  #superseded: Uint8Array;
  /** Knows the first so many keys; made for the first reader. */
  #order: MemtableOrder | undefined;
  /** Views that may read this memtable after the tree has let go of it. */
  #readers = 0;

  constructor(options: MemtableOptions) {
    this.logNumber = options.logNumber;
    this.firstSequence = options.firstSequence;
    this.previous = options.previous;
    this.#hashSeed = options.hashSeed;
    this.#bytesMax = options.bytesMax;
    const { arena, index, keys } = options.buffers ?? newBuffers(options);
    this.#arena = new Uint8Array(arena);
    this.#words = new Int32Array(arena);
    this.#text = Buffer.from(arena);
    this.#index = index;
    this.#mask = index.length / 2 - 1;
    this.#keys = keys;
    this.#superseded = new Uint8Array((arena.byteLength >>> 8) + 1);
    writeFileHeader(this.#arena, 0, {
      magic: logMagic,
      number: options.logNumber,
      firstSequence: options.firstSequence,
      previousNumber: options.previous.number,
      previousEnd: options.previous.end,
    });
  }

  /** A memtable over the image of a log that has been read and verified up to `end`. */
  static adopt(
    options: Omit<MemtableOptions, "bytesMax" | "full" | "previous">,
    log: { readonly arena: Uint8Array; readonly end: number },
  ): Memtable {
    const memtable = new Memtable({
      ...options,
      previous: { number: 0, end: 0 },
      bytesMax: fileHeaderBytes,
      full: false,
      buffers: {
        arena: new SharedArrayBuffer(arenaBytesFor(0)),
        ...indexForLog(log.end),
      },
    });
    memtable.#useArena(log.arena.buffer as SharedArrayBuffer);
    memtable.#end = log.end;
    forEachOperation(log.arena, log.end, (at) => {
      memtable.#words[at >>> 2] = 0; // Chains that come from a disk could lead anywhere.
      memtable.index(at);
    });
    return memtable;
  }

  get arena(): Uint8Array {
    return this.#arena;
  }

  retain(): void {
    this.#readers += 1;
  }

  release(): void {
    this.#readers -= 1;
  }

  /** Its memory for a successor of full size; none while somebody reads it. The end of this one. */
  giveBuffers(): MemtableBuffers | undefined {
    if (this.#readers > 0) return undefined;
    return {
      arena: this.#arena.buffer as SharedArrayBuffer,
      index: this.#index.fill(0),
      keys: this.#keys,
    };
  }

  get end(): number {
    return this.#end;
  }

  get keyCount(): number {
    return this.#keyCount;
  }

  /** Whether a record with that many bytes of operations, and a seal behind it, still fits. */
  fits(bytes: number): boolean {
    const need = this.#end + bytes + 3 * recordHeaderBytes + 8;
    if (need <= this.#arena.length) return true;
    if (need > this.#bytesMax) return false;
    this.#growArena(need);
    return true;
  }

  /** Leaves room for a record's header; the operations of the record follow. */
  beginRecord(): number {
    const at = this.#end;
    assert(at % 8 === 0, "records begin at multiples of 8");
    this.#end = at + recordHeaderBytes;
    return at;
  }

  /** Pads the record to a multiple of 8 and returns the length of its payload. */
  endRecord(at: number): number {
    if (this.#end % 8 !== 0) {
      this.#words[this.#end >>> 2] = 0;
      this.#end += 4;
    }
    return this.#end - at - recordHeaderBytes;
  }

  /**
   * Encodes one operation behind the others and returns its offset; `index` makes it findable.
   * The caller has asked `fits` with at least `boundOf` of the same arguments.
   */
  encode(
    kind: number,
    key: string | Uint8Array,
    value: string | Uint8Array,
    expiry: number,
  ): number {
    const at = this.#end;
    let next = at + operationHeaderBytes;
    if (kind === kindExpiring) {
      writeU64(this.#arena, next, expiry);
      next += expiryBytes;
    }
    const keyLength = this.#put(key, next);
    const valueLength = this.#put(value, next + keyLength);
    const words = this.#words;
    const word = at >>> 2;
    words[word] = 0;
    words[word + 1] = (kind << 24) | keyLength;
    words[word + 2] = valueLength;
    next += keyLength + valueLength;
    while ((next & 3) !== 0) this.#arena[next++] = 0;
    this.#end = next;
    return at;
  }

  /** Copies one operation as it stands in another log. */
  copyOperation(source: Uint8Array, from: number, bytes: number): number {
    const at = this.#end;
    this.#arena.set(new Uint8Array(source.buffer, source.byteOffset + from, bytes), at);
    this.#words[at >>> 2] = 0;
    this.#end = at + bytes;
    return at;
  }

  /** Makes the operation at this offset the newest of its key; returns the offset behind it. */
  index(at: number): number {
    const words = this.#words;
    const kindAndKey = words[(at >>> 2) + 1]!;
    const kind = kindAndKey >>> 24;
    const keyLength = kindAndKey & keyLengthMask;
    const valueLength = words[(at >>> 2) + 2]!;
    const keyAt = keyOffset(at, kind);
    const hash = hash32(this.#arena, keyAt, keyLength, this.#hashSeed) | 0;
    const slot = this.#slotOf(this.#arena, keyAt, keyLength, hash);
    const newest = this.#index[slot]!;
    this.#index[slot] = at;
    if (newest !== 0) {
      words[at >>> 2] = newest;
      this.#superseded[newest >>> 8]! |= 1 << ((newest >>> 5) & 7);
    } else {
      this.#index[slot + 1] = hash;
      this.#keys[this.#keyCount++] = at;
      if (this.#keyCount === this.#keys.length) this.#growIndex();
    }
    return at + operationBytes(kind, keyLength, valueLength);
  }

  /**
   * The newest operation on a key below the offset `limit`. Fills `found` and returns true, also
   * for a tombstone.
   */
  find(key: Uint8Array, length: number, hash: number, limit: number, found: Found): boolean {
    if (limit <= 0) return false;
    let at = this.#index[this.#slotOf(key, 0, length, hash | 0)]!;
    while (at >= limit) at = this.#words[at >>> 2]!;
    if (at === 0) return false;
    this.describe(at, found);
    return true;
  }

  /** The version of the key of the operation at `first` that stands below `limit`, or 0. */
  newestOf(first: number, limit: number): number {
    if (first >= limit) return 0;
    // Written once, as most keys: without a look into the index a scan takes 80 ns, not 270.
    if ((this.#superseded[first >>> 8]! & (1 << ((first >>> 5) & 7))) === 0) return first;
    const kindAndKey = this.#words[(first >>> 2) + 1]!;
    const keyAt = keyOffset(first, kindAndKey >>> 24);
    const keyLength = kindAndKey & keyLengthMask;
    const hash = hash32(this.#arena, keyAt, keyLength, this.#hashSeed) | 0;
    let at = this.#index[this.#slotOf(this.#arena, keyAt, keyLength, hash)]!;
    while (at >= limit) at = this.#words[at >>> 2]!;
    return at;
  }

  /** The value part of the operation at this offset. */
  describe(at: number, found: Found): void {
    const word = at >>> 2;
    const kind = this.#words[word + 1]! >>> 24;
    const keyAt = keyOffset(at, kind);
    found.bytes = this.#arena;
    found.at = keyAt + (this.#words[word + 1]! & keyLengthMask);
    found.length = this.#words[word + 2]!;
    found.kind = kind;
    found.expiry = kind === kindExpiring ? readU64(this.#arena, at + operationHeaderBytes) : 0;
    found.sequence = this.firstSequence + at;
  }

  /**
   * The keys in order, with all of those that were written below the offset `limit`. It may be
   * kept: later keys can be told by their offsets.
   */
  order(limit: number): MemtableOrder {
    this.#order ??= new MemtableOrder(this.#arena, this.#words);
    while (!this.#isInOrder(this.#order, limit)) this.#orderMore(this.#order);
    return this.#order;
  }

  /** A slice of the work that `order` would do at once; true when nothing of it is left. */
  orderMore(limit: number): boolean {
    this.#order ??= new MemtableOrder(this.#arena, this.#words);
    if (!this.#isInOrder(this.#order, limit)) this.#orderMore(this.#order);
    return this.#isInOrder(this.#order, limit);
  }

  #isInOrder({ size }: MemtableOrder, limit: number): boolean {
    return size === this.#keyCount || this.#keys[size]! >= limit;
  }

  #orderMore(order: MemtableOrder): void {
    order.takeIn(this.#keys.subarray(0, this.#keyCount));
  }

  #put(input: string | Uint8Array, at: number): number {
    if (typeof input === "string") {
      const length = input.length;
      if (length <= 40) {
        const arena = this.#arena;
        let i = 0;
        for (; i < length; i++) {
          const unit = input.charCodeAt(i);
          if (unit > 0x7f) break;
          arena[at + i] = unit;
        }
        if (i === length) return length;
      }
      return this.#text.write(input, at, "utf8");
    }
    const length = input.length;
    if (length <= 24) {
      const arena = this.#arena;
      for (let i = 0; i < length; i++) arena[at + i] = input[i]!;
    } else {
      this.#arena.set(input, at);
    }
    return length;
  }

  /** The slot that holds this key, or the empty one where it belongs. */
  #slotOf(key: Uint8Array, keyAt: number, length: number, hash: number): number {
    const index = this.#index;
    const words = this.#words;
    const arena = this.#arena;
    const mask = this.#mask;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const slot = 2 * i;
      const at = index[slot]!;
      if (at === 0) return slot;
      if (index[slot + 1] !== hash) continue;
      const kindAndKey = words[(at >>> 2) + 1]!;
      if ((kindAndKey & keyLengthMask) !== length) continue;
      const otherAt = keyOffset(at, kindAndKey >>> 24);
      let k = 0;
      while (k < length && arena[otherAt + k] === key[keyAt + k]) k++;
      if (k === length) return slot;
    }
  }

  #growArena(need: number): void {
    const buffer = new SharedArrayBuffer(grownArena(this.#arena.length, need, this.#bytesMax));
    const arena = new Uint8Array(buffer);
    arena.set(new Uint8Array(this.#arena.buffer, 0, this.#end));
    this.#useArena(buffer);
  }

  #useArena(buffer: SharedArrayBuffer): void {
    const superseded = new Uint8Array((buffer.byteLength >>> 8) + 1);
    superseded.set(this.#superseded);
    this.#superseded = superseded;
    this.#arena = new Uint8Array(buffer);
    this.#words = new Int32Array(buffer);
    this.#text = Buffer.from(buffer);
    this.#order?.useArena(this.#arena, this.#words);
  }

  #growIndex(): void {
    const old = this.#index;
    const slots = grownSlots(this.#mask + 1, this.#bytesMax);
    const { index, keys } = indexOf(slots);
    const mask = slots - 1;
    for (let i = 0; i < old.length; i += 2) {
      const at = old[i]!;
      if (at === 0) continue;
      let slot = old[i + 1]! & mask;
      while (index[2 * slot] !== 0) slot = (slot + 1) & mask;
      index[2 * slot] = at;
      index[2 * slot + 1] = old[i + 1]!;
    }
    this.#index = index;
    this.#mask = mask;
    keys.set(this.#keys);
    this.#keys = keys;
  }
}
