/**
 * The frame of a table file: blocks with their trailers, then the tail (index, filter,
 * properties, footer), end to end without a gap. Layout: FORMAT.md.
 *
 * Invariant: every byte of the file lies under exactly one checksum, whose seed names file and
 * offset. The footer has one size for all versions to come, and is checked before its version is
 * believed, so that a flipped bit is damage and never "too new".
 */
import { readU32, readU64, writeU32, writeU64 } from "../base/bytes.ts";
import { checksum, placeSeed } from "../base/hash.ts";
import { corruption, EngineError } from "../errors.ts";
import { tableName } from "../files.ts";

export const tableMagic = "EVRWTSST";
export const tableVersion = 1;
/** Codec, raw length and checksum behind the stored bytes of each block. */
export const trailerBytes = 9;
export const footerBytes = 80;

/** How the bytes of a block are stored. */
export const codecNone = 0;
export const codecDeflate = 1;

/** No raw block may be longer: offsets into it must stay small integers. */
export const rawBytesMax = 2 ** 31 - 1;
/** Deflate never shrinks further than this, which bounds what a length may claim. */
const inflationMax = 1032;
/** Offsets of blocks are u32 in the index. */
export const dataBytesMax = 2 ** 32 - 1;

/** A stretch of the tail, and the checksum over it. */
export interface Section {
  readonly at: number;
  readonly bytes: number;
  readonly checksum: number;
}

export interface Footer {
  readonly number: number;
  readonly hashSeed: number;
  readonly blocks: number;
  readonly index: Section;
  readonly filter: Section;
  readonly properties: Section;
}

/** Which file the bytes come from: the number is that of its name. */
export interface TablePlace {
  readonly number: number;
}

/** Writes the trailer behind `length` stored bytes; returns the bytes of the whole. */
export function sealBlock(
  bytes: Uint8Array,
  at: number,
  length: number,
  block: { codec: number; rawBytes: number; number: number; offset: number },
): number {
  const end = at + length;
  bytes[end] = block.codec;
  writeU32(bytes, end + 1, block.rawBytes);
  const seed = placeSeed(block.number, block.offset);
  writeU32(bytes, end + 5, checksum(bytes, at, length + 5, seed));
  return length + trailerBytes;
}

/** What is wrong with a block of `length` bytes, trailer included; undefined when nothing is. */
export function blockDamage(
  bytes: Uint8Array,
  at: number,
  length: number,
  seed: number,
): string | undefined {
  const end = at + length - trailerBytes;
  if (length <= trailerBytes) return `a block of ${length} bytes is too short`;
  const found = checksum(bytes, at, length - 4, seed);
  if (found !== readU32(bytes, end + 5)) return "block checksum does not match";
  const codec = bytes[end]!;
  const raw = readU32(bytes, end + 1);
  const stored = length - trailerBytes;
  if (codec === codecNone) return raw === stored ? undefined : `raw length ${raw} is not ${stored}`;
  if (codec !== codecDeflate) return `unknown codec ${codec}`;
  const believable = raw > 0 && raw <= rawBytesMax && raw <= stored * inflationMax;
  return believable ? undefined : `raw length ${raw} cannot come from ${stored} bytes`;
}

export function sectionOf(
  bytes: Uint8Array,
  from: number,
  to: number,
  place: { number: number; offset: number },
): Section {
  const seed = placeSeed(place.number, place.offset);
  return { at: place.offset, bytes: to - from, checksum: checksum(bytes, from, to - from, seed) };
}

/** `offset` is where in the file the footer stands; another `version` is for tests only. */
export function writeFooter(
  bytes: Uint8Array,
  at: number,
  footer: Footer,
  offset: number,
  version = tableVersion,
): void {
  writeU64(bytes, at, footer.number);
  writeU32(bytes, at + 8, footer.hashSeed);
  writeU32(bytes, at + 12, footer.blocks);
  writeSection(bytes, at + 16, footer.index);
  writeSection(bytes, at + 32, footer.filter);
  writeSection(bytes, at + 48, footer.properties);
  writeU32(bytes, at + 64, version);
  for (let i = 0; i < 8; i++) bytes[at + 68 + i] = tableMagic.charCodeAt(i);
  const seed = placeSeed(footer.number, offset);
  writeU32(bytes, at + 76, checksum(bytes, at, 76, seed));
}

/** Reads the footer that stands at `offset` of the file, or throws what is wrong with it. */
export function readFooter(
  bytes: Uint8Array,
  at: number,
  place: TablePlace,
  offset: number,
): Footer {
  const where = { file: tableName(place.number), offset };
  for (let i = 0; i < 8; i++) {
    if (bytes[at + 68 + i] !== tableMagic.charCodeAt(i)) {
      throw corruption(where, `the table does not end with ${tableMagic}`);
    }
  }
  const seed = placeSeed(place.number, offset);
  if (readU32(bytes, at + 76) !== checksum(bytes, at, 76, seed)) {
    throw corruption(where, "footer checksum does not match");
  }
  const version = readU32(bytes, at + 64);
  if (version > tableVersion) {
    const what = `${where.file}: table format ${version} is newer than ${tableVersion}`;
    throw new EngineError("FORMAT_TOO_NEW", what, { place: where });
  }
  const footer: Footer = {
    number: readU64(bytes, at),
    hashSeed: readU32(bytes, at + 8),
    blocks: readU32(bytes, at + 12),
    index: readSection(bytes, at + 16),
    filter: readSection(bytes, at + 32),
    properties: readSection(bytes, at + 48),
  };
  if (footer.number !== place.number) {
    throw corruption(where, `the footer names table ${footer.number}`);
  }
  const { index, filter, properties } = footer;
  if (
    index.at + index.bytes !== filter.at ||
    filter.at + filter.bytes !== properties.at ||
    properties.at + properties.bytes !== offset
  ) {
    throw corruption(where, "the parts of the tail do not lie end to end");
  }
  return footer;
}

/** Throws unless the bytes of a section, which begin at `at`, are what was written. */
export function checkSection(
  bytes: Uint8Array,
  at: number,
  section: Section,
  what: { place: TablePlace; name: string },
): void {
  const seed = placeSeed(what.place.number, section.at);
  if (checksum(bytes, at, section.bytes, seed) === section.checksum) return;
  const where = { file: tableName(what.place.number), offset: section.at };
  throw corruption(where, `${what.name} checksum does not match`);
}

function writeSection(bytes: Uint8Array, at: number, section: Section): void {
  writeU64(bytes, at, section.at);
  writeU32(bytes, at + 8, section.bytes);
  writeU32(bytes, at + 12, section.checksum);
}

function readSection(bytes: Uint8Array, at: number): Section {
  return {
    at: readU64(bytes, at),
    bytes: readU32(bytes, at + 8),
    checksum: readU32(bytes, at + 12),
  };
}
