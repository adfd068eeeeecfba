/**
 * What stands in a file of records, a commit log or a manifest: every record that can be read, in
 * order, and each stretch between them that cannot. Unlike recovery it goes on behind damage.
 */
import { readU32, readU64 } from "./base/bytes.ts";
import { kindExpiring } from "./cursor.ts";
import {
  type DescribedDamage,
  type DescribedEntry,
  describeEntry,
  type Shown,
  show,
} from "./inspect-entry.ts";
import {
  expiryBytes,
  keyLengthMask,
  keyOffset,
  operationBytes,
  operationHeaderBytes,
} from "./log/operation.ts";
import {
  fileHeaderBytes,
  logMagic,
  manifestMagic,
  type RecordFound,
  readFileHeader,
  readRecord,
  typeEdit,
  typeGroup,
  typeSeal,
} from "./log/record.ts";

type Record = Extract<RecordFound, { readonly kind: "record" }>;

export interface DescribedRecord {
  readonly offset: number;
  readonly type: "group" | "seal" | "edit" | "unknown";
  readonly payloadBytes: number;
  /** What was durable before it was written: a sequence in logs, an offset in manifests. */
  readonly durable: number;
  readonly operations?: readonly DescribedEntry[];
  readonly edit?: unknown;
}

export interface DescribedRecords {
  readonly kind: "log" | "manifest";
  readonly file: string;
  readonly bytes: number;
  readonly number: number;
  readonly firstSequence?: number;
  readonly continues?: { readonly number: number; readonly end: number };
  /** Counts of all that is readable, shown or not. */
  readonly recordCount: number;
  readonly operationCount: number;
  readonly records: readonly DescribedRecord[];
  readonly damage: readonly DescribedDamage[];
  /** Whether there is more than the limit let through. */
  readonly isShortened: boolean;
}

export function describeRecords(
  bytes: Uint8Array,
  file: { readonly kind: "log" | "manifest"; readonly name: string; readonly number: number },
  limit: number,
): DescribedRecords {
  const { kind, number } = file;
  const magic = kind === "log" ? logMagic : manifestMagic;
  const found = readFileHeader(bytes, bytes.length, { magic, number });
  const header = found.kind === "header" ? found.header : undefined;
  const damage: DescribedDamage[] = [];
  if (found.kind === "damaged") damage.push({ offset: 0, what: found.what });
  if (found.kind === "tooNew") {
    damage.push({ offset: 8, what: `format version ${found.version} is not known` });
  }
  const records: DescribedRecord[] = [];
  let recordCount = 0;
  let operationCount = 0;
  let shown = 0;
  for (const { at, record, what } of walk(bytes, number)) {
    if (record === undefined) {
      damage.push({ offset: at, what });
      continue;
    }
    recordCount += 1;
    operationCount += record.operations;
    if (shown >= limit) continue;
    const described = describeRecord(bytes, at, record, {
      firstSequence: header?.firstSequence ?? 0,
      limit: limit - shown,
    });
    shown += Math.max(1, described.operations?.length ?? 1);
    records.push(described);
  }
  const isLog = header !== undefined && kind === "log";
  const { previousNumber = 0, previousEnd = 0, firstSequence = 0 } = header ?? {};
  return {
    kind,
    file: file.name,
    bytes: bytes.length,
    number,
    ...(isLog ? { firstSequence } : {}),
    ...(previousNumber > 0 ? { continues: { number: previousNumber, end: previousEnd } } : {}),
    recordCount,
    operationCount,
    records,
    damage,
    isShortened: shown < Math.max(recordCount, operationCount) && shown >= limit,
  };
}

interface Step {
  readonly at: number;
  readonly record: Record | undefined;
  readonly what: string;
}

/** Records, and the beginnings of what is none. Zeros at the end are prepared space. */
function* walk(bytes: Uint8Array, number: number): Generator<Step> {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  let inGap = false;
  for (let at = fileHeaderBytes; at < end; ) {
    // In a gap, a look at the type first: a checksum at each step could cost the square.
    const type = bytes[at + 8];
    const plausible = type === typeGroup || type === typeSeal || type === typeEdit;
    const record = inGap && !plausible ? undefined : readRecord(bytes, at, bytes.length, number);
    if (record?.kind === "record") {
      inGap = false;
      yield { at, record, what: "" };
      at = record.next;
      continue;
    }
    if (!inGap) {
      const what = record?.kind === "unreadable" ? record.what : "no record where one should be";
      yield { at, record: undefined, what };
    }
    inGap = true;
    at += 8;
  }
}

function describeRecord(
  bytes: Uint8Array,
  offset: number,
  record: Record,
  how: { readonly firstSequence: number; readonly limit: number },
): DescribedRecord {
  const { payloadBytes, durableSequence: durable } = record;
  const base = { offset, payloadBytes, durable };
  switch (record.type) {
    case typeGroup:
      return { ...base, type: "group", operations: operationsOf(bytes, record, how) };
    case typeSeal:
      return { ...base, type: "seal" };
    case typeEdit:
      return { ...base, type: "edit", edit: editOf(bytes, record) };
    default:
      return { ...base, type: "unknown" };
  }
}

function operationsOf(
  bytes: Uint8Array,
  record: Record,
  how: { readonly firstSequence: number; readonly limit: number },
): readonly DescribedEntry[] {
  const entries: DescribedEntry[] = [];
  for (let at = record.payloadAt; at + operationHeaderBytes <= record.next; ) {
    const kindAndKey = readU32(bytes, at + 4);
    const kind = kindAndKey >>> 24;
    const keyLength = kindAndKey & keyLengthMask;
    const valueLength = readU32(bytes, at + 8);
    const keyAt = keyOffset(at, kind);
    const valueAt = keyAt + keyLength;
    // A record that passes its checksum and makes no sense is shown as far as it goes.
    if (kind > kindExpiring || valueAt + valueLength > record.next) break;
    if (entries.length === how.limit) break;
    entries.push(
      describeEntry({
        kind,
        key: bytes.slice(keyAt, valueAt),
        value: bytes.subarray(valueAt, valueAt + valueLength),
        expiry: kind === kindExpiring ? readU64(bytes, keyAt - expiryBytes) : 0,
        offset: at,
        sequence: how.firstSequence + at,
      }),
    );
    at += operationBytes(kind, keyLength, valueLength);
  }
  return entries;
}

/** The edit's JSON, with keys readable. */
function editOf(bytes: Uint8Array, record: Record): unknown {
  const text = Buffer.from(bytes.slice(record.payloadAt, record.next)).toString("utf8");
  try {
    return JSON.parse(text, (name, value) => {
      const isKey = name === "smallest" || name === "largest";
      return isKey && typeof value === "string" ? keyOf(value) : value;
    });
  } catch {
    return text.trimEnd();
  }
}

function keyOf(base64: string): Shown {
  return show(new Uint8Array(Buffer.from(base64, "base64")), 256);
}
