/**
 * Reads a whole table and checks all that it claims: checksums, order of keys and versions, tags,
 * the index, the filter, and the counts of its properties. In steps, so that it can run in slices.
 */
import { compare } from "../base/bytes.ts";
import { hash32 } from "../base/hash.ts";
import { kindExpiring, kindTombstone } from "../cursor.ts";
import { corruption } from "../errors.ts";
import { tableName } from "../files.ts";
import { BlockColumns } from "./block-columns.ts";
import type { BlockReader } from "./block-reader.ts";
import { mayContain } from "./filter.ts";
import type { Tail } from "./tail.ts";

const stepBytes = 256 << 10;
const none = new Uint8Array(0);

/** What was counted, under the names that the properties have. */
interface Counts {
  entries: number;
  tombstones: number;
  keys: number;
  keyBytes: number;
  valueBytes: number;
  firstExpiry: number;
  rawBytes: number;
  deflatedBlocks: number;
  blocks: number;
}

/** Throws corruption at the first thing that is not right. Yields after each stretch of blocks. */
export function* verifyTable(
  tail: Tail,
  reader: BlockReader,
  number: number,
): Generator<void, { entries: number }> {
  const counts: Counts = {
    entries: 0,
    tombstones: 0,
    keys: 0,
    keyBytes: 0,
    valueBytes: 0,
    firstExpiry: 0,
    rawBytes: 0,
    deflatedBlocks: 0,
    blocks: 0,
  };
  const check = new TableCheck(tail, reader, counts);
  for (let first = 0; first < reader.count; ) {
    let end = first + 1;
    while (end < reader.count && reader.offsets[end + 1]! - reader.offsets[first]! <= stepBytes) {
      end++;
    }
    const run = reader.readRun(first, end);
    for (let block = first; block < end; block++) check.block(run, block);
    first = end;
    yield;
  }
  const { properties } = tail;
  // Each block was right by itself, so that what disagrees is what the properties say.
  const offset = tail.offsets.at(-1);
  const refuse = (what: string) =>
    corruption({ file: tableName(number), ...(offset === undefined ? {} : { offset }) }, what);
  for (const name of Object.keys(counts) as (keyof Counts)[]) {
    if (counts[name] === properties[name]) continue;
    throw refuse(`${counts[name]} ${name}, of which the properties say ${properties[name]}`);
  }
  if (tail.filter.keys !== counts.keys) throw refuse("the filter counts other keys");
  if (compare(tail.index.key(0), properties.smallest) !== 0) throw refuse("smallest key is wrong");
  if (compare(check.lastKey, properties.largest) !== 0) throw refuse("largest key is wrong");
  return { entries: counts.entries };
}

class TableCheck {
  lastKey: Uint8Array = none;
  readonly #tail: Tail;
  readonly #reader: BlockReader;
  readonly #counts: Counts;
  readonly #columns = new BlockColumns();
  #lastSequence = 0;

  constructor(tail: Tail, reader: BlockReader, counts: Counts) {
    this.#tail = tail;
    this.#reader = reader;
    this.#counts = counts;
  }

  block(run: Parameters<BlockReader["unpack"]>[0], block: number): void {
    const columns = this.#columns;
    const counts = this.#counts;
    const body = this.#reader.unpack(run, block);
    const what = columns.decode(body.bytes, body.at, body.end, 0);
    if (what !== undefined) throw this.#reader.damage(block, what);
    counts.blocks++;
    counts.rawBytes += body.end - body.at;
    if (body.bytes !== run.bytes) counts.deflatedBlocks++;
    for (let i = 0; i < columns.n; i++) {
      const key = keyOf(columns, i);
      if (i === 0 && compare(key, this.#tail.index.key(block)) !== 0) {
        throw this.#reader.damage(block, "the index names another first key");
      }
      const side = counts.entries === 0 ? 1 : compare(key, this.lastKey);
      const sequence = columns.sequence[i]!;
      if (side < 0) throw this.#reader.damage(block, `key ${i} is not in order`);
      if (side === 0 && (i === 0 || sequence >= this.#lastSequence)) {
        throw this.#reader.damage(block, `version ${i} is not in order`);
      }
      if (side > 0) counts.keys++;
      this.#checkHash(block, key, columns.tag(body.at, i));
      this.#count(columns, i, key.length);
      this.lastKey = key;
      this.#lastSequence = sequence;
    }
  }

  #checkHash(block: number, key: Uint8Array, tag: number): void {
    const { filter, hashSeed } = this.#tail;
    const hash = hash32(key, 0, key.length, hashSeed);
    if (tag !== hash >>> 24) throw this.#reader.damage(block, "a tag is not that of its key");
    if (!mayContain(filter.bits, filter.bitCount, filter.probes, hash)) {
      throw this.#reader.damage(block, "the filter denies a key that is here");
    }
  }

  #count(columns: BlockColumns, i: number, keyLength: number): void {
    const counts = this.#counts;
    const kind = columns.kind[i]!;
    const expiry = columns.expiry[i]!;
    counts.entries++;
    counts.keyBytes += keyLength;
    counts.valueBytes += columns.valueLength[i]!;
    if (kind === kindTombstone) counts.tombstones++;
    if (kind === kindExpiring && (counts.firstExpiry === 0 || expiry < counts.firstExpiry)) {
      counts.firstExpiry = expiry;
    }
  }
}

function keyOf(columns: BlockColumns, i: number): Uint8Array {
  const { bytes, prefixAt, prefixLength } = columns;
  const key = new Uint8Array(prefixLength + columns.suffixLength[i]!);
  const at = columns.suffixAt[i]!;
  for (let j = 0; j < prefixLength; j++) key[j] = bytes[prefixAt + j]!;
  for (let j = prefixLength; j < key.length; j++) key[j] = bytes[at + j - prefixLength]!;
  return key;
}
