/** Between a client and a node: commands and results, each with its sealed context beside it. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { ClientMessage } from "../message.ts";
import { readCommand, writeCommand } from "./command.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import { readNodes, writeNodes } from "./replica.ts";
import { readResult, writeResult } from "./result.ts";
import { readRing, writeRing } from "./ring.ts";
import type { Writer } from "./writer.ts";

export function writeClient(writer: Writer, message: ClientMessage): void {
  writer.u8(kinds[message.kind]);
  switch (message.kind) {
    case "request":
      writer.varint(message.request);
      writeToken(writer, message.token);
      writeCommand(writer, message.command);
      break;
    case "result":
      writer.varint(message.request);
      writeToken(writer, message.token);
      writeResult(writer, message.result);
      break;
    case "watch-ring":
    case "go-away":
      break;
    case "ring-news":
      writeRing(writer, message.state);
      writeNodes(writer, message.down);
      break;
    default:
      unreachable(message);
  }
}

export function readClient(reader: Reader, code: number): ClientMessage {
  switch (code) {
    case kinds.request: {
      const request = reader.varint();
      const token = readToken(reader);
      return { kind: "request", request, command: readCommand(reader), token };
    }
    case kinds.result: {
      const request = reader.varint();
      const token = readToken(reader);
      return { kind: "result", request, result: readResult(reader), token };
    }
    case kinds["watch-ring"]:
      return { kind: "watch-ring" };
    case kinds["ring-news"]:
      return { kind: "ring-news", state: readRing(reader), down: readNodes(reader) };
    case kinds["go-away"]:
      return { kind: "go-away" };
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

function writeToken(writer: Writer, token: Uint8Array | undefined): void {
  writer.u8(token === undefined ? 0 : 1);
  if (token !== undefined) writer.block(token);
}

function readToken(reader: Reader): Uint8Array | undefined {
  return reader.below(2, "kind of context") === 0 ? undefined : reader.block();
}
