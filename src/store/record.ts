/**
 * Versions as they are stored. Decoding rejects what it does not understand, naming it: nothing
 * is guessed. Every number is a varint of up to 53 bits.
 *
 *   record      header (1): 01 and six flags, vector?, dots?, operations?, siblings
 *   vector      2 × count + 1 if entries have times, then each: actor, counter, time?
 *   dots        count, then each: actor, counter
 *   operations  count, then each: 2 × time + 1 if retried, nonce (4); the newest comes first, and
 *               the time of each other is how much earlier it began than the one before it
 *   siblings    one alone: sibling, value to the end of the record
 *               otherwise: count, then each: flags (1), sibling, length of the value, value
 *   sibling     actor, counter, time, operation?, expiry?
 *
 * Header: 01xxxxxx = 0x40 | 1 vector | 2 dots | 4 operations | 8 one sibling alone | 16 it has an
 * operation | 32 it expires. Flags of one among several: 1 operation, 2 expiry. Actors are numbers
 * of the actor table. One sibling whose causal past was stripped takes about 12 bytes besides its
 * value.
 */
import type { Operation, Operations } from "../core/clock/operations.ts";
import { noOperations } from "../core/clock/operations.ts";
import { emptyVector, type Vector, type VectorEntry } from "../core/clock/vector.ts";
import type { Dot, Sibling, Versions } from "../core/clock/versions.ts";
import type { ActorNumbers } from "./actor-table.ts";
import { RecordReader } from "./record-reader.ts";
import { RecordWriter } from "./record-writer.ts";

export type Decoded =
  | { readonly kind: "versions"; readonly versions: Versions }
  | { readonly kind: "invalid"; readonly why: string };

const form = 0x40;
const formMask = 0xc0;
const hasVector = 1;
const hasDots = 2;
const hasOperations = 4;
const isAlone = 8;
const aloneHasOperation = 16;
const aloneExpires = 32;
const oneHasOperation = 1;
const oneExpires = 2;

const writer = new RecordWriter();
const reader = new RecordReader();
const noDots: readonly Dot[] = [];

/** Valid until the next call. `keepTimes`: vectors are truncated by age, so their times matter. */
export function encodeRecord(
  versions: Versions,
  actors: ActorNumbers,
  options: { readonly keepTimes: boolean },
): Uint8Array {
  const { vector, dots, operations, siblings } = versions;
  const alone = siblings.length === 1 ? siblings[0] : undefined;
  let header = form;
  if (vector.length > 0) header |= hasVector;
  if (dots.length > 0) header |= hasDots;
  if (operations.length > 0) header |= hasOperations;
  if (alone !== undefined) {
    header |= isAlone;
    if (alone.operation !== undefined) header |= aloneHasOperation;
    if (alone.expiresAt > 0) header |= aloneExpires;
  }
  writer.start(bytesAtMost(versions));
  writer.byte(header);
  if (vector.length > 0) putVector(vector, actors, options.keepTimes);
  if (dots.length > 0) {
    writer.number(dots.length);
    for (const dot of dots) putDot(dot, actors);
  }
  if (operations.length > 0) {
    putOperations(operations);
  }
  if (alone === undefined) putSiblings(siblings, actors);
  else {
    putSibling(alone, actors);
    writer.bytes(alone.value);
  }
  return writer.take();
}

/** Values are views of `bytes`, which the versions thus keep alive. */
export function decodeRecord(bytes: Uint8Array, actors: ActorNumbers): Decoded {
  reader.start(bytes);
  const header = reader.byte();
  if ((header & formMask) !== form) {
    return { kind: "invalid", why: `a record of an unknown form (first byte ${header})` };
  }
  const vector = (header & hasVector) === 0 ? emptyVector : takeVector(actors);
  const dots = (header & hasDots) === 0 ? noDots : takeDots(actors);
  const operations = (header & hasOperations) === 0 ? noOperations : takeOperations();
  const siblings =
    (header & isAlone) === 0
      ? takeSiblings(actors)
      : [
          takeSibling(actors, {
            hasOperation: (header & aloneHasOperation) !== 0,
            expires: (header & aloneExpires) !== 0,
            isAlone: true,
          }),
        ];
  const why = reader.finish();
  if (why !== undefined) return { kind: "invalid", why };
  return { kind: "versions", versions: { vector, dots, operations, siblings } };
}

function bytesAtMost({ vector, dots, operations, siblings }: Versions): number {
  let bytes = 40 + 24 * vector.length + 16 * dots.length + 16 * operations.length;
  for (const { value } of siblings) bytes += 56 + value.length;
  return bytes;
}

function putVector(vector: Vector, actors: ActorNumbers, keepTimes: boolean): void {
  writer.number(2 * vector.length + (keepTimes ? 1 : 0));
  for (const { actor, counter, time } of vector) {
    writer.number(actors.indexOf(actor));
    writer.number(counter);
    if (keepTimes) writer.number(time);
  }
}

function putDot({ actor, counter }: Dot, actors: ActorNumbers): void {
  writer.number(actors.indexOf(actor));
  writer.number(counter);
}

/** By differences: of the list that most overwrites store and read, two bytes instead of seven. */
function putOperations(operations: Operations): void {
  writer.number(operations.length);
  let before = 0;
  for (const { at, nonce, retried } of operations) {
    writer.number(2 * (before === 0 ? at : before - at) + (retried ? 1 : 0));
    writer.word(nonce);
    before = at;
  }
}

function putOperation({ at, nonce, retried }: Operation): void {
  writer.number(2 * at + (retried ? 1 : 0));
  writer.word(nonce);
}

function putSiblings(siblings: readonly Sibling[], actors: ActorNumbers): void {
  writer.number(siblings.length);
  for (const sibling of siblings) {
    const { operation, expiresAt, value } = sibling;
    writer.byte((operation ? oneHasOperation : 0) | (expiresAt > 0 ? oneExpires : 0));
    putSibling(sibling, actors);
    writer.number(value.length);
    writer.bytes(value);
  }
}

function putSibling({ dot, time, operation, expiresAt }: Sibling, actors: ActorNumbers): void {
  putDot(dot, actors);
  writer.number(time);
  if (operation !== undefined) putOperation(operation);
  if (expiresAt > 0) writer.number(expiresAt);
}

function takeVector(actors: ActorNumbers): Vector {
  const first = reader.number();
  const hasTimes = first % 2 === 1;
  const count = reader.count((first - (first % 2)) / 2);
  const vector: VectorEntry[] = [];
  for (let i = 0; i < count; i++) {
    const actor = takeActor(actors);
    const counter = reader.number();
    vector.push({ actor, counter, time: hasTimes ? reader.number() : 0 });
  }
  return vector;
}

function takeDots(actors: ActorNumbers): readonly Dot[] {
  const dots: Dot[] = [];
  const count = reader.count(reader.number());
  for (let i = 0; i < count; i++) dots.push(takeDot(actors));
  return dots;
}

function takeOperations(): Operations {
  const operations: Operation[] = [];
  const count = reader.count(reader.number());
  let at = 0;
  for (let i = 0; i < count; i++) {
    const first = reader.number();
    const retried = first % 2 === 1;
    const told = (first - (first % 2)) / 2;
    at = at === 0 ? told : at - told;
    if (at < 0) reader.fail("operations that are not sorted");
    operations.push({ at, nonce: reader.word(), retried });
  }
  return operations;
}

function takeSiblings(actors: ActorNumbers): readonly Sibling[] {
  const siblings: Sibling[] = [];
  const count = reader.count(reader.number());
  for (let i = 0; i < count; i++) {
    const flags = reader.byte();
    if (flags > (oneHasOperation | oneExpires)) reader.fail(`flags ${flags} of a sibling`);
    siblings.push(
      takeSibling(actors, {
        hasOperation: (flags & oneHasOperation) !== 0,
        expires: (flags & oneExpires) !== 0,
        isAlone: false,
      }),
    );
  }
  return siblings;
}

function takeSibling(
  actors: ActorNumbers,
  has: { readonly hasOperation: boolean; readonly expires: boolean; readonly isAlone: boolean },
): Sibling {
  const dot = takeDot(actors);
  const time = reader.number();
  const operation = has.hasOperation ? takeOperation() : undefined;
  const expiresAt = has.expires ? reader.number() : 0;
  const value = reader.bytes(has.isAlone ? reader.left : reader.number());
  return { dot, operation, time, expiresAt, value };
}

function takeDot(actors: ActorNumbers): Dot {
  const actor = takeActor(actors);
  return { actor, counter: reader.number() };
}

function takeOperation(): Operation {
  const first = reader.number();
  const retried = first % 2 === 1;
  return { at: (first - (first % 2)) / 2, nonce: reader.word(), retried };
}

function takeActor(actors: ActorNumbers): string {
  const index = reader.number();
  const actor = actors.actorAt(index);
  if (actor === undefined) reader.fail(`actor ${index}, which the table of actors lacks`);
  return actor ?? "";
}
