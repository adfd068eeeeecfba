/** Agreement on the next epoch. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { Ballot, EpochMessage } from "../message.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import { readRing, writeRing } from "./ring.ts";
import type { Writer } from "./writer.ts";

export function writeEpoch(writer: Writer, message: EpochMessage): void {
  writer.u8(kinds[message.kind]);
  switch (message.kind) {
    case "prepare":
    case "accepted":
    case "rejected":
      writer.varint(message.epoch);
      writeBallot(writer, message.ballot);
      break;
    case "promise":
      writer.varint(message.epoch);
      writeBallot(writer, message.ballot);
      writer.u8(message.accepted === undefined ? 0 : 1);
      if (message.accepted === undefined) return;
      writeBallot(writer, message.accepted.ballot);
      writeRing(writer, message.accepted.state);
      break;
    case "accept":
      writer.varint(message.epoch);
      writeBallot(writer, message.ballot);
      writeRing(writer, message.state);
      break;
    case "ring-ask":
      break;
    case "ring":
      writeRing(writer, message.state);
      break;
    default:
      unreachable(message);
  }
}

export function readEpoch(reader: Reader, code: number): EpochMessage {
  switch (code) {
    case kinds.prepare:
      return { kind: "prepare", epoch: reader.varint(), ballot: readBallot(reader) };
    case kinds.promise: {
      const epoch = reader.varint();
      const ballot = readBallot(reader);
      const accepted =
        reader.below(2, "promise") === 0
          ? undefined
          : { ballot: readBallot(reader), state: readRing(reader) };
      return { kind: "promise", epoch, ballot, accepted };
    }
    case kinds.accept: {
      const epoch = reader.varint();
      return { kind: "accept", epoch, ballot: readBallot(reader), state: readRing(reader) };
    }
    case kinds.accepted:
      return { kind: "accepted", epoch: reader.varint(), ballot: readBallot(reader) };
    case kinds.rejected:
      return { kind: "rejected", epoch: reader.varint(), ballot: readBallot(reader) };
    case kinds["ring-ask"]:
      return { kind: "ring-ask" };
    case kinds.ring:
      return { kind: "ring", state: readRing(reader) };
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

function writeBallot(writer: Writer, { round, node }: Ballot): void {
  writer.varint(round);
  writer.varint(node);
}

function readBallot(reader: Reader): Ballot {
  return { round: reader.varint(), node: reader.varint() };
}
