/** Where lengths, counts and offsets stand in the engine's files; FORMAT.md has the layouts. */
import { readU32, readU64 } from "../../native-free-engine/base/bytes.ts";
import {
  keyLengthMask,
  operationBytes,
  operationHeaderBytes,
} from "../../native-free-engine/log/operation.ts";
import {
  fileHeaderBytes,
  recordHeaderBytes,
  typeGroup,
} from "../../native-free-engine/log/record.ts";
import { footerBytes } from "../../native-free-engine/table/format.ts";
import type { Field } from "./bytes-mutator.ts";

/** Of a log or a manifest: the header's, each record's, and each operation's. */
export function fieldsOfRecords(bytes: Uint8Array): readonly Field[] {
  if (bytes.length < fileHeaderBytes) return [];
  const fields = [8, 12].map(u32).concat([16, 24, 32, 40].map(u64));
  for (let at = fileHeaderBytes; at + recordHeaderBytes <= bytes.length; ) {
    const next = at + recordHeaderBytes + readU32(bytes, at + 4);
    fields.push(u32(at + 4), u32(at + 8), u32(at + 12), u64(at + 16));
    if (bytes[at + 8] === typeGroup) fields.push(...fieldsOfOperations(bytes, at, next));
    if (next > bytes.length || next === at + recordHeaderBytes) break;
    at = next;
  }
  return fields;
}

function fieldsOfOperations(bytes: Uint8Array, record: number, end: number): Field[] {
  const fields: Field[] = [];
  for (let at = record + recordHeaderBytes; at + operationHeaderBytes <= end; ) {
    const kindAndKey = readU32(bytes, at + 4);
    fields.push(u32(at), u32(at + 4), u32(at + 8));
    at += operationBytes(kindAndKey >>> 24, kindAndKey & keyLengthMask, readU32(bytes, at + 8));
  }
  return fields;
}

/** Of the footer, and the offsets of blocks with which the index begins. */
export function fieldsOfTable(bytes: Uint8Array): readonly Field[] {
  const footer = bytes.length - footerBytes;
  const indexAt = readU64(bytes, footer + 16);
  const blocks = readU32(bytes, footer + 12);
  const offsets = Array.from({ length: blocks + 3 }, (_, i) => u32(indexAt + 4 * i));
  const sections = [16, 32, 48].flatMap((at) => [u64(footer + at), u32(footer + at + 8)]);
  return [...offsets, u64(footer), u32(footer + 8), u32(footer + 12), ...sections];
}

/** Words of a block: its header and the offsets of its entries are among them. */
export function fieldsOfBlock(bytes: Uint8Array): readonly Field[] {
  const words = Math.floor(bytes.length / 4);
  return Array.from({ length: words }, (_, i) => u32(4 * i));
}

function u32(at: number): Field {
  return { at, end: at + 4, form: "u32" };
}

function u64(at: number): Field {
  return { at, end: at + 8, form: "u64" };
}
