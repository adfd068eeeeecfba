/**
 * The payloads of manifest records: JSON, checked field by field before anything is believed. Keys
 * are base64. Unknown fields are ignored, unless a record lists them under "must": those change
 * what the rest means, and a reader that does not know them must not go on.
 */
import { levelCount } from "./base/limits.ts";
import type { SealedLog } from "./log/replay.ts";
import type { ManifestState } from "./manifest.ts";
import type { TableMeta } from "./table/meta.ts";
import { type AddedTable, type Edit, emptyVersion, type RemovedTable, tryEdit } from "./version.ts";

const comparator = "bytewise";
const tableNumbers = [
  "number",
  "bytes",
  "entries",
  "tombstones",
  "minSequence",
  "maxSequence",
  "firstExpiry",
] as const;

export function encodeState(state: ManifestState): string {
  const added = state.version.levels.flatMap((tables, level) =>
    tables.map((table) => ({ level, table })),
  );
  return JSON.stringify({
    comparator,
    databaseId: state.databaseId,
    hashSeed: state.hashSeed,
    nextFile: state.nextFile,
    lastSequence: state.lastSequence,
    logNumber: state.logNumber,
    sealedLogs: state.sealedLogs,
    added: added.map(encodeAdded),
  });
}

export function encodeEdit(edit: Edit): string {
  const { added, removed, ...numbers } = edit;
  return JSON.stringify({ ...numbers, added: added.map(encodeAdded), removed });
}

/** The state, or what is wrong with its text. */
export function decodeState(json: string): ManifestState | string {
  const fields = parse(json);
  if (typeof fields === "string") return fields;
  if (fields.get("comparator") !== comparator) return `the comparator is not ${comparator}`;
  const databaseId = fields.get("databaseId");
  if (typeof databaseId !== "string" || !/^[0-9a-f]{32}$/.test(databaseId)) {
    return "databaseId is not 32 hexadecimal digits";
  }
  const hashSeed = fields.get("hashSeed");
  if (!isCount(hashSeed) || hashSeed > 0xffffffff) return "hashSeed is not 32 bits";
  const edit = readEdit(fields);
  if (typeof edit === "string") return edit;
  const { nextFile, lastSequence, logNumber, sealedLogs } = edit;
  if (nextFile === undefined || lastSequence === undefined || logNumber === undefined) {
    return "nextFile, lastSequence or logNumber is missing";
  }
  const edited = tryEdit(emptyVersion, edit);
  if (edited.kind === "refused") return edited.what;
  const { version } = edited;
  const sealed = sealedLogs ?? [];
  return { databaseId, hashSeed, version, nextFile, lastSequence, logNumber, sealedLogs: sealed };
}

/** The edit, or what is wrong with its text. */
export function decodeEdit(json: string): Edit | string {
  const fields = parse(json);
  return typeof fields === "string" ? fields : readEdit(fields);
}

function parse(json: string): Map<string, unknown> | string {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return "the record is not JSON";
  }
  if (typeof value !== "object" || value === null) return "the record is not a JSON object";
  const fields = new Map<string, unknown>(Object.entries(value));
  const must = fields.get("must");
  if (must === undefined) return fields;
  return `the record needs a newer version of Everwrite (${JSON.stringify(must)})`;
}

function readEdit(fields: ReadonlyMap<string, unknown>): Edit | string {
  const added = readList(fields.get("added"), readAdded);
  if (typeof added === "string") return `added: ${added}`;
  const removed = readList(fields.get("removed") ?? [], readRemoved);
  if (typeof removed === "string") return `removed: ${removed}`;
  const sealed = fields.get("sealedLogs");
  const sealedLogs = sealed === undefined ? undefined : readList(sealed, readSealed);
  if (typeof sealedLogs === "string") return `sealedLogs: ${sealedLogs}`;
  const numbers: { nextFile?: number; lastSequence?: number; logNumber?: number } = {};
  for (const name of ["nextFile", "lastSequence", "logNumber"] as const) {
    const value = fields.get(name);
    if (value === undefined) continue;
    if (!isCount(value)) return `${name} is no count`;
    numbers[name] = value;
  }
  return { added, removed, ...numbers, ...(sealedLogs === undefined ? {} : { sealedLogs }) };
}

function readList<T>(value: unknown, read: (item: unknown) => T | string): T[] | string {
  if (!Array.isArray(value)) return "not a list";
  const list: T[] = [];
  for (const item of value) {
    const one = read(item);
    if (typeof one === "string") return one;
    list.push(one);
  }
  return list;
}

function readAdded(item: unknown): AddedTable | string {
  const fields = parse(JSON.stringify(item));
  if (typeof fields === "string") return fields;
  const level = fields.get("level");
  if (!isCount(level) || level >= levelCount) return "level is out of range";
  const numbers = new Map<string, number>();
  for (const name of tableNumbers) {
    const value = fields.get(name);
    if (!isCount(value)) return `${name} is no count`;
    numbers.set(name, value);
  }
  const smallest = fields.get("smallest");
  const largest = fields.get("largest");
  if (typeof smallest !== "string" || typeof largest !== "string") return "a key is missing";
  const count = (name: (typeof tableNumbers)[number]) => numbers.get(name) ?? 0;
  const table: TableMeta = {
    number: count("number"),
    bytes: count("bytes"),
    smallest: new Uint8Array(Buffer.from(smallest, "base64")),
    largest: new Uint8Array(Buffer.from(largest, "base64")),
    entries: count("entries"),
    tombstones: count("tombstones"),
    minSequence: count("minSequence"),
    maxSequence: count("maxSequence"),
    firstExpiry: count("firstExpiry"),
  };
  return { level, table };
}

function readRemoved(item: unknown): RemovedTable | string {
  const { level, number } = (item ?? {}) as { level?: unknown; number?: unknown };
  if (!isCount(level) || !isCount(number)) return "level or number is no count";
  return { level, number };
}

function readSealed(item: unknown): SealedLog | string {
  const { number, end } = (item ?? {}) as { number?: unknown; end?: unknown };
  if (!isCount(number) || !isCount(end)) return "number or end is no count";
  return { number, end };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function encodeAdded({ level, table }: AddedTable): Record<string, string | number> {
  const fields: Record<string, string | number> = { level };
  for (const name of tableNumbers) fields[name] = table[name];
  fields["smallest"] = base64(table.smallest);
  fields["largest"] = base64(table.largest);
  return fields;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
