/**
 * Two small records of meta by which a disk that is older than its node's deeds is told. `lives`:
 * the processes that ran on this directory, each with a ceiling that its heartbeats never passed.
 * `lives-seen`: processes of other members, each with the last heartbeat heard of it.
 *
 * As saved: a version byte, then varints. `lives`: a count, then for each life the start and the
 * ceiling. `lives-seen`: a count of nodes, then for each its number and its lives in that form.
 */
import type { NodeId } from "../ids.ts";
import { membersMax, ownLivesMax, seenLivesMax } from "../limits.ts";
import { readLives, writeLives } from "../wire/lives.ts";
import { Malformed, Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";
import type { Life } from "./lives-message.ts";

const recordVersion = 1;
const nodeBytesMin = 2;

export function encodeLives(lives: readonly Life[]): Uint8Array {
  const writer = new Writer(64);
  writer.u8(recordVersion);
  writeLives(writer, lives);
  return writer.bytes.slice(0, writer.at);
}

/** None where the bytes are no such record: a node without a past finds all that others know. */
export function decodeLives(bytes: Uint8Array | undefined): readonly Life[] {
  return decoded(bytes, (reader) => readLives(reader, ownLivesMax)) ?? [];
}

export function encodeSeen(seen: ReadonlyMap<NodeId, readonly Life[]>): Uint8Array {
  const writer = new Writer(256);
  writer.u8(recordVersion);
  writer.count(seen.size);
  for (const [node, lives] of seen) {
    writer.varint(node);
    writeLives(writer, lives);
  }
  return writer.bytes.slice(0, writer.at);
}

export function decodeSeen(bytes: Uint8Array | undefined): Map<NodeId, readonly Life[]> {
  const seen = decoded(bytes, (reader) => {
    const lives = new Map<NodeId, readonly Life[]>();
    for (let left = reader.count(nodeBytesMin, membersMax); left > 0; left--) {
      lives.set(reader.varint(), readLives(reader, seenLivesMax));
    }
    return lives;
  });
  return seen ?? new Map();
}

/**
 * Whether the directory with this past knows that life. What ran before all that it remembers
 * cannot be told any more, and is taken for known.
 */
export function isKnown({ started, heartbeat }: Life, past: readonly Life[]): boolean {
  const own = past.find((life) => life.started === started);
  if (own !== undefined) return heartbeat <= own.heartbeat;
  const [oldest] = past;
  return oldest !== undefined && past.length >= ownLivesMax && started < oldest.started;
}

/** With one more, in the order of their starts; the oldest give way. */
export function withLife(lives: readonly Life[], life: Life, max: number): readonly Life[] {
  const known = lives.find(({ started }) => started === life.started);
  const heartbeat = Math.max(life.heartbeat, known?.heartbeat ?? 0);
  const others = lives.filter((other) => other !== known);
  const all = [...others, { started: life.started, heartbeat }];
  return all.sort((a, b) => a.started - b.started).slice(-max);
}

function decoded<T>(bytes: Uint8Array | undefined, read: (reader: Reader) => T): T | undefined {
  if (bytes === undefined) return undefined;
  const reader = new Reader(bytes);
  try {
    if (reader.u8() !== recordVersion) return undefined;
    const value = read(reader);
    reader.finish();
    return value;
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
