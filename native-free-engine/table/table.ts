/**
 * An open table: point lookups, cursors and checks over one immutable file. Its tail (index and
 * filter) is in memory as long as it is open; blocks come through the cache. Counted by its
 * users; the last one out closes the file, and removes it if it became obsolete.
 */
import type { Cursor } from "../cursor.ts";
import type { Disk, DiskFile } from "../disk/disk.ts";
import type { ReadPace } from "../disk/read-pace.ts";
import { corruption } from "../errors.ts";
import { tableName } from "../files.ts";
import { damaged, searchBlock } from "./block.ts";
import type { BlockCache } from "./block-cache.ts";
import { BlockReader } from "./block-reader.ts";
import { type Filter, mayContain } from "./filter.ts";
import { absent, type Found, needsDisk } from "./found.ts";
import type { BuiltTable, TableMeta } from "./meta.ts";
import { TableCursor, type TableCursorOptions } from "./table-cursor.ts";
import {
  decodeTail,
  openTableFile,
  readFailure,
  readTail,
  readTailSlowly,
  type Tail,
} from "./tail.ts";
import { verifyTable } from "./verify.ts";

export { absent, emptyFound, type Found, needsDisk, present } from "./found.ts";

export interface TableOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly meta: TableMeta;
  readonly hashSeed: number;
  readonly cache: BlockCache;
  /** Told how long reads take. */
  readonly pace?: ReadPace | undefined;
}

export class Table {
  readonly meta: TableMeta;
  /** Probed by `mayContain`; here for who keeps the filters of several tables in one place. */
  readonly filter: Filter;
  readonly #tail: Tail;
  readonly #reader: BlockReader;
  readonly #path: string;
  readonly #cache: BlockCache;
  readonly #bits: Uint8Array;
  readonly #bitCount: number;
  readonly #probes: number;

  private constructor(options: TableOptions, tail: Tail, reader: BlockReader) {
    this.meta = options.meta;
    this.filter = tail.filter;
    this.#tail = tail;
    this.#reader = reader;
    this.#path = options.path;
    this.#cache = options.cache;
    this.#bits = tail.filter.bits;
    this.#bitCount = tail.filter.bitCount;
    this.#probes = tail.filter.probes;
  }

  /** Opens a file, reads its tail and holds it against the manifest's line. */
  static open(options: TableOptions): Table {
    const { disk, path, meta, pace } = options;
    const file = openTableFile(disk, path, meta.number);
    const begun = pace?.begin() ?? 0;
    try {
      return Table.#over(options, readTail(file, meta), file);
    } catch (cause) {
      file.closeSync();
      throw readFailure(meta.number, 0, cause);
    } finally {
      pace?.end(begun);
    }
  }

  /** The same on a disk that is slow: the event loop goes on meanwhile. */
  static async openSlowly(options: TableOptions): Promise<Table> {
    const { disk, path, meta, pace } = options;
    const file = openTableFile(disk, path, meta.number);
    try {
      const read = () => readTailSlowly(file, meta);
      return Table.#over(options, await (pace === undefined ? read() : pace.timed(read)), file);
    } catch (cause) {
      file.closeSync();
      throw readFailure(meta.number, 0, cause);
    }
  }

  static #over(options: TableOptions, tail: Tail, file: DiskFile): Table {
    checkMeta(tail, options);
    return new Table(options, tail, new BlockReader(readerOptions(options), tail.offsets, file));
  }

  /** A table just built: its tail is at hand, and its file is opened by the first read. */
  static adopt(options: TableOptions & { readonly built: BuiltTable }): Table {
    const { meta, built } = options;
    const tail = decodeTail(built.tail, built.tailAt, { number: meta.number });
    checkMeta(tail, options);
    const reader = new BlockReader(readerOptions(options), tail.offsets, undefined);
    return new Table(options, tail, reader);
  }

  /**
   * The newest version of a key at or below `sequence`; `found` is filled when there is one, also
   * a tombstone. Answers `needsDisk` instead of reading unless `mayRead`.
   */
  find(
    key: Uint8Array,
    at: number,
    length: number,
    hash: number,
    sequence: number,
    found: Found,
    mayRead: boolean,
  ): number {
    if (!mayContain(this.#bits, this.#bitCount, this.#probes, hash)) {
      this.#cache.filterSkips++;
      return absent;
    }
    const block = this.#tail.index.floor(key, at, length);
    if (block < 0) return absent;
    const reader = this.#reader;
    if (!reader.use(block, mayRead)) return needsDisk;
    const { bytes, end } = reader;
    const answer = searchBlock(bytes, reader.at, end, key, at, length, hash, sequence, found);
    if (answer === damaged) throw reader.damage(block, "a block entry does not fit its block");
    return answer;
  }

  /** Like `find`, waiting for the disk. The key must not change meanwhile. */
  async findSlow(
    key: Uint8Array,
    at: number,
    length: number,
    hash: number,
    sequence: number,
    found: Found,
  ): Promise<number> {
    if (!mayContain(this.#bits, this.#bitCount, this.#probes, hash)) {
      this.#cache.filterSkips++;
      return absent;
    }
    const block = this.#tail.index.floor(key, at, length);
    if (block < 0) return absent;
    const reader = this.#reader;
    const body = reader.use(block, false) ? ownBody(reader) : await reader.load(block);
    const { bytes, end } = body;
    const answer = searchBlock(bytes, body.at, end, key, at, length, hash, sequence, found);
    if (answer === damaged) throw reader.damage(block, "a block entry does not fit its block");
    return answer;
  }

  /** False is certain. */
  mayContain(hash: number): boolean {
    return mayContain(this.#bits, this.#bitCount, this.#probes, hash);
  }

  /** Shows all versions. Holds the table open until it is closed. */
  cursor(options: TableCursorOptions): Cursor {
    return new TableCursor(this.#reader, this.#tail.index, options);
  }

  /** About where in the file a key is, or would be. */
  offsetOf(key: Uint8Array, at: number, length: number): number {
    const block = this.#tail.index.floor(key, at, length);
    return block < 0 ? 0 : this.#tail.offsets[block]!;
  }

  /** Reads and checks everything; throws corruption. */
  verify(): { entries: number } {
    const steps = this.verifySteps();
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** The same in steps of about 256 KiB. */
  verifySteps(): Generator<void, { entries: number }> {
    return verifyTable(this.#tail, this.#reader, this.meta.number);
  }

  retain(): void {
    this.#reader.retain();
  }

  release(): void {
    this.#reader.release();
  }

  /** Calls `remove` once nobody uses the table any more, and its file is closed. */
  markObsolete(remove: (path: string) => void): void {
    this.#reader.onClosed(() => remove(this.#path));
  }
}

/** `found` outlives the await of its caller, the cache entry may not. */
function ownBody(reader: BlockReader) {
  return { bytes: reader.bytes.slice(reader.at, reader.end), at: 0, end: reader.end - reader.at };
}

function readerOptions(options: TableOptions) {
  const { disk, path, meta, cache, pace } = options;
  return { disk, path, number: meta.number, cache, pace };
}

function checkMeta(tail: Tail, options: TableOptions): void {
  const { meta, hashSeed } = options;
  const refuse = (what: string) =>
    corruption({ file: tableName(meta.number), offset: tail.footerAt }, what);
  if (tail.hashSeed !== hashSeed) {
    throw refuse("the table belongs to another database (hash seed)");
  }
  if (tail.bytes !== meta.bytes) {
    const what = `the table has ${tail.bytes} bytes, not the ${meta.bytes} that were written`;
    throw refuse(what);
  }
  const { entries, maxSequence } = tail.properties;
  if (entries !== meta.entries || maxSequence !== meta.maxSequence) {
    throw refuse("the table is not the one that the manifest names");
  }
}
