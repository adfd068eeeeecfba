/** Partitions on their way to other owners. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { TransferMessage } from "../message.ts";
import { readHash, readKey, writeHash, writeKey } from "./key.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import { readNumbers, writeNumbers } from "./tree.ts";
import { readEntries, writeEntries } from "./versions.ts";
import type { Writer } from "./writer.ts";

type Close = Extract<TransferMessage, { readonly kind: "transfer-close" }>;

const outcomes: readonly Close["outcome"][] = ["equal", "differs", "busy", "refused"];

export function writeTransfer(writer: Writer, message: TransferMessage): void {
  writer.u8(kinds[message.kind]);
  switch (message.kind) {
    case "transfer-ask":
      writer.varint(message.transfer);
      writer.varint(message.partition);
      writeHash(writer, message.root);
      writer.block(message.skip);
      writer.varint(message.chunks);
      writer.u8(message.after === undefined ? 0 : 1);
      if (message.after !== undefined) writeKey(writer, message.after);
      break;
    case "transfer-chunk":
      writer.varint(message.transfer);
      writer.varint(message.partition);
      writer.varint(message.index);
      writer.varint(message.round);
      writer.u8(message.next === undefined ? 0 : 1);
      if (message.next !== undefined) writeKey(writer, message.next);
      writeEntries(writer, message.entries);
      break;
    case "transfer-close":
      writer.varint(message.transfer);
      writer.varint(message.partition);
      writer.u8(outcomes.indexOf(message.outcome));
      break;
    case "filled-ask":
    case "filled":
      writer.varint(message.epoch);
      writeNumbers(writer, message.partitions);
      break;
    default:
      unreachable(message);
  }
}

export function readTransfer(reader: Reader, code: number): TransferMessage {
  switch (code) {
    case kinds["transfer-ask"]: {
      const about = { transfer: reader.varint(), partition: reader.varint() };
      const root = readHash(reader);
      const skip = reader.block();
      const chunks = reader.varint();
      return { kind: "transfer-ask", ...about, root, skip, chunks, after: readPlace(reader) };
    }
    case kinds["transfer-chunk"]: {
      const about = { transfer: reader.varint(), partition: reader.varint() };
      const index = reader.varint();
      const round = reader.varint();
      const next = readPlace(reader);
      return { kind: "transfer-chunk", ...about, index, round, next, entries: readEntries(reader) };
    }
    case kinds["transfer-close"]: {
      const about = { transfer: reader.varint(), partition: reader.varint() };
      const outcome = outcomes[reader.below(4, "end of a transfer")]!;
      return { kind: "transfer-close", ...about, outcome };
    }
    case kinds["filled-ask"]:
      return { kind: "filled-ask", epoch: reader.varint(), partitions: readNumbers(reader) };
    case kinds.filled:
      return { kind: "filled", epoch: reader.varint(), partitions: readNumbers(reader) };
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

function readPlace(reader: Reader) {
  return reader.below(2, "place in a partition") === 1 ? readKey(reader) : undefined;
}
