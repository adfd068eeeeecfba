/**
 * A ring state in bytes, on the wire and as a node saves it. What is checked here is its form; that
 * owners are distinct members and the like is checked by whoever takes it into force.
 */
import { assert } from "../../../native-free-engine/base/assert.ts";
import { bucketsMax, membersMax, stagedMax } from "../limits.ts";
import type {
  BucketRecord,
  Member,
  Move,
  Resolver,
  RingState,
  StagedChange,
} from "../ring/ring-state.ts";
import { Malformed, Reader } from "./reader.ts";
import { readNodes, writeNodes } from "./replica.ts";
import { Writer } from "./writer.ts";

/** A saved ring outlives the program that saved it. */
const savedVersion = 1;

const states: readonly Member["state"][] = ["member", "leaving", "left", "joining"];
const resolvers: readonly Resolver[] = ["siblings", "lww", "union", "counter"];
const changes: readonly StagedChange["kind"][] = ["join", "leave", "remove", "weight"];
/** Partitions are a power of two of at least 2 and at most 2^12. */
const partitionBitsMax = 12;
const weightMax = 100;
const memberBytesMin = 13;
const bucketBytesMin = 5;

export function encodeRing(state: RingState): Uint8Array {
  const writer = new Writer(2048);
  writer.u8(savedVersion);
  writeRing(writer, state);
  return writer.bytes.slice(0, writer.at);
}

/** Undefined when the bytes are no ring state that this version knows. */
export function decodeRing(bytes: Uint8Array): RingState | undefined {
  const reader = new Reader(bytes);
  try {
    if (reader.u8() !== savedVersion) return undefined;
    const state = readRing(reader);
    reader.finish();
    return state;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

export function writeRing(writer: Writer, state: RingState): void {
  const { members, owners, moves } = state;
  const bits = Math.log2(owners.length);
  assert(
    Number.isInteger(bits) && bits >= 1 && bits <= partitionBitsMax,
    "partitions are 2 to 2^12",
  );
  writer.hex(state.clusterId, 16);
  writer.varint(state.generation);
  writer.varint(state.epoch);
  writer.varint(state.n);
  writer.count(members.length);
  for (const { id, address, dc, rack, weight, state: standing } of members) {
    writer.varint(id);
    writer.u8(states.indexOf(standing));
    writer.float64(weight);
    writer.text(address);
    writer.text(dc);
    writer.text(rack);
  }
  writer.u8(bits);
  for (const nodes of owners) writeNodes(writer, nodes);
  writer.count(moves.length);
  for (const { partition, to } of moves) {
    writer.varint(partition);
    writeNodes(writer, to);
  }
  writer.count(state.buckets.length);
  for (const { name, r, w, resolver, ttlMs } of state.buckets) {
    writer.text(name);
    writer.varint(r);
    writer.varint(w);
    writer.u8(resolvers.indexOf(resolver));
    writer.varint(ttlMs);
  }
  writer.count(state.staged.length);
  for (const change of state.staged) {
    writer.u8(changes.indexOf(change.kind));
    writer.varint(change.node);
    if (change.kind === "join") writer.varint(change.replaces ?? 0);
    if (change.kind === "weight") writer.float64(change.weight);
  }
}

export function readRing(reader: Reader): RingState {
  const clusterId = reader.hex(16);
  const generation = reader.varint();
  const epoch = reader.varint();
  const n = reader.varint();
  const members: Member[] = [];
  for (let left = reader.count(memberBytesMin, membersMax); left > 0; left--) {
    members.push(readMember(reader));
  }
  const bits = reader.below(partitionBitsMax + 1, "number of partition bits");
  if (bits === 0) reader.fail("a ring of one partition");
  const partitions = 1 << bits;
  const owners: (readonly number[])[] = [];
  while (owners.length < partitions) owners.push(readNodes(reader));
  const moves: Move[] = [];
  for (let left = reader.count(2, partitions); left > 0; left--) {
    const partition = reader.varint();
    if (partition >= partitions) reader.fail(`${partition} is no partition of ${partitions}`);
    moves.push({ partition, to: readNodes(reader) });
  }
  const buckets: BucketRecord[] = [];
  for (let left = reader.count(bucketBytesMin, bucketsMax); left > 0; left--) {
    buckets.push(readBucket(reader));
  }
  const staged: StagedChange[] = [];
  for (let left = reader.count(2, stagedMax); left > 0; left--) staged.push(readChange(reader));
  return { clusterId, generation, epoch, n, members, owners, moves, buckets, staged };
}

function readBucket(reader: Reader): BucketRecord {
  const name = reader.text();
  const r = reader.varint();
  const w = reader.varint();
  const resolver = resolvers[reader.below(resolvers.length, "resolver")]!;
  return { name, r, w, resolver, ttlMs: reader.varint() };
}

function readChange(reader: Reader): StagedChange {
  const kind = changes[reader.below(changes.length, "kind of a staged change")]!;
  const node = reader.varint();
  if (node === 0) reader.fail("0 is no number of a member");
  if (kind === "join") {
    const replaced = reader.varint();
    return { kind, node, replaces: replaced === 0 ? undefined : replaced };
  }
  return kind === "weight" ? { kind, node, weight: readWeight(reader) } : { kind, node };
}

function readWeight(reader: Reader): number {
  const weight = reader.float64();
  if (!(weight > 0 && weight <= weightMax)) reader.fail(`${weight} is no weight`);
  return weight;
}

function readMember(reader: Reader): Member {
  const id = reader.varint();
  if (id === 0) reader.fail("0 is no number of a member");
  const state = states[reader.below(states.length, "state of a member")]!;
  const weight = readWeight(reader);
  return { id, address: reader.text(), dc: reader.text(), rack: reader.text(), weight, state };
}
