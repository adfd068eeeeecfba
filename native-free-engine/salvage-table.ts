/**
 * What can still be read of a damaged table, written into a new one. With the index, each block
 * that passes its checksum; without it, the file is searched for blocks: the trailer of one that is
 * not compressed says where it begins, and one that is compressed can be found where the one
 * before it ends.
 */
import { compare, readU32 } from "./base/bytes.ts";
import { placeSeed } from "./base/hash.ts";
import type { TableShape } from "./compaction/job.ts";
import { type Disk, readWhole } from "./disk/disk.ts";
import { isEngineError } from "./errors.ts";
import { pathIn, tableName } from "./files.ts";
import { BlockColumns } from "./table/block-columns.ts";
import { inflate } from "./table/codec.ts";
import { blockDamage, codecDeflate, codecNone, trailerBytes } from "./table/format.ts";
import type { BuiltTable } from "./table/meta.ts";
import { decodeWholeTable, type Tail } from "./table/tail.ts";
import { TableWriter } from "./table/writer.ts";

/** A stretch of a file that could not be read. */
export interface LostStretch {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface CopiedTable {
  /** Undefined where nothing was readable. */
  readonly built: BuiltTable | undefined;
  readonly lost: readonly LostStretch[];
}

/** A block as stored, trailer included, or bytes that are none. */
export type Stretch = { readonly from: number; readonly to: number; readonly isBlock: boolean };

/** Copies what is readable of table `number` into table `target`. */
export function copyReadable(
  disk: Disk,
  directory: string,
  job: {
    readonly number: number;
    readonly target: number;
    readonly shape: TableShape;
    /** Of the entries as they came, where somebody knows. */
    readonly sequences: { readonly min: number; readonly max: number } | undefined;
    /** How long the file was, where somebody knows. */
    readonly bytes: number;
  },
): CopiedTable {
  const { number, target, shape } = job;
  const { bytes, tail } = readTable(disk, directory, number);
  const sequences = job.sequences ?? {
    min: tail?.properties.minSequence ?? 0,
    max: tail?.properties.maxSequence ?? 0,
  };
  const path = pathIn(directory, tableName(target));
  const writer = new TableWriter({ disk, path, number: target, shape });
  const lost: LostStretch[] = [];
  try {
    const copy = new BlockCopy(writer, bytes);
    for (const { from, to, isBlock } of stretchesOf(bytes, number, tail)) {
      if (isBlock && copy.block(from, to)) continue;
      lost.push({ file: tableName(number), offset: from, bytes: to - from });
    }
    if (tail === undefined && job.bytes > bytes.length) {
      const offset = bytes.length;
      lost.push({ file: tableName(number), offset, bytes: job.bytes - offset });
    }
    if (writer.entries > 0) return { built: writer.finish(sequences), lost };
  } catch (error) {
    writer.abandon();
    throw error;
  }
  writer.abandon();
  return { built: undefined, lost };
}

function readTable(
  disk: Disk,
  directory: string,
  number: number,
): { readonly bytes: Uint8Array; readonly tail: Tail | undefined } {
  const bytes = readWhole(disk, pathIn(directory, tableName(number)));
  return { bytes, tail: tailOf(() => decodeWholeTable(bytes, { number })) };
}

function tailOf(read: () => Tail): Tail | undefined {
  try {
    return read();
  } catch (error) {
    if (isEngineError(error, "CORRUPTION")) return undefined;
    throw error;
  }
}

function* stretchesOf(
  bytes: Uint8Array,
  number: number,
  tail: Tail | undefined,
): Generator<Stretch> {
  if (tail === undefined) {
    yield* searchBlocks(bytes, number);
    return;
  }
  const { offsets } = tail;
  for (let i = 0; i + 1 < offsets.length; i++) {
    const from = offsets[i]!;
    const to = offsets[i + 1]!;
    const what = blockDamage(bytes, from, to - from, placeSeed(number, from));
    yield { from, to, isBlock: what === undefined };
  }
}

/** Finds blocks by their trailers. What stands behind the last one is the tail, and maybe more. */
export function* searchBlocks(bytes: Uint8Array, number: number): Generator<Stretch> {
  let start = 0;
  for (let end = 1; end + trailerBytes <= bytes.length; end++) {
    const codec = bytes[end]!;
    if (codec !== codecNone && codec !== codecDeflate) continue;
    const from = codec === codecNone ? end - readU32(bytes, end + 1) : start;
    const to = end + trailerBytes;
    if (from < start || from >= end) continue;
    if (blockDamage(bytes, from, to - from, placeSeed(number, from)) !== undefined) continue;
    if (from > start) yield { from: start, to: from, isBlock: false };
    yield { from, to, isBlock: true };
    start = to;
    end = to;
  }
  if (start < bytes.length) yield { from: start, to: bytes.length, isBlock: false };
}

/** Takes blocks in order of their offsets, as long as their keys ascend. */
class BlockCopy {
  readonly #writer: TableWriter;
  readonly #bytes: Uint8Array;
  readonly #columns = new BlockColumns();
  #last: Uint8Array | undefined;

  constructor(writer: TableWriter, bytes: Uint8Array) {
    this.#writer = writer;
    this.#bytes = bytes;
  }

  /** False where the block makes no sense although its checksum is right. */
  block(from: number, to: number): boolean {
    const body = this.#bodyOf(from, to - trailerBytes);
    const columns = this.#columns;
    if (body === undefined || columns.decode(body, 0, body.length, 0) !== undefined) return false;
    const keys = Array.from({ length: columns.n }, (_, i) => this.#key(i));
    if (!this.#ascend(keys)) return false;
    for (const [i, key] of keys.entries()) {
      const { valueAt, valueLength, kind, sequence, expiry } = columns;
      this.#writer.addParts(
        key,
        0,
        key.length,
        body,
        valueAt[i]!,
        valueLength[i]!,
        kind[i]!,
        sequence[i]!,
        expiry[i]!,
      );
    }
    this.#last = keys.at(-1);
    return true;
  }

  #bodyOf(from: number, end: number): Uint8Array | undefined {
    if (this.#bytes[end] === codecNone) return this.#bytes.slice(from, end);
    return inflate(this.#bytes, from, end - from, readU32(this.#bytes, end + 1));
  }

  #key(i: number): Uint8Array {
    const { bytes, prefixAt, prefixLength } = this.#columns;
    const suffixAt = this.#columns.suffixAt[i]!;
    const suffixEnd = suffixAt + this.#columns.suffixLength[i]!;
    const key = new Uint8Array(prefixLength + suffixEnd - suffixAt);
    key.set(bytes.subarray(prefixAt, prefixAt + prefixLength));
    key.set(bytes.subarray(suffixAt, suffixEnd), prefixLength);
    return key;
  }

  #ascend(keys: readonly Uint8Array[]): boolean {
    let before = this.#last;
    for (const [i, key] of keys.entries()) {
      const side = before === undefined ? -1 : compare(before, key);
      const { sequence } = this.#columns;
      if (side > 0 || (side === 0 && (i === 0 || sequence[i]! >= sequence[i - 1]!))) return false;
      before = key;
    }
    return true;
  }
}
