/**
 * Versions and contexts in bytes, in one form each: sorted as they are in memory, and an actor of
 * the vector is named by its place there.
 */
import { noOperations, type Operation, type Operations } from "../clock/operations.ts";
import { emptyVector, type Vector, type VectorEntry } from "../clock/vector.ts";
import {
  type CausalContext,
  compareDots,
  type Dot,
  emptyContext,
  noVersions,
  type Sibling,
  type Versions,
} from "../clock/versions.ts";
import type { Actor } from "../ids.ts";
import type { Entry } from "../message.ts";
import { keyBytesMin, readKey, writeKey } from "./key.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

const hasOperation = 1;
const isRetried = 2;
const expires = 4;

/** The least that each element of a list takes. */
const entryBytesMin = 10;
const dotBytesMin = 2;
const operationBytesMin = 5;
const siblingBytesMin = 5;

export function writeContext(writer: Writer, context: CausalContext): void {
  const { vector, dots, operations } = context;
  writer.count(vector.length);
  for (const { actor, counter, time } of vector) {
    writer.hex(actor, 8);
    writer.varint(counter);
    writer.varint(time);
  }
  writer.count(dots.length);
  for (const dot of dots) writeDot(writer, vector, dot);
  writer.count(operations.length);
  let before = 0;
  for (const { at, nonce, retried } of operations) {
    // Newest first, so that the others are told by how much earlier they are.
    writer.varint(2 * (before === 0 ? at : before - at) + Number(retried));
    writer.u32(nonce);
    before = at;
  }
}

export function readContext(reader: Reader): CausalContext {
  const vector = readVector(reader);
  const dots = readDots(reader, vector);
  const operations = readOperations(reader);
  if (vector.length + dots.length + operations.length === 0) return emptyContext;
  return { vector, dots, operations };
}

export function writeVersions(writer: Writer, versions: Versions): void {
  const { vector, siblings } = versions;
  writeContext(writer, versions);
  writer.count(siblings.length);
  for (const { dot, operation, time, expiresAt, value } of siblings) {
    const aboutOperation = operation === undefined ? 0 : operation.retried ? 3 : 1;
    writer.u8(aboutOperation | (expiresAt === 0 ? 0 : expires));
    writeDot(writer, vector, dot);
    writer.varint(time);
    if (operation !== undefined) {
      writer.varint(operation.at);
      writer.u32(operation.nonce);
    }
    if (expiresAt !== 0) writer.varint(expiresAt);
    writer.block(value);
  }
}

export function readVersions(reader: Reader): Versions {
  const { vector, dots, operations } = readContext(reader);
  const count = reader.count(siblingBytesMin);
  if (count === 0) {
    if (vector.length + dots.length + operations.length === 0) return noVersions;
    return { vector, dots, operations, siblings: noVersions.siblings };
  }
  let last = readSibling(reader, vector);
  const siblings: Sibling[] = [last];
  while (siblings.length < count) {
    const start = reader.place;
    const sibling = readSibling(reader, vector);
    if (compareDots(last.dot, sibling.dot) >= 0) outOfOrder(reader, start, "siblings");
    siblings.push(sibling);
    last = sibling;
  }
  return { vector, dots, operations, siblings };
}

export function writeEntries(writer: Writer, entries: readonly Entry[]): void {
  writer.count(entries.length);
  for (const { key, versions } of entries) {
    writeKey(writer, key);
    writeVersions(writer, versions);
  }
}

export function readEntries(reader: Reader): readonly Entry[] {
  const entries: Entry[] = [];
  for (let left = reader.count(keyBytesMin + 4); left > 0; left--) {
    const key = readKey(reader);
    entries.push({ key, versions: readVersions(reader) });
  }
  return entries;
}

function writeDot(writer: Writer, vector: Vector, { actor, counter }: Dot): void {
  const place = placeOf(vector, actor);
  writer.varint(place + 1);
  if (place === -1) writer.hex(actor, 8);
  writer.varint(counter);
}

function readDot(reader: Reader, vector: Vector): Dot {
  const start = reader.place;
  const place = reader.varint();
  const named = vector[place - 1];
  const actor = place === 0 ? reader.actor() : named?.actor;
  if (actor === undefined || (place === 0 && placeOf(vector, actor) !== -1)) {
    return reader.fail("an actor that the vector does not have, or has already", start);
  }
  return { actor, counter: readCounter(reader) };
}

function readVector(reader: Reader): Vector {
  const count = reader.count(entryBytesMin);
  if (count === 0) return emptyVector;
  let last = readVectorEntry(reader);
  // One element in the literal: an empty array makes room for 17 at the first.
  const vector: VectorEntry[] = [last];
  while (vector.length < count) {
    const start = reader.place;
    const entry = readVectorEntry(reader);
    if (last.actor >= entry.actor) outOfOrder(reader, start, "a vector");
    vector.push(entry);
    last = entry;
  }
  return vector;
}

function readVectorEntry(reader: Reader): VectorEntry {
  return { actor: reader.actor(), counter: readCounter(reader), time: reader.varint() };
}

function readDots(reader: Reader, vector: Vector): readonly Dot[] {
  const count = reader.count(dotBytesMin);
  if (count === 0) return emptyContext.dots;
  const dots: Dot[] = [];
  for (let left = count; left > 0; left--) {
    const start = reader.place;
    const dot = readDot(reader, vector);
    const last = dots.at(-1);
    if (last !== undefined && compareDots(last, dot) >= 0) outOfOrder(reader, start, "dots");
    dots.push(dot);
  }
  return dots;
}

function readOperations(reader: Reader): Operations {
  const count = reader.count(operationBytesMin);
  if (count === 0) return noOperations;
  const operations: Operation[] = [];
  for (let left = count; left > 0; left--) {
    const start = reader.place;
    const twice = reader.varint();
    const retried = twice % 2 === 1;
    const told = (twice - Number(retried)) / 2;
    const last = operations.at(-1);
    const at = last === undefined || last.at === 0 ? told : last.at - told;
    const operation = { at, nonce: reader.u32(), retried };
    if (at < 0 || at >= 2 ** 48 || (last !== undefined && !isNewer(last, operation))) {
      outOfOrder(reader, start, "operations");
    }
    operations.push(operation);
  }
  return operations;
}

function readSibling(reader: Reader, vector: Vector): Sibling {
  const flags = reader.below(8, "kind of sibling");
  if ((flags & (hasOperation | isRetried)) === isRetried) reader.fail("a retry of nothing");
  const dot = readDot(reader, vector);
  const time = reader.varint();
  const operation =
    (flags & hasOperation) === 0 ? undefined : readOperation(reader, (flags & isRetried) !== 0);
  const expiresAt = (flags & expires) === 0 ? 0 : reader.varint();
  if ((flags & expires) !== 0 && expiresAt === 0) reader.fail("an expiry that is none");
  return { dot, operation, time, expiresAt, value: reader.block() };
}

/** As a sibling or a command has it. Beyond 48 bits the list of operations could not hold it. */
export function readOperation(reader: Reader, retried: boolean): Operation {
  const start = reader.place;
  const at = reader.varint();
  if (at >= 2 ** 48) reader.fail(`${at} is no time of an operation`, start);
  return { at, nonce: reader.u32(), retried };
}

function readCounter(reader: Reader): number {
  const counter = reader.varint();
  if (counter === 0) reader.fail("an event with the counter 0");
  return counter;
}

function isNewer(a: Operation, b: Operation): boolean {
  return a.at === b.at ? a.nonce > b.nonce : a.at > b.at;
}

/** Where the actor stands in a vector, which is sorted; -1 when it does not. */
function placeOf(vector: Vector, actor: Actor): number {
  let low = 0;
  let high = vector.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = vector[middle]!.actor;
    if (found === actor) return middle;
    if (found < actor) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

function outOfOrder(reader: Reader, start: number, what: string): never {
  return reader.fail(`${what} out of order`, start);
}
