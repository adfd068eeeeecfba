/** Hints on their way to their owner. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { HintMessage } from "../message.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import { readEntries, writeEntries } from "./versions.ts";
import type { Writer } from "./writer.ts";

export function writeHint(writer: Writer, message: HintMessage): void {
  writer.u8(kinds[message.kind]);
  switch (message.kind) {
    case "hints":
      writer.varint(message.request);
      writer.varint(message.round);
      writeEntries(writer, message.entries);
      break;
    case "hints-reply":
      writer.varint(message.request);
      writer.u8(Number(message.stored));
      break;
    case "no-hints":
      writer.varint(message.since);
      break;
    default:
      unreachable(message);
  }
}

export function readHint(reader: Reader, code: number): HintMessage {
  switch (code) {
    case kinds.hints: {
      const request = reader.varint();
      const round = reader.varint();
      return { kind: "hints", request, entries: readEntries(reader), round };
    }
    case kinds["hints-reply"]: {
      const request = reader.varint();
      return { kind: "hints-reply", request, stored: reader.below(2, "answer to hints") === 1 };
    }
    case kinds["no-hints"]:
      return { kind: "no-hints", since: reader.varint() };
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}
