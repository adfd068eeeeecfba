/** Messages about one key at one replica, and pages of a partition. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { NodeId } from "../ids.ts";
import { membersMax } from "../limits.ts";
import type { ReplicaMessage, Standing } from "../message.ts";
import { readCommand, writeCommand } from "./command.ts";
import { readHash, readKey, writeHash, writeKey } from "./key.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import { readResult, writeResult } from "./result.ts";
import { readEntries, readVersions, writeEntries, writeVersions } from "./versions.ts";
import type { Writer } from "./writer.ts";

type Of<K extends ReplicaMessage["kind"]> = Extract<ReplicaMessage, { readonly kind: K }>;

const standings: readonly Standing[] = ["current", "catching-up", "rebuilding"];
const outcomes: readonly Of<"write-reply">["outcome"][] = [
  "stored",
  "stale-round",
  "not-owner",
  "refused",
];

export function writeReplica(writer: Writer, message: ReplicaMessage): void {
  writer.u8(kinds[message.kind]);
  writer.varint(message.request);
  switch (message.kind) {
    case "read":
      writer.u8(Number(message.full));
      writeKey(writer, message.key);
      writer.millis(message.deadlineMs);
      break;
    case "read-reply":
      writeReadReply(writer, message);
      break;
    case "write":
      writer.u8(Number(message.repair) | (message.relay.length === 0 ? 0 : 2));
      writeKey(writer, message.key);
      writeVersions(writer, message.versions);
      writer.varint(message.round);
      writeNodes(writer, message.hintFor);
      if (message.relay.length > 0) writeNodes(writer, message.relay);
      writer.millis(message.deadlineMs);
      break;
    case "write-reply":
      writer.u8(outcomes.indexOf(message.outcome) | (message.failure === undefined ? 0 : 4));
      if (message.failure !== undefined) writer.text(message.failure);
      break;
    case "forward":
      writer.varint(message.started);
      writeCommand(writer, message.command);
      break;
    case "forward-reply":
      writeResult(writer, message.result);
      break;
    case "list":
      writer.varint(message.partition);
      writer.u8(message.after === undefined ? 0 : 1);
      if (message.after !== undefined) writeKey(writer, message.after);
      writer.varint(message.limit);
      break;
    case "list-reply":
      writer.u8(standings.indexOf(message.standing));
      writer.u8(Number(message.isEnd) | (message.failure === undefined ? 0 : 2));
      writeEntries(writer, message.entries);
      if (message.failure !== undefined) writer.text(message.failure);
      break;
    default:
      unreachable(message);
  }
}

export function readReplica(reader: Reader, code: number): ReplicaMessage {
  const request = reader.varint();
  switch (code) {
    case kinds.read: {
      const full = reader.below(2, "kind of read") === 1;
      return { kind: "read", request, key: readKey(reader), full, deadlineMs: reader.varint() };
    }
    case kinds["read-reply"]:
      return readReadReply(reader, request);
    case kinds.write: {
      const flags = reader.below(4, "kind of write");
      return {
        kind: "write",
        request,
        key: readKey(reader),
        versions: readVersions(reader),
        round: reader.varint(),
        hintFor: readNodes(reader),
        relay: (flags & 2) === 0 ? [] : readRelay(reader),
        repair: (flags & 1) !== 0,
        deadlineMs: reader.varint(),
      };
    }
    case kinds["write-reply"]: {
      const flags = reader.below(8, "outcome of a write");
      const outcome = outcomes[flags & 3]!;
      const failure = (flags & 4) === 0 ? undefined : reader.text();
      return { kind: "write-reply", request, outcome, failure };
    }
    case kinds.forward:
      return { kind: "forward", request, started: reader.varint(), command: readCommand(reader) };
    case kinds["forward-reply"]:
      return { kind: "forward-reply", request, result: readResult(reader) };
    case kinds.list: {
      const partition = reader.varint();
      const after = reader.below(2, "beginning of a page") === 1 ? readKey(reader) : undefined;
      return { kind: "list", request, partition, after, limit: reader.varint() };
    }
    case kinds["list-reply"]: {
      const standing = standings[reader.below(3, "standing")]!;
      const flags = reader.below(4, "page");
      const entries = readEntries(reader);
      const isEnd = (flags & 1) !== 0;
      const failure = (flags & 2) === 0 ? undefined : reader.text();
      return { kind: "list-reply", request, standing, entries, isEnd, failure };
    }
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

export function writeNodes(writer: Writer, nodes: readonly NodeId[]): void {
  writer.count(nodes.length);
  for (const node of nodes) writer.varint(node);
}

export function readNodes(reader: Reader): readonly NodeId[] {
  const nodes: NodeId[] = [];
  for (let left = reader.count(1, membersMax); left > 0; left--) nodes.push(reader.varint());
  return nodes;
}

/** Where there is nobody to pass a write on to, its flags say so: every message has one form. */
function readRelay(reader: Reader): readonly NodeId[] {
  const start = reader.place;
  const nodes = readNodes(reader);
  if (nodes.length === 0) reader.fail("a write to be passed on to nobody", start);
  return nodes;
}

function writeReadReply(writer: Writer, message: Of<"read-reply">): void {
  const { versions, failure } = message;
  const more = (versions === undefined ? 0 : 4) | (failure === undefined ? 0 : 8);
  writer.u8(standings.indexOf(message.standing) | more);
  writer.varint(message.round);
  writeHash(writer, message.digest);
  if (versions !== undefined) writeVersions(writer, versions);
  if (failure !== undefined) writer.text(failure);
}

function readReadReply(reader: Reader, request: number): ReplicaMessage {
  const flags = reader.below(16, "answer to a read");
  const standing = standings[flags & 3];
  if (standing === undefined) return reader.fail("3 is no standing");
  return {
    kind: "read-reply",
    request,
    standing,
    round: reader.varint(),
    digest: readHash(reader),
    versions: (flags & 4) === 0 ? undefined : readVersions(reader),
    failure: (flags & 8) === 0 ? undefined : reader.text(),
  };
}
