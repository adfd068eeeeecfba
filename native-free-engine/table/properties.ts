/**
 * What a table says of itself, as JSON in its tail: enough to rebuild its line in a manifest.
 * Holds no time of the wall clock, so that equal inputs make equal files.
 */
import { tableVersion } from "./format.ts";
import type { TableMeta } from "./meta.ts";

export interface Properties {
  /** The level it was written for; it may have been moved down since. */
  readonly level: number;
  readonly entries: number;
  readonly tombstones: number;
  readonly keys: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly minSequence: number;
  readonly maxSequence: number;
  readonly firstExpiry: number;
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  readonly blocks: number;
  readonly deflatedBlocks: number;
  /** Bytes of the bodies before compression. */
  readonly rawBytes: number;
}

const numbers = [
  "level",
  "entries",
  "tombstones",
  "keys",
  "keyBytes",
  "valueBytes",
  "minSequence",
  "maxSequence",
  "firstExpiry",
  "blocks",
  "deflatedBlocks",
  "rawBytes",
] as const;

export function encodeProperties(properties: Properties): Uint8Array {
  const fields: Record<string, number | string> = { formatVersion: tableVersion };
  for (const name of numbers) fields[name] = properties[name];
  fields["smallest"] = base64(properties.smallest);
  fields["largest"] = base64(properties.largest);
  return new Uint8Array(Buffer.from(JSON.stringify(fields), "latin1"));
}

/** Says what is wrong, where something is. Unknown fields are ignored. */
export function decodeProperties(
  bytes: Uint8Array,
  at: number,
  length: number,
): Properties | string {
  let parsed: unknown;
  try {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
    parsed = JSON.parse(view.toString("latin1"));
  } catch {
    return "properties are not JSON";
  }
  if (typeof parsed !== "object" || parsed === null) return "properties are not an object";
  const fields = new Map<string, unknown>(Object.entries(parsed));
  for (const name of numbers) {
    const value = fields.get(name);
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      return `property ${name} is no count`;
  }
  const smallest = fields.get("smallest");
  const largest = fields.get("largest");
  if (typeof smallest !== "string" || typeof largest !== "string") return "a key bound is missing";
  const count = (name: (typeof numbers)[number]): number => fields.get(name) as number;
  return {
    level: count("level"),
    entries: count("entries"),
    tombstones: count("tombstones"),
    keys: count("keys"),
    keyBytes: count("keyBytes"),
    valueBytes: count("valueBytes"),
    minSequence: count("minSequence"),
    maxSequence: count("maxSequence"),
    firstExpiry: count("firstExpiry"),
    blocks: count("blocks"),
    deflatedBlocks: count("deflatedBlocks"),
    rawBytes: count("rawBytes"),
    smallest: new Uint8Array(Buffer.from(smallest, "base64")),
    largest: new Uint8Array(Buffer.from(largest, "base64")),
  };
}

/** The line of a manifest that such a table would have. */
export function metaOf(
  properties: Properties,
  file: { readonly number: number; readonly bytes: number },
): TableMeta {
  return {
    number: file.number,
    bytes: file.bytes,
    smallest: properties.smallest,
    largest: properties.largest,
    entries: properties.entries,
    tombstones: properties.tombstones,
    minSequence: properties.minSequence,
    maxSequence: properties.maxSequence,
    firstExpiry: properties.firstExpiry,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
