/**
 * The payloads of manifest records: JSON, checked field by field before anything is believed. Keys
 * are base64. Unknown fields are ignored, unless a record lists them under "must": those change
 * what the rest means, and a reader that does not know them must not go on.
 */
import { compare } from "./base/bytes.ts";
import { keyBytesMax, levelCount } from "./base/limits.ts";
import type { SealedLog } from "./log/replay.ts";
import type { ManifestState } from "./manifest-state.ts";
import type { TableMeta } from "./table/meta.ts";
import { type AddedTable, type Edit, emptyVersion, type RemovedTable, tryEdit } from "./version.ts";

/** Fields by name, none of them checked. */
export type PayloadFields = ReadonlyMap<string, unknown>;

export type Payload =
  | { readonly kind: "fields"; readonly fields: PayloadFields }
  | { readonly kind: "damaged"; readonly what: string }
  | { readonly kind: "tooNew"; readonly what: string };

const comparator = "bytewise";
const knownFields: readonly unknown[] = [
  ...["comparator", "databaseId", "hashSeed", "must"],
  ...["nextFile", "lastSequence", "logNumber", "sealedLogs", "added", "removed"],
];
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

export function parsePayload(json: string): Payload {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return { kind: "damaged", what: "the record is not JSON" };
  }
  const fields = fieldsOf(value);
  if (fields === undefined) return { kind: "damaged", what: "the record is not a JSON object" };
  const must = fields.get("must") ?? [];
  if (!Array.isArray(must)) return { kind: "damaged", what: "must: not a list" };
  const unknown = must.filter((name) => !knownFields.includes(name));
  if (unknown.length === 0) return { kind: "fields", fields };
  return { kind: "tooNew", what: `needs a reader that knows ${unknown.join(", ")}` };
}

/** The state, or what is wrong with its fields. */
export function decodeState(fields: PayloadFields): ManifestState | string {
  if (fields.get("comparator") !== comparator) return `the comparator is not ${comparator}`;
  const databaseId = fields.get("databaseId");
  if (typeof databaseId !== "string" || !/^[0-9a-f]{32}$/.test(databaseId)) {
    return "databaseId is not 32 hexadecimal digits";
  }
  const hashSeed = fields.get("hashSeed");
  if (!isCount(hashSeed) || hashSeed > 0xffffffff) return "hashSeed is not 32 bits";
  const edit = decodeEdit(fields);
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

/** The edit, or what is wrong with its fields. */
export function decodeEdit(fields: PayloadFields): Edit | string {
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
  const fields = fieldsOf(item);
  if (fields === undefined) return "not a list of objects";
  const level = fields.get("level");
  if (!isCount(level) || level >= levelCount) return "level is out of range";
  const numbers = new Map<string, number>();
  for (const name of tableNumbers) {
    const value = fields.get(name);
    if (!isCount(value)) return `${name} is no count`;
    numbers.set(name, value);
  }
  const smallest = readKey(fields.get("smallest"));
  const largest = readKey(fields.get("largest"));
  if (smallest === undefined || largest === undefined) return "a key is missing or no base64";
  const count = (name: (typeof tableNumbers)[number]) => numbers.get(name) ?? 0;
  const table: TableMeta = {
    number: count("number"),
    bytes: count("bytes"),
    smallest,
    largest,
    entries: count("entries"),
    tombstones: count("tombstones"),
    minSequence: count("minSequence"),
    maxSequence: count("maxSequence"),
    firstExpiry: count("firstExpiry"),
  };
  const wrong = contradictionIn(table);
  return wrong === undefined ? { level, table } : `table ${table.number}: ${wrong}`;
}

/** What no table can be, whatever wrote it. */
function contradictionIn(table: TableMeta): string | undefined {
  if (table.number === 0) return "its number is 0";
  if (table.tombstones > table.entries) return "more tombstones than entries";
  if (table.minSequence > table.maxSequence) return "its sequences end before they begin";
  if (compare(table.smallest, table.largest) > 0) return "its keys end before they begin";
  return undefined;
}

/** Base64 as we write it, and no other: Buffer would skip over letters that it does not know. */
function readKey(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string") return undefined;
  const bytes = new Uint8Array(Buffer.from(value, "base64"));
  return bytes.length <= keyBytesMax && base64(bytes) === value ? bytes : undefined;
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

function fieldsOf(value: unknown): PayloadFields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map<string, unknown>(Object.entries(value));
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
