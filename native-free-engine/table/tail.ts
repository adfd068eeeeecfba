/**
 * The tail of a table file, all that an open table keeps in memory: index, filter, properties
 * and footer, in one stretch that is read, checked and handed over as a whole.
 *
 * The index section is the offsets of the blocks (u32 each, one more for the end of the last),
 * then the first keys of the blocks (key-index.ts).
 */
import { readU32, writeU32 } from "../base/bytes.ts";
import { type Disk, type DiskFile, readFully, readFullySync } from "../disk/disk.ts";
import { corruption, EngineError, isEngineError } from "../errors.ts";
import { tableName } from "../files.ts";
import { type Filter, filterHeaderBytes, readFilter, writeFilter } from "./filter.ts";
import {
  checkSection,
  type Footer,
  footerBytes,
  readFooter,
  sectionOf,
  type TablePlace,
  trailerBytes,
  writeFooter,
} from "./format.ts";
import { encodeKeyIndex, KeyIndex } from "./key-index.ts";
import type { TableMeta } from "./meta.ts";
import { decodeProperties, encodeProperties, metaOf, type Properties } from "./properties.ts";

export interface Tail {
  readonly index: KeyIndex;
  /** Offset of each block, and the end of the last. */
  readonly offsets: Uint32Array;
  readonly filter: Filter;
  readonly properties: Properties;
  readonly hashSeed: number;
  /** Where in the file the footer stands. */
  readonly footerAt: number;
  /** Size of the file. */
  readonly bytes: number;
}

/** Encodes a tail that will stand at `tailAt` of its file, over a SharedArrayBuffer. */
export function encodeTail(
  tailAt: number,
  parts: {
    readonly number: number;
    readonly hashSeed: number;
    /** One per block. */
    readonly offsets: readonly number[];
    readonly firstKeys: readonly Uint8Array[];
    readonly filter: Filter;
    readonly properties: Properties;
  },
): Uint8Array {
  const { number, hashSeed, offsets, filter } = parts;
  const keys = encodeKeyIndex(parts.firstKeys);
  const properties = encodeProperties(parts.properties);
  const filterAt = 4 * (offsets.length + 1) + keys.length;
  const propertiesAt = filterAt + filterHeaderBytes + filter.bits.length;
  const footerAt = propertiesAt + properties.length;
  const tail = new Uint8Array(new SharedArrayBuffer(footerAt + footerBytes));
  offsets.forEach((offset, i) => {
    writeU32(tail, 4 * i, offset);
  });
  writeU32(tail, 4 * offsets.length, tailAt);
  tail.set(keys, 4 * (offsets.length + 1));
  writeFilter(tail, filterAt, filter);
  tail.set(properties, propertiesAt);
  const section = (from: number, to: number) =>
    sectionOf(tail, from, to, { number, offset: tailAt + from });
  const footer: Footer = {
    number,
    hashSeed,
    blocks: offsets.length,
    index: section(0, filterAt),
    filter: section(filterAt, propertiesAt),
    properties: section(propertiesAt, footerAt),
  };
  writeFooter(tail, footerAt, footer, tailAt + footerAt);
  return tail;
}

/** Checks and takes apart the bytes of a file from `tailAt` to its end. */
export function decodeTail(tail: Uint8Array, tailAt: number, place: TablePlace): Tail {
  const footerAt = tail.length - footerBytes;
  const footer = readFooter(tail, footerAt, place, tailAt + footerAt);
  const file = tableName(place.number);
  const refuse = (offset: number, what: string) => corruption({ file, offset }, what);
  if (footer.index.at !== tailAt) throw refuse(tailAt, "the index does not begin the tail");
  checkSection(tail, 0, footer.index, { place, name: "index" });
  const filterAt = footer.filter.at - tailAt;
  checkSection(tail, filterAt, footer.filter, { place, name: "filter" });
  const propertiesAt = footer.properties.at - tailAt;
  checkSection(tail, propertiesAt, footer.properties, { place, name: "properties" });

  const offsets = readOffsets(tail, footer);
  if (typeof offsets === "string") throw refuse(tailAt, offsets);
  const keysAt = 4 * offsets.length;
  const index = KeyIndex.read(tail, keysAt, footer.index.bytes - keysAt);
  if (typeof index === "string") throw refuse(tailAt, index);
  if (index.count !== footer.blocks) throw refuse(tailAt, "index and footer disagree on blocks");
  const filter = readFilter(tail, filterAt, footer.filter.bytes);
  if (typeof filter === "string") throw refuse(footer.filter.at, filter);
  const properties = decodeProperties(tail, propertiesAt, footer.properties.bytes);
  if (typeof properties === "string") throw refuse(footer.properties.at, properties);
  const bytes = tailAt + tail.length;
  const { hashSeed } = footer;
  return { index, offsets, filter, properties, hashSeed, footerAt: tailAt + footerAt, bytes };
}

/** Reads a table's tail and checks it; throws corruption, or what the disk says. */
export function readTail(file: DiskFile, place: TablePlace): Tail {
  const steps = tailSteps(file.bytesSync(), place);
  for (let got = 0; ; ) {
    const step = steps.next(got);
    if (step.done === true) return step.value;
    const { target, at } = step.value;
    got = readFullySync(file, target, 0, target.length, at);
  }
}

/** The same on a disk that is slow: the event loop goes on meanwhile. */
export async function readTailSlowly(file: DiskFile, place: TablePlace): Promise<Tail> {
  const steps = tailSteps(file.bytesSync(), place);
  for (let got = 0; ; ) {
    const step = steps.next(got);
    if (step.done === true) return step.value;
    const { target, at } = step.value;
    got = await readFully(file, target, target.length, at);
  }
}

/** Yields what is to be read, is told how many bytes came, and returns the tail. */
function* tailSteps(
  bytes: number,
  place: TablePlace,
): Generator<{ readonly target: Uint8Array; readonly at: number }, Tail, number> {
  const name = tableName(place.number);
  const footerAt = bytes - footerBytes;
  const end = new Uint8Array(footerBytes);
  if (footerAt < 0 || (yield { target: end, at: footerAt }) !== footerBytes) {
    throw corruption({ file: name, offset: 0 }, `no table has only ${bytes} bytes`);
  }
  const tailAt = readFooter(end, 0, place, footerAt).index.at;
  if (tailAt > footerAt) {
    throw corruption({ file: name, offset: footerAt }, "the index begins behind the footer");
  }
  const tail = new Uint8Array(bytes - tailAt);
  if ((yield { target: tail, at: tailAt }) !== tail.length) {
    throw corruption({ file: name, offset: tailAt }, "the file ends inside of the tail");
  }
  return decodeTail(tail, tailAt, place);
}

/** Takes apart the tail of a file that is in memory as a whole. */
export function decodeWholeTable(bytes: Uint8Array, place: TablePlace): Tail {
  const file = tableName(place.number);
  const footerAt = bytes.length - footerBytes;
  if (footerAt < 0)
    throw corruption({ file, offset: 0 }, `no table has only ${bytes.length} bytes`);
  const tailAt = readFooter(bytes, footerAt, place, footerAt).index.at;
  if (tailAt > footerAt) {
    throw corruption({ file, offset: footerAt }, "the index begins behind the footer");
  }
  return decodeTail(bytes.subarray(tailAt), tailAt, place);
}

/** Opens a table's file. One that is missing is damage: the manifest names it. */
export function openTableFile(disk: Disk, path: string, number: number): DiskFile {
  try {
    return disk.openSync(path, "read");
  } catch (cause) {
    if ((cause as { code?: unknown }).code === "ENOENT") {
      throw corruption({ file: tableName(number) }, "the table is missing");
    }
    throw readFailure(number, 0, cause);
  }
}

/** What a table file says of itself, without a manifest: for salvage and inspection. */
export function describeTable(options: {
  readonly disk: Disk;
  readonly path: string;
  readonly number: number;
}): { readonly meta: TableMeta; readonly hashSeed: number; readonly properties: Properties } {
  const file = openTableFile(options.disk, options.path, options.number);
  try {
    const { bytes, hashSeed, properties } = readTail(file, options);
    return { meta: metaOf(properties, { number: options.number, bytes }), hashSeed, properties };
  } catch (cause) {
    throw readFailure(options.number, 0, cause);
  } finally {
    file.closeSync();
  }
}

/** A failed read as the engine reports it; its own errors stay what they are. */
export function readFailure(number: number, offset: number, cause: unknown): EngineError {
  if (isEngineError(cause)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const file = tableName(number);
  const what = `cannot read ${file} at byte ${offset}: ${reason}`;
  return new EngineError("IO", what, { cause, applied: "no", place: { file, offset } });
}

function readOffsets(tail: Uint8Array, footer: Footer): Uint32Array | string {
  const { blocks, index } = footer;
  if (blocks === 0) return "a table without blocks";
  if (4 * (blocks + 1) > index.bytes) return `an index of ${blocks} blocks does not fit`;
  const offsets = new Uint32Array(blocks + 1);
  for (let i = 0; i <= blocks; i++) offsets[i] = readU32(tail, 4 * i);
  if (offsets[0] !== 0 || offsets[blocks] !== index.at) return "blocks do not fill the file";
  for (let i = 0; i < blocks; i++) {
    if (offsets[i + 1]! <= offsets[i]! + trailerBytes) return `block ${i} is too short`;
  }
  return offsets;
}
