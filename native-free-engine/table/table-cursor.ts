/**
 * A cursor over one table, for scans and merges. It decodes a block at a time into columns and
 * reads ahead: one block after a seek (through the cache), then 2, 4 and so on up to 128 KiB a
 * read, past the cache. All bytes it shows are in buffers that are written once, so values may be
 * kept as views; but for a merge, which says when it needs them no longer (run-buffers.ts).
 */
import { atEnd, atEntry, blocked, type Cursor } from "../cursor.ts";
import { BlockColumns } from "./block-columns.ts";
import type { BlockReader, Body, Run } from "./block-reader.ts";
import type { KeyIndex } from "./key-index.ts";
import { freshBytes, type RunBuffers } from "./run-buffers.ts";

const readAheadBytes = 128 << 10;
/**
 * Copies of cached blocks are gathered in buffers of this size, which all cursors share, and the
 * columns of a closed cursor serve the next one: with its own of each, a scan of 10 entries took
 * 20 us instead of 14.
 */
const slabBytes = 64 << 10;
let slab: Uint8Array = new Uint8Array(0);
let slabEnd = 0;
const spareColumns: BlockColumns[] = [];
const spareColumnsMax = 256;
/** Stands for the columns of a cursor that has not decoded a block. */
const noColumns = new BlockColumns();
/** More blocks than this are never in one read. */
const aheadMax = 1 << 16;

/** Where in the block that is entered the cursor goes. */
type Target = "first" | "last" | "seek" | "below" | "belowOrEqual";

export interface TableCursorOptions {
  /** All keys that will be compared share this many leading bytes. */
  readonly skip: number;
  /** Whether a read may block the event loop now. */
  readonly mayRead: () => boolean;
  /** Where buffers of runs come from and go to; without it each run has one of its own. */
  readonly buffers?: RunBuffers | undefined;
}

export class TableCursor implements Cursor {
  state = atEnd;
  bytes: Uint8Array = new Uint8Array(0);
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
  readonly #reader: BlockReader;
  readonly #index: KeyIndex;
  readonly #skip: number;
  readonly #mayRead: () => boolean;
  readonly #buffers: RunBuffers | undefined;
  #columns = noColumns;
  #i = 0;
  /** The block in the columns, -1 for none. */
  #block = -1;
  #run: Run | undefined;
  /** Blocks to read next time. */
  #ahead = 1;
  /** The move that is under way or blocked. */
  #goal = 0;
  #target: Target = "first";
  #key: Uint8Array = new Uint8Array(0);
  #keyAt = 0;
  #keyLength = 0;
  #closed = false;

  constructor(reader: BlockReader, index: KeyIndex, options: TableCursorOptions) {
    this.#reader = reader;
    this.#index = index;
    this.#skip = options.skip;
    this.#mayRead = options.mayRead;
    this.#buffers = options.buffers;
    reader.retain();
  }

  first(): void {
    this.#jump(0, "first");
  }

  last(): void {
    this.#jump(this.#reader.count - 1, "last");
  }

  seek(key: Uint8Array, at: number, length: number): void {
    this.#note(key, at, length);
    this.#jump(Math.max(0, this.#index.floor(key, at, length)), "seek");
  }

  seekBelow(key: Uint8Array, at: number, length: number, orEqual: boolean): void {
    this.#note(key, at, length);
    this.#jump(this.#index.floor(key, at, length), orEqual ? "belowOrEqual" : "below");
  }

  next(): void {
    if (this.state !== atEntry) return;
    const i = this.#i + 1;
    if (i < this.#columns.n) {
      this.#show(i);
    } else {
      this.#go(this.#block + 1, "first");
    }
  }

  previous(): void {
    if (this.state !== atEntry) return;
    const i = this.#i - 1;
    if (i >= 0) {
      this.#show(i);
    } else {
      this.#go(this.#block - 1, "last");
    }
  }

  async load(): Promise<void> {
    while (this.state === blocked && !this.#closed) {
      const block = this.#goal;
      if (this.#ahead === 1) {
        const body = await this.#reader.load(block);
        if (!this.#closed) this.#decode(block, body);
      } else {
        const { first, end } = this.#stretch(block);
        const run = await this.#reader.loadRun(first, end);
        if (!this.#closed) this.#keepRun(run);
      }
      this.#ahead = Math.min(2 * this.#ahead, aheadMax);
      this.#go(block, this.#target);
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.state = atEnd;
    this.#keepRun(undefined);
    this.#dropColumns();
    this.#reader.release();
  }

  #note(key: Uint8Array, at: number, length: number): void {
    this.#key = key;
    this.#keyAt = at;
    this.#keyLength = length;
  }

  /** A move to anywhere: what was read ahead says nothing of what comes. */
  #jump(block: number, target: Target): void {
    this.#ahead = 1;
    this.#go(block, target);
  }

  #go(from: number, to: Target): void {
    let block = from;
    let target = to;
    while (!this.#closed && block >= 0 && block < this.#reader.count) {
      this.#goal = block;
      this.#target = target;
      if (!this.#enter(block)) {
        this.#wait();
        return;
      }
      const i = this.#place(target);
      if (i >= 0 && i < this.#columns.n) {
        this.#show(i);
        return;
      }
      block += i < 0 ? -1 : 1;
      target = i < 0 ? "last" : "first";
    }
    this.state = atEnd;
  }

  /** Keeps what the move needs until `load`: the caller may reuse the buffer of its key. */
  #wait(): void {
    this.state = blocked;
    if (this.#target === "first" || this.#target === "last") return;
    const at = this.#keyAt;
    this.#note(this.#key.slice(at, at + this.#keyLength), 0, this.#keyLength);
  }

  /** Where in the block the target is; -1 or n when it is in a neighbour. */
  #place(target: Target): number {
    const columns = this.#columns;
    if (target === "first") return 0;
    if (target === "last") return columns.n - 1;
    const order = target === "belowOrEqual" ? 1 : 0;
    const bound = columns.lowerBound(this.#key, this.#keyAt, this.#keyLength, order);
    return target === "seek" ? bound : bound - 1;
  }

  /** Decodes a block; false when its bytes must be waited for. */
  #enter(block: number): boolean {
    if (block === this.#block) return true;
    const reader = this.#reader;
    const run = this.#run;
    if (run !== undefined && block >= run.first && block < run.end) {
      this.#decode(block, reader.unpack(run, block));
      return true;
    }
    if (reader.use(block, false)) {
      this.#decode(block, this.#own(reader));
      return true;
    }
    if (!this.#mayRead()) return false;
    if (this.#ahead === 1) {
      reader.use(block, true);
      this.#decode(block, this.#own(reader));
    } else {
      const { first, end } = this.#stretch(block);
      const read = reader.readRun(first, end, this.#buffers);
      this.#keepRun(read);
      this.#decode(block, reader.unpack(read, block));
    }
    this.#ahead = Math.min(2 * this.#ahead, aheadMax);
    return true;
  }

  #decode(block: number, body: Body): void {
    this.#block = -1;
    if (this.#columns === noColumns) this.#columns = spareColumns.pop() ?? new BlockColumns();
    const what = this.#columns.decode(body.bytes, body.at, body.end, this.#skip);
    if (what !== undefined) throw this.#reader.damage(block, what);
    this.#block = block;
  }

  /** A private copy of a body that stands in the cache. */
  #own(body: Body): Body {
    const length = body.end - body.at;
    if (slabEnd + length > slab.length) {
      slab = freshBytes(Math.max(length, slabBytes));
      slabEnd = 0;
    }
    const at = slabEnd;
    slab.set(new Uint8Array(body.bytes.buffer, body.bytes.byteOffset + body.at, length), at);
    slabEnd = at + length;
    return { bytes: slab, at, end: at + length };
  }

  #keepRun(run: Run | undefined): void {
    if (this.#run !== undefined) this.#buffers?.rest(this.#run.bytes);
    this.#run = run;
  }

  #dropColumns(): void {
    const columns = this.#columns;
    if (columns === noColumns) return;
    this.#columns = noColumns;
    this.#block = -1;
    columns.clear();
    if (columns.isSmall && spareColumns.length < spareColumnsMax) spareColumns.push(columns);
  }

  /** The blocks to read together with this one, in the direction of the move. */
  #stretch(block: number): { readonly first: number; readonly end: number } {
    const reader = this.#reader;
    const { offsets } = reader;
    let first = block;
    let end = block + 1;
    if (this.#target === "last") {
      const from = offsets[end]! - readAheadBytes;
      while (end - first < this.#ahead && first > 0 && offsets[first - 1]! >= from) {
        if (reader.isCached(first - 1)) break;
        first--;
      }
    } else {
      const to = offsets[first]! + readAheadBytes;
      while (end - first < this.#ahead && end < reader.count && offsets[end + 1]! <= to) {
        if (reader.isCached(end)) break;
        end++;
      }
    }
    return { first, end };
  }

  #show(i: number): void {
    const columns = this.#columns;
    this.#i = i;
    this.bytes = columns.bytes;
    this.prefixAt = columns.prefixAt;
    this.prefixLength = columns.prefixLength;
    this.suffixAt = columns.suffixAt[i]!;
    this.suffixLength = columns.suffixLength[i]!;
    this.valueAt = columns.valueAt[i]!;
    this.valueLength = columns.valueLength[i]!;
    this.kind = columns.kind[i]!;
    this.sequence = columns.sequence[i]!;
    this.expiry = columns.expiry[i]!;
    this.head = columns.head[i]!;
    this.state = atEntry;
  }
}
