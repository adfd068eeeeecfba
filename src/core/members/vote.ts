/**
 * What one voter has promised and accepted for one epoch: the memory that single-decree consensus
 * (Lamport, "Paxos made simple") rests on. It is durable before anything of it is told to others.
 *
 * As saved: a version byte, then as varints the generation, the epoch, the round and node of the
 * ballot promised, 0 or 1, and for 1 the ballot accepted, followed by the state to the end.
 */
import type { Ballot } from "../message.ts";
import type { RingState } from "../ring/ring-state.ts";
import { Malformed, Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";

export interface Accepted {
  readonly ballot: Ballot;
  readonly state: RingState;
}

export interface Vote {
  readonly generation: number;
  readonly epoch: number;
  readonly promised: Ballot;
  readonly accepted: Accepted | undefined;
}

export const noBallot: Ballot = { round: 0, node: 0 };
const recordVersion = 1;

/** Negative when `a` came before `b`. No two nodes ever have the same ballot. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.node - b.node;
}

/** Of what voters accepted, that which may have been decided. */
export function latestAccepted(accepted: readonly (Accepted | undefined)[]): Accepted | undefined {
  return accepted.reduce(
    (best, one) =>
      one !== undefined && (best === undefined || compareBallots(one.ballot, best.ballot) > 0)
        ? one
        : best,
    undefined,
  );
}

export function encodeVote(vote: Vote, encode: (state: RingState) => Uint8Array): Uint8Array {
  const { generation, epoch, promised, accepted } = vote;
  const writer = new Writer(64);
  writer.u8(recordVersion);
  for (const number of [generation, epoch, promised.round, promised.node]) writer.varint(number);
  writer.u8(accepted === undefined ? 0 : 1);
  if (accepted !== undefined) {
    writer.varint(accepted.ballot.round);
    writer.varint(accepted.ballot.node);
    writer.raw(encode(accepted.state));
  }
  return writer.bytes.slice(0, writer.at);
}

/** `undefined` for bytes that are no vote. */
export function decodeVote(
  bytes: Uint8Array,
  decode: (bytes: Uint8Array) => RingState | undefined,
): Vote | undefined {
  const reader = new Reader(bytes);
  try {
    if (reader.u8() !== recordVersion) return undefined;
    const generation = reader.varint();
    const epoch = reader.varint();
    const promised = { round: reader.varint(), node: reader.varint() };
    if (reader.below(2, "vote") === 0) {
      reader.finish();
      return { generation, epoch, promised, accepted: undefined };
    }
    const ballot = { round: reader.varint(), node: reader.varint() };
    const state = decode(bytes.subarray(reader.at));
    return state === undefined
      ? undefined
      : { generation, epoch, promised, accepted: { ballot, state } };
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}
