/**
 * A context as a client holds it: sealed, so that none can be made up, altered, or used for another
 * key or cluster. Whoever holds it can read it; it protects the database and hides nothing.
 *
 * Layout: version, number of the MAC key, 4 bytes each of the cluster's id and of the key's token
 * (these two only to say what went wrong), the fastest node, the context, 8 bytes of SipHash. The
 * hash covers all before it and, unseen, the cluster's id, the bucket and the key.
 */
import type { CausalContext } from "./clock/versions.ts";
import { emptyContext } from "./clock/versions.ts";
import { failed } from "./failure.ts";
import type { NodeId } from "./ids.ts";
import type { Key } from "./key.ts";
import { contextBytesMax } from "./limits.ts";
import type { Failed, Hash } from "./message.ts";
import { sipHash } from "./siphash.ts";
import { copyOf } from "./slab.ts";
import { Malformed, Reader } from "./wire/reader.ts";
import { readContext as readFields, writeContext } from "./wire/versions.ts";
import { Writer } from "./wire/writer.ts";

/** What a reader learnt of one key. */
export interface Seen {
  readonly context: CausalContext;
  /** The node that answered fastest, which the next put should be coordinated by; 0: none. */
  readonly fastest: NodeId;
}

/** What a token is bound to. */
export interface Place {
  readonly clusterId: string;
  readonly key: Key;
}

/** Numbered from 1 in the order they were minted; tokens carry the number's last byte. */
export interface MacKey {
  readonly number: number;
  readonly bytes: Uint8Array;
}

export type Opened = ({ readonly kind: "context" } & Seen) | Failed;

const version = 1;
const headBytes = 10;
const macBytes = 8;
/** Operations that a token holds, beside those that were retried. */
const operationsMax = 8;
const readAgain = "read the key again and use the context that comes with it";

/** Tokens are made one at a time, in the same place. */
const writer = new Writer(1024);

/** The cluster asked for last, nearly always the same: reading its digits would take 0.2 µs. */
let clusterId = "";
let clusterTag = 0;
let clusterBytes = new Uint8Array(16);

/**
 * Sealed with the newest key, which comes first. Of operations only the newest go along, and those
 * that were retried: the others are remembered by the replicas, which is where a late copy of one
 * comes to. A context that would be refused when it comes back leaves out what it can do without:
 * times of entries, and all operations, of which a late copy may then become a sibling.
 */
export function sealContext(
  seen: Seen,
  place: Place,
  macKeys: readonly [MacKey, ...MacKey[]],
): Uint8Array {
  const whole = sealed(recent(seen), place, macKeys);
  if (whole.length <= contextBytesMax) return whole;
  const vector = seen.context.vector.map((entry) => ({ ...entry, time: 0 }));
  const context = { vector, dots: seen.context.dots, operations: [] };
  return sealed({ ...seen, context }, place, macKeys);
}

/** With as many operations as a key has that is written now and then; 32 take six times as long. */
function recent(seen: Seen): Seen {
  const { vector, dots, operations } = seen.context;
  if (operations.length <= operationsMax) return seen;
  const kept = operations.filter(({ retried }, rank) => retried || rank < operationsMax);
  return { ...seen, context: { vector, dots, operations: kept } };
}

function sealed(
  { context, fastest }: Seen,
  place: Place,
  [newest]: readonly [MacKey, ...MacKey[]],
): Uint8Array {
  const { key } = place;
  useCluster(place.clusterId);
  writer.at = 0;
  writer.u8(version);
  writer.u8(newest.number & 0xff);
  writer.u32(clusterTag);
  writer.u32(key.low);
  writer.varint(fastest);
  writeContext(writer, context);
  const end = writer.at;
  const { high, low } = macOf(end, key, newest);
  writer.at = end;
  writer.words(high, low);
  return copyOf(writer.bytes, writer.at);
}

/** Accepts what any of the keys sealed: the cluster keeps the last two. */
export function openContext(token: Uint8Array, place: Place, macKeys: readonly MacKey[]): Opened {
  const { key } = place;
  const { length } = token;
  useCluster(place.clusterId);
  if (length > contextBytesMax) {
    const message = `the context has ${length} bytes, more than ${contextBytesMax}; ${readAgain}`;
    return failed("CONTEXT_TOO_LARGE", message);
  }
  if (length < headBytes + macBytes || token[0] !== version) {
    return invalid(`the ${length} bytes given are no context of this version`);
  }
  const reader = new Reader(token);
  reader.at = 2;
  const tag = reader.u32();
  if (tag !== clusterTag) {
    return failed(
      "CONTEXT_WRONG_CLUSTER",
      `the context is of cluster ${short(tag)}…, this is ${short(clusterTag)}…; ${readAgain}`,
    );
  }
  if (reader.u32() !== key.low) {
    return failed("CONTEXT_WRONG_KEY", `the context belongs to another key; ${readAgain}`);
  }
  const number = token[1];
  const macKey = macKeys.find((known) => (known.number & 0xff) === number);
  if (macKey === undefined) return invalid("the context was sealed too long ago");
  writer.at = 0;
  writer.raw(token);
  const expected = macOf(length - macBytes, key, macKey);
  if (!isMac(token, length - macBytes, expected)) return invalid("the context was altered");
  const seen = seenIn(token);
  return seen === undefined ? invalid("the context is malformed") : { kind: "context", ...seen };
}

/**
 * What a token says, on its word: for a client that compares its own. Empty for no token, and for
 * one of a version unknown here.
 */
export function readContext(token: Uint8Array): CausalContext {
  return seenIn(token)?.context ?? emptyContext;
}

function seenIn(token: Uint8Array): Seen | undefined {
  if (token.length < headBytes + macBytes || token[0] !== version) return undefined;
  const reader = new Reader(token);
  reader.at = headBytes;
  reader.end = token.length - macBytes;
  try {
    const fastest = reader.varint();
    const context = readFields(reader);
    reader.finish();
    return { context, fastest };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** Over the first bytes in the writer, and the place behind them. */
function macOf(end: number, key: Key, { bytes }: MacKey): Hash {
  writer.at = end;
  writer.raw(clusterBytes);
  writer.text(key.bucket);
  writer.block(key.bytes);
  return sipHash(bytes, writer.bytes, writer.at);
}

/** Looks at all bytes in any case, so that the time it takes says nothing. */
function isMac(token: Uint8Array, at: number, { high, low }: Hash): boolean {
  let difference = 0;
  for (let i = 0; i < macBytes; i++) {
    const word = i < 4 ? high : low;
    difference |= (token[at + i] ?? 0) ^ ((word >>> (24 - 8 * (i & 3))) & 0xff);
  }
  return difference === 0;
}

function useCluster(id: string): void {
  if (id === clusterId) return;
  writer.at = 0;
  writer.hex(id, 16);
  clusterBytes = writer.bytes.slice(0, 16);
  clusterTag = Number.parseInt(id.slice(0, 8), 16);
  clusterId = id;
}

function short(tag: number): string {
  return tag.toString(16).padStart(8, "0");
}

function invalid(why: string): Failed {
  return failed("CONTEXT_INVALID", `${why}; ${readAgain}`);
}
