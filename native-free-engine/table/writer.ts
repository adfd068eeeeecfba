/**
 * Writes one table from entries in order. The file gets its final name at once, is durable when
 * `finish` returns (its name is not: the job syncs the directory once), and is removed by
 * `abandon` when the job fails.
 */
import { assert } from "../base/assert.ts";
import { hash32 } from "../base/hash.ts";
import { keyBytesMax, valueBytesMax } from "../base/limits.ts";
import type { TableShape } from "../compaction/job.ts";
import { type Cursor, kindExpiring, kindTombstone } from "../cursor.ts";
import { type Disk, type DiskFile, writeFullySync } from "../disk/disk.ts";
import { BlockBuilder } from "./block-builder.ts";
import { deflate } from "./codec.ts";
import { buildFilter } from "./filter.ts";
import {
  codecDeflate,
  codecNone,
  dataBytesMax,
  footerBytes,
  sealBlock,
  trailerBytes,
} from "./format.ts";
import type { BuiltTable } from "./meta.ts";
import { metaOf, type Properties } from "./properties.ts";
import { encodeTail } from "./tail.ts";

/** Blocks are gathered to writes of about this size. */
const writeBytes = 256 << 10;
/** Per key in the tail: ten bits of filter, and a share of the index. */
const tailBytesPerKey = 2;

/** The part of a cursor that an entry is made of. */
export type WriterEntry = Pick<
  Cursor,
  | "bytes"
  | "prefixAt"
  | "prefixLength"
  | "suffixAt"
  | "suffixLength"
  | "valueAt"
  | "valueLength"
  | "kind"
  | "sequence"
  | "expiry"
>;

export class TableWriter {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #number: number;
  readonly #shape: TableShape;
  readonly #file: DiskFile;
  readonly #builder: BlockBuilder;
  readonly #key = new Uint8Array(keyBytesMax);
  #out = new Uint8Array(writeBytes);
  #outEnd = 0;
  /** Bytes in the file; `#out` follows them. */
  #written = 0;
  #hashes = new Int32Array(1024);
  readonly #offsets: number[] = [];
  readonly #firstKeys: Uint8Array[] = [];
  #keys = 0;
  #entries = 0;
  #tombstones = 0;
  #keyBytes = 0;
  #valueBytes = 0;
  #firstExpiry = 0;
  #deflatedBlocks = 0;
  #rawBytes = 0;
  #lastHash = 0;
  #lastSequence = 0;

  constructor(options: {
    readonly disk: Disk;
    readonly path: string;
    readonly number: number;
    readonly shape: TableShape;
  }) {
    this.#disk = options.disk;
    this.#path = options.path;
    this.#number = options.number;
    this.#shape = options.shape;
    this.#builder = new BlockBuilder(options.shape.blockBytes - trailerBytes);
    this.#file = options.disk.openSync(options.path, "create");
  }

  /** Bytes of the file if it were finished now, about. */
  get bytes(): number {
    const data = this.#written + this.#outEnd + this.#builder.bound;
    return data + tailBytesPerKey * this.#keys + footerBytes;
  }

  get blocks(): number {
    return this.#offsets.length;
  }

  get entries(): number {
    return this.#entries;
  }

  /**
   * Adds the next entry. Its key is copied; its value must stay as it is until its block is
   * written. All versions of a key come one after the other, newest first. Its sequence is 0
   * where no snapshot can tell; a block keeps sequences if one is not.
   */
  add(entry: WriterEntry): void {
    const { bytes, prefixAt, prefixLength, suffixAt, suffixLength } = entry;
    const { valueAt, valueLength, kind, sequence, expiry } = entry;
    const key = this.#key;
    for (let i = 0; i < prefixLength; i++) key[i] = bytes[prefixAt + i]!;
    for (let i = 0; i < suffixLength; i++) key[prefixLength + i] = bytes[suffixAt + i]!;
    const length = prefixLength + suffixLength;
    this.addParts(key, 0, length, bytes, valueAt, valueLength, kind, sequence, expiry);
  }

  addParts(
    key: Uint8Array,
    keyAt: number,
    keyLength: number,
    value: Uint8Array,
    valueAt: number,
    valueLength: number,
    kind: number,
    sequence: number,
    expiry: number,
  ): void {
    assert(keyLength <= keyBytesMax && valueLength <= valueBytesMax, "an entry is within limits");
    const builder = this.#builder;
    const shared = this.#entries === 0 ? 0 : builder.sharedWithLast(key, keyAt, keyLength);
    const side = this.#entries === 0 ? -1 : builder.compareLast(key, keyAt, keyLength, shared);
    if (side < 0) {
      this.#lastHash = hash32(key, keyAt, keyLength, this.#shape.hashSeed);
      this.#noteHash(this.#lastHash);
      if (!builder.fits(shared, keyLength, valueLength, kind, sequence)) this.#endBlock();
    } else {
      assert(side === 0, "keys of a table ascend");
      assert(sequence < this.#lastSequence, "versions of a key descend");
    }
    this.#lastSequence = sequence;
    const tag = this.#lastHash >>> 24;
    builder.add(
      key,
      keyAt,
      keyLength,
      shared,
      value,
      valueAt,
      valueLength,
      kind,
      sequence,
      expiry,
      tag,
    );
    this.#entries++;
    this.#keyBytes += keyLength;
    this.#valueBytes += valueLength;
    if (kind === kindTombstone) this.#tombstones++;
    if (kind === kindExpiring && (this.#firstExpiry === 0 || expiry < this.#firstExpiry)) {
      this.#firstExpiry = expiry;
    }
  }

  /** Writes the tail, syncs and closes. The sequences are those of the entries as they came. */
  finish(sequences: { readonly min: number; readonly max: number }): BuiltTable {
    assert(this.#entries > 0, "a table has entries");
    this.#endBlock();
    const tailAt = this.#written + this.#outEnd;
    const properties = this.#properties(sequences);
    const tail = encodeTail(tailAt, {
      number: this.#number,
      hashSeed: this.#shape.hashSeed,
      offsets: this.#offsets,
      firstKeys: this.#firstKeys,
      filter: buildFilter(this.#hashes, this.#keys, this.#shape.hashSeed),
      properties,
    });
    this.#flush();
    writeFullySync(this.#file, tail, 0, tail.length, tailAt);
    this.#file.syncSync();
    this.#file.closeSync();
    const file = { number: this.#number, bytes: tailAt + tail.length };
    return { ...metaOf(properties, file), tailAt, tail };
  }

  /** Closes and removes the file. Never throws: what stays behind is removed at the next open. */
  abandon(): void {
    try {
      this.#file.closeSync();
      this.#disk.removeSync(this.#path);
    } catch {
      // The file is named by no manifest, so opening the database deletes it.
    }
  }

  #properties(sequences: { readonly min: number; readonly max: number }): Properties {
    return {
      level: this.#shape.level ?? 0,
      entries: this.#entries,
      tombstones: this.#tombstones,
      keys: this.#keys,
      keyBytes: this.#keyBytes,
      valueBytes: this.#valueBytes,
      minSequence: sequences.min,
      maxSequence: sequences.max,
      firstExpiry: this.#firstExpiry,
      smallest: this.#firstKeys[0]!,
      largest: this.#builder.lastKey(),
      blocks: this.#offsets.length,
      deflatedBlocks: this.#deflatedBlocks,
      rawBytes: this.#rawBytes,
    };
  }

  #endBlock(): void {
    const builder = this.#builder;
    const bound = builder.bound + trailerBytes;
    if (this.#outEnd + bound > this.#out.length) this.#flush();
    if (bound > this.#out.length) this.#out = new Uint8Array(bound);
    const at = this.#outEnd;
    const offset = this.#written + at;
    this.#offsets.push(offset);
    this.#firstKeys.push(builder.firstKey());
    const rawBytes = builder.encode(this.#out, at) - at;
    this.#rawBytes += rawBytes;
    let codec = codecNone;
    let length = rawBytes;
    if (this.#shape.compression === "deflate") {
      const packed = deflate(this.#out, at, rawBytes);
      if (packed !== undefined) {
        this.#out.set(packed, at);
        codec = codecDeflate;
        length = packed.length;
        this.#deflatedBlocks++;
      }
    }
    this.#outEnd += sealBlock(this.#out, at, length, {
      codec,
      rawBytes,
      number: this.#number,
      offset,
    });
    assert(this.#written + this.#outEnd <= dataBytesMax, "a table stays below 4 GiB");
  }

  #flush(): void {
    writeFullySync(this.#file, this.#out, 0, this.#outEnd, this.#written);
    this.#written += this.#outEnd;
    this.#outEnd = 0;
  }

  #noteHash(hash: number): void {
    if (this.#keys === this.#hashes.length) {
      const grown = new Int32Array(2 * this.#hashes.length);
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    this.#hashes[this.#keys++] = hash;
  }
}
