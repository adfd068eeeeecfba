/** A client's wish. Whether its numbers make sense is for the coordinator to say, in words. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { Command } from "../message.ts";
import { readBucket, readNamedKey, writeNamedKey } from "./key.ts";
import type { Reader } from "./reader.ts";
import { readContext, readOperation, writeContext } from "./versions.ts";
import type { Writer } from "./writer.ts";

type Of<K extends Command["kind"]> = Extract<Command, { readonly kind: K }>;

const commands = { get: 1, put: 2, scan: 3, admin: 4 } as const;

const isStrict = 1;
const isTraced = 2;
/** Of a put: */
const hasContext = 4;
const hasValue = 8;
const isRetried = 16;

export function writeCommand(writer: Writer, command: Command): void {
  writer.u8(commands[command.kind]);
  switch (command.kind) {
    case "get":
      writer.u8((command.strict ? isStrict : 0) | (command.trace ? isTraced : 0));
      writeNamedKey(writer, command.key);
      writeOptional(writer, command.r);
      writer.millis(command.deadlineMs);
      break;
    case "put":
      writePut(writer, command);
      break;
    case "scan":
      writer.varint(command.partition);
      writer.u8(command.after === undefined ? 0 : 1);
      if (command.after !== undefined) writeNamedKey(writer, command.after);
      writer.varint(command.limit);
      writer.text(command.bucket);
      writer.block(command.prefix);
      writer.millis(command.deadlineMs);
      break;
    case "admin":
      writer.text(command.name);
      writer.text(command.arguments);
      writer.millis(command.deadlineMs);
      break;
    default:
      unreachable(command);
  }
}

export function readCommand(reader: Reader): Command {
  const code = reader.u8();
  switch (code) {
    case commands.get: {
      const flags = reader.below(4, "kind of get");
      const key = readNamedKey(reader);
      const r = readOptional(reader);
      const deadlineMs = reader.varint();
      const strict = (flags & isStrict) !== 0;
      return { kind: "get", key, r, strict, deadlineMs, trace: (flags & isTraced) !== 0 };
    }
    case commands.put:
      return readPut(reader);
    case commands.scan: {
      const partition = reader.varint();
      const after = reader.below(2, "beginning of a page") === 1 ? readNamedKey(reader) : undefined;
      const limit = reader.varint();
      const bucket = readBucket(reader);
      const prefix = reader.block();
      const deadlineMs = reader.varint();
      return { kind: "scan", partition, after, limit, bucket, prefix, deadlineMs };
    }
    case commands.admin: {
      const name = reader.text();
      return { kind: "admin", name, arguments: reader.text(), deadlineMs: reader.varint() };
    }
    default:
      return reader.fail(`${code} is no command`);
  }
}

function writePut(writer: Writer, command: Of<"put">): void {
  const { context, value, operation } = command;
  writer.u8(
    (command.strict ? isStrict : 0) |
      (command.trace ? isTraced : 0) |
      (context === undefined ? 0 : hasContext) |
      (value === undefined ? 0 : hasValue) |
      (operation.retried ? isRetried : 0),
  );
  writeNamedKey(writer, command.key);
  if (context !== undefined) writeContext(writer, context);
  if (value !== undefined) writer.block(value);
  writeOptional(writer, command.ttlMs);
  writer.varint(operation.at);
  writer.u32(operation.nonce);
  writeOptional(writer, command.w);
  writer.millis(command.deadlineMs);
}

function readPut(reader: Reader): Command {
  const flags = reader.below(32, "kind of put");
  const key = readNamedKey(reader);
  const context = (flags & hasContext) === 0 ? undefined : readContext(reader);
  const value = (flags & hasValue) === 0 ? undefined : reader.block();
  const ttlMs = readOptional(reader);
  const operation = readOperation(reader, (flags & isRetried) !== 0);
  const w = readOptional(reader);
  const deadlineMs = reader.varint();
  const strict = (flags & isStrict) !== 0;
  const trace = (flags & isTraced) !== 0;
  return { kind: "put", key, context, value, ttlMs, operation, w, strict, deadlineMs, trace };
}

/** One more than the number, so that 0 says that there is none. */
function writeOptional(writer: Writer, number: number | undefined): void {
  writer.varint(number === undefined ? 0 : number + 1);
}

function readOptional(reader: Reader): number | undefined {
  const number = reader.varint();
  return number === 0 ? undefined : number - 1;
}
