/** What stands in a table file: its tail, every block, and the entries up to a limit. */
import { readU32 } from "./base/bytes.ts";
import { placeSeed } from "./base/hash.ts";
import { isEngineError } from "./errors.ts";
import {
  type DescribedDamage,
  type DescribedEntry,
  describeEntry,
  type Shown,
  show,
} from "./inspect-entry.ts";
import { type Stretch, searchBlocks } from "./salvage-table.ts";
import { BlockColumns } from "./table/block-columns.ts";
import { inflate } from "./table/codec.ts";
import { blockDamage, codecNone, trailerBytes } from "./table/format.ts";
import type { Properties } from "./table/properties.ts";
import { decodeWholeTable, type Tail } from "./table/tail.ts";

export interface DescribedBlock {
  readonly offset: number;
  readonly bytes: number;
  readonly codec: "none" | "deflate";
  readonly entryCount: number;
}

export interface DescribedTable {
  readonly kind: "table";
  readonly file: string;
  readonly bytes: number;
  readonly number: number;
  readonly hashSeed?: number;
  readonly properties?: Omit<Properties, "smallest" | "largest"> & {
    readonly smallest: Shown;
    readonly largest: Shown;
  };
  readonly filter?: { readonly bits: number; readonly probes: number; readonly keys: number };
  readonly blockCount: number;
  readonly entryCount: number;
  readonly blocks: readonly DescribedBlock[];
  readonly entries: readonly DescribedEntry[];
  readonly damage: readonly DescribedDamage[];
  /** Whether there is more than the limit let through. */
  readonly isShortened: boolean;
}

export function describeTableFile(
  bytes: Uint8Array,
  file: { readonly name: string; readonly number: number },
  limit: number,
): DescribedTable {
  const { number } = file;
  const damage: DescribedDamage[] = [];
  const tail = tailOf(bytes, number, damage);
  const blocks: DescribedBlock[] = [];
  const entries: DescribedEntry[] = [];
  const columns = new BlockColumns();
  let blockCount = 0;
  let entryCount = 0;
  for (const { from, to, isBlock } of stretchesOf(bytes, number, tail)) {
    // What is left at the end is the tail, of which it was said what is wrong with it.
    if (!isBlock && to === bytes.length) continue;
    const what = isBlock
      ? blockDamage(bytes, from, to - from, placeSeed(number, from))
      : "no block";
    const body = what === undefined ? bodyOf(bytes, from, to - trailerBytes) : undefined;
    const wrong = body === undefined ? what : columns.decode(body, 0, body.length, 0);
    if (wrong !== undefined || body === undefined) {
      damage.push({ offset: from, what: wrong ?? "a block does not decompress" });
      continue;
    }
    blockCount += 1;
    entryCount += columns.n;
    const codec = bytes[to - trailerBytes] === codecNone ? "none" : "deflate";
    if (blocks.length < limit) {
      blocks.push({ offset: from, bytes: to - from, codec, entryCount: columns.n });
    }
    for (let i = 0; i < columns.n && entries.length < limit; i++) entries.push(entryOf(columns, i));
  }
  return {
    kind: "table",
    file: file.name,
    bytes: bytes.length,
    number,
    ...(tail === undefined ? {} : aboutTail(tail)),
    blockCount,
    entryCount,
    blocks,
    entries,
    damage,
    isShortened: entries.length < entryCount,
  };
}

function aboutTail({ hashSeed, properties, filter }: Tail) {
  const { smallest, largest, ...counts } = properties;
  const { bitCount: bits, probes, keys } = filter;
  return {
    hashSeed,
    properties: { ...counts, smallest: show(smallest, 256), largest: show(largest, 256) },
    filter: { bits, probes, keys },
  };
}

function tailOf(bytes: Uint8Array, number: number, damage: DescribedDamage[]): Tail | undefined {
  try {
    return decodeWholeTable(bytes, { number });
  } catch (error) {
    if (!isEngineError(error)) throw error;
    damage.push({ offset: error.place?.offset ?? 0, what: error.message });
    return undefined;
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
    yield { from: offsets[i]!, to: offsets[i + 1]!, isBlock: true };
  }
}

function bodyOf(bytes: Uint8Array, from: number, end: number): Uint8Array | undefined {
  if (bytes[end] === codecNone) return bytes.slice(from, end);
  return inflate(bytes, from, end - from, readU32(bytes, end + 1));
}

function entryOf(columns: BlockColumns, i: number): DescribedEntry {
  const { bytes, prefixAt, prefixLength } = columns;
  const suffixAt = columns.suffixAt[i]!;
  const suffix = bytes.subarray(suffixAt, suffixAt + columns.suffixLength[i]!);
  const valueAt = columns.valueAt[i]!;
  return describeEntry({
    kind: columns.kind[i]!,
    key: Buffer.concat([bytes.subarray(prefixAt, prefixAt + prefixLength), suffix]),
    value: bytes.subarray(valueAt, valueAt + columns.valueLength[i]!),
    expiry: columns.expiry[i]!,
    sequence: columns.sequence[i]!,
  });
}
