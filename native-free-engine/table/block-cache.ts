/**
 * Verified, decompressed blocks of all tables of one database, bounded in bytes. Memory comes in
 * chunks when it is first needed, because a program may open a thousand databases. A chunk is
 * tiled by extents of 512-byte units, each a block or free. A CLOCK hand goes round: an extent
 * read since it last passed stays where it is, others make room, so nothing is ever moved.
 *
 * A table keeps one slot per block: its position + 1, or 0 when the block is not here. A hit is
 * two array loads. Eviction resets the slot of the owner. Bytes hold until the next `insert`.
 */
import { assert } from "../base/assert.ts";
import { cacheBytesMax } from "../base/limits.ts";

const unitShift = 9;
const unitBytes = 1 << unitShift;
const chunkShift = 14;
const chunkUnits = 1 << chunkShift;
const unitMask = chunkUnits - 1;

/** The first chunks are smaller, so that a small database costs little; the rest are full. */
const firstChunkUnits = [(512 << 10) >>> unitShift, (2 << 20) >>> unitShift];

interface Chunk {
  readonly units: number;
  readonly bytes: Uint8Array;
  /** At the first unit of each extent: length << 1 | read since the hand passed. */
  readonly states: Int32Array;
  /** At the first unit of each extent: the slots of its table, undefined for a free extent. */
  readonly owners: (Int32Array | undefined)[];
  readonly blocks: Int32Array;
}

export class BlockCache {
  readonly bytesMax: number;
  /** Lookups that found their block here, and those that did not. */
  hits = 0;
  misses = 0;
  /** Lookups that a filter answered; here because all tables of a database share the cache. */
  filterSkips = 0;
  /** Units of each chunk there may be. */
  readonly #planned: readonly number[];
  readonly #chunks: Chunk[] = [];
  /** No longer block is taken: it would throw out too much. */
  readonly #blockBytesMax: number;
  #bytes = 0;
  #handChunk = 0;
  #handUnit = 0;
  #wrapped = false;

  constructor(bytesMax: number) {
    assert(bytesMax >= 0 && bytesMax <= cacheBytesMax, "offsets must stay small integers");
    this.bytesMax = bytesMax;
    this.#planned = planChunks(Math.floor(bytesMax / unitBytes));
    this.#blockBytesMax = Math.floor(Math.max(0, ...this.#planned) / 4) * unitBytes;
  }

  /** Bytes of memory that blocks take up. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether blocks still go in without pushing others out. */
  get hasRoom(): boolean {
    return !this.#wrapped && this.#planned.length > 0;
  }

  /** Where the block of a slot lies: its bytes, its offset in them, and its length. */
  bytesAt(slot: number): Uint8Array {
    return this.#chunks[(slot - 1) >>> chunkShift]!.bytes;
  }

  offsetAt(slot: number): number {
    return ((slot - 1) & unitMask) << unitShift;
  }

  /** The length; also marks the block as read, so that the hand spares it. */
  touch(slot: number): number {
    const states = this.#chunks[(slot - 1) >>> chunkShift]!.states;
    const unit = (slot - 1) & unitMask;
    const state = states[unit]!;
    if ((state & 1) === 0) states[unit] = state | 1;
    return state >>> 1;
  }

  /** Takes a copy of a block, unless it is too long; fills its slot. */
  insert(slots: Int32Array, block: number, source: Uint8Array, at: number, length: number): void {
    if (length > this.#blockBytesMax || length === 0 || slots[block] !== 0) return;
    const units = unitsOf(length);
    const unit = this.#makeRoom(units);
    const chunk = this.#chunks[this.#handChunk]!;
    const view = new Uint8Array(source.buffer, source.byteOffset + at, length);
    chunk.bytes.set(view, unit << unitShift);
    chunk.states[unit] = length << 1;
    chunk.owners[unit] = slots;
    chunk.blocks[unit] = block;
    slots[block] = ((this.#handChunk << chunkShift) | unit) + 1;
    this.#bytes += units * unitBytes;
  }

  /** Frees what a table has here. */
  forget(slots: Int32Array): void {
    for (const slot of slots) {
      if (slot === 0) continue;
      const chunk = this.#chunks[(slot - 1) >>> chunkShift]!;
      this.#evict(chunk, (slot - 1) & unitMask);
    }
  }

  /**
   * Makes `need` free units in the chunk under the hand, returns the first, and leaves the hand
   * behind them. Ends because each pass clears the marks it spares: the second finds none.
   */
  #makeRoom(need: number): number {
    for (;;) {
      if (this.#handChunk === this.#chunks.length) this.#addChunk();
      const chunk = this.#chunks[this.#handChunk]!;
      let from = this.#handUnit;
      let to = from;
      while (to < chunk.units && to - from < need) {
        const state = chunk.states[to]!;
        const next = to + unitsOf(state >>> 1);
        if ((state & 1) !== 0 && chunk.owners[to] !== undefined) {
          chunk.states[to] = state & ~1;
          from = next;
        }
        to = next;
      }
      if (to - from >= need) {
        this.#clear(chunk, from, to);
        if (to - from > need) free(chunk, from + need, to);
        this.#handUnit = from + need;
        return from;
      }
      this.#handUnit = 0;
      this.#handChunk = (this.#handChunk + 1) % this.#planned.length;
      if (this.#handChunk === 0) this.#wrapped = true;
    }
  }

  #clear(chunk: Chunk, from: number, to: number): void {
    for (let unit = from; unit < to; ) {
      const next = unit + unitsOf(chunk.states[unit]! >>> 1);
      if (chunk.owners[unit] !== undefined) this.#evict(chunk, unit);
      unit = next;
    }
  }

  #evict(chunk: Chunk, unit: number): void {
    chunk.owners[unit]![chunk.blocks[unit]!] = 0;
    chunk.owners[unit] = undefined;
    this.#bytes -= unitsOf(chunk.states[unit]! >>> 1) * unitBytes;
  }

  #addChunk(): void {
    const units = this.#planned[this.#chunks.length]!;
    const chunk: Chunk = {
      units,
      bytes: new Uint8Array(units * unitBytes),
      states: new Int32Array(units),
      owners: new Array<Int32Array | undefined>(units).fill(undefined),
      blocks: new Int32Array(units),
    };
    free(chunk, 0, units);
    this.#chunks.push(chunk);
  }
}

function planChunks(units: number): number[] {
  const planned: number[] = [];
  for (let left = units; left > 0; ) {
    const size = Math.min(left, firstChunkUnits[planned.length] ?? chunkUnits);
    planned.push(size);
    left -= size;
  }
  return planned;
}

/** Makes one free extent of these units. */
function free(chunk: Chunk, from: number, to: number): void {
  chunk.states[from] = ((to - from) << unitShift) << 1;
  chunk.owners[from] = undefined;
}

function unitsOf(length: number): number {
  return (length + unitBytes - 1) >>> unitShift;
}
