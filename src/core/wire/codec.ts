/**
 * The one place where messages become bytes and bytes messages; ../../WIRE.md shows each of them.
 * A frame is a header and messages, each behind its length. Decoding gives a message or says what
 * is wrong and where: it never throws, and never believes a count that the bytes cannot hold.
 */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import { frameBytesAim, frameBytesMax } from "../limits.ts";
import type {
  ClientMessage,
  HintMessage,
  Message,
  ReplicaMessage,
  TransferMessage,
  TreeMessage,
} from "../message.ts";
import { readCleanup, writeCleanup } from "./cleanup.ts";
import { readClient, writeClient } from "./client.ts";
import { readEpoch, writeEpoch } from "./epoch.ts";
import { readGossip, readSurvey, writeGossip, writeSurvey } from "./gossip.ts";
import { readHint, writeHint } from "./hint.ts";
import { readKeys, writeKeys } from "./keys.ts";
import { kinds } from "./kinds.ts";
import { Malformed, Reader } from "./reader.ts";
import { readReplica, writeReplica } from "./replica.ts";
import { readTransfer, writeTransfer } from "./transfer.ts";
import { readTree, writeTree } from "./tree.ts";
import { TooLong, Writer } from "./writer.ts";

export { laneOf } from "./kinds.ts";

/** What the sender of a frame says of itself; zeros say nothing. */
export interface Mark {
  /** The first 32 bits of the cluster's id. */
  readonly clusterTag: number;
  /** The epoch in which it acts. */
  readonly epoch: number;
}

type AboutData = ReplicaMessage | HintMessage | TreeMessage | TransferMessage | ClientMessage;
type Upkeep = Exclude<Message, AboutData>;

export type Frame =
  | {
      readonly kind: "frame";
      readonly clusterTag: number;
      readonly epoch: number;
      readonly messages: readonly Message[];
    }
  /** `at` is the offset in the frame where nothing made sense any more. */
  | { readonly kind: "invalid"; readonly at: number; readonly why: string };

const version = 1;
const lengthBytes = 4;
/** More than fit into a frame of the usual size. */
const messagesMax = 1 << 14;
const unmarked: Mark = { clusterTag: 0, epoch: 0 };

/** The message that was written last, and where it still stands, if it does. */
const last: {
  message: Message | undefined;
  frame: FrameWriter | undefined;
  start: number;
  end: number;
} = { message: undefined, frame: undefined, start: 0, end: 0 };

/** Gathers messages into frames of about frameBytesAim. */
export class FrameWriter {
  readonly #mark: () => Mark;
  readonly #writer = new Writer(1024);
  #messages = 0;
  #full: Uint8Array[] = [];
  #fullBytes = 0;

  /** The mark is asked for when a frame begins. */
  constructor(mark: () => Mark = () => unmarked) {
    this.#mark = mark;
  }

  get bytesHeld(): number {
    return this.#fullBytes + this.#writer.at;
  }

  /** False when no frame can hold the message: it is not added, for nobody could read it. */
  add(message: Message): boolean {
    const writer = this.#writer;
    if (writer.at === 0) this.#begin();
    const start = writer.at;
    try {
      if (last.message === message && last.frame !== undefined) this.#copy(last.frame);
      else {
        writer.u32(0);
        writeMessage(writer, message);
      }
    } catch (error) {
      writer.at = this.#messages === 0 ? 0 : start;
      if (error instanceof TooLong) return false;
      throw error;
    }
    const end = writer.at;
    writer.at = start;
    writer.u32(end - start - lengthBytes);
    writer.at = end;
    last.message = message;
    last.frame = this;
    last.start = start;
    last.end = end;
    this.#messages += 1;
    if (end >= frameBytesAim || this.#messages === messagesMax) this.#finish();
    return true;
  }

  /** The frames of all that was added since, mostly one. They belong to the caller. */
  take(): readonly Uint8Array[] {
    if (this.#messages > 0) this.#finish();
    const frames = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    return frames;
  }

  #begin(): void {
    const writer = this.#writer;
    writer.u8(version);
    writer.u8(0);
    const { clusterTag, epoch } = this.#mark();
    writer.u32(clusterTag);
    writer.u32(epoch);
  }

  /** What goes to several peers is encoded once: a copy takes a fifth of the time. */
  #copy(frame: FrameWriter): void {
    const { bytes } = frame.#writer;
    const { start, end } = last;
    this.#writer.raw(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start));
  }

  #finish(): void {
    if (last.frame === this) last.frame = undefined;
    const writer = this.#writer;
    const frame = writer.bytes.slice(0, writer.at);
    this.#full.push(frame);
    this.#fullBytes += frame.length;
    this.#messages = 0;
    writer.at = 0;
    // One long message must not keep its space for ever.
    if (writer.bytes.length > 4 * frameBytesAim) writer.bytes = new Uint8Array(frameBytesAim);
  }
}

export function decodeFrame(bytes: Uint8Array): Frame {
  const reader = new Reader(bytes);
  const messages: Message[] = [];
  try {
    if (bytes.length > frameBytesMax) reader.fail(`a frame of ${bytes.length} bytes`);
    const spoken = reader.u8();
    if (spoken !== version) reader.fail(`version ${spoken}, where this is ${version}`, 0);
    reader.below(1, "flag");
    const clusterTag = reader.u32();
    const epoch = reader.u32();
    let at = reader.at;
    while (at < bytes.length) {
      reader.enter(bytes, at, bytes.length);
      const length = reader.u32();
      const start = at + lengthBytes;
      const rest = bytes.length - start;
      if (length > rest || messages.length === messagesMax) {
        reader.fail(`a message of ${length} bytes, where ${rest} remain`, at);
      }
      at = start + length;
      reader.enter(bytes, start, at);
      messages.push(readMessage(reader));
      reader.finish();
    }
    return { kind: "frame", clusterTag, epoch, messages };
  } catch (error) {
    if (error instanceof Malformed) return { kind: "invalid", at: error.place, why: error.message };
    throw error;
  }
}

function writeMessage(writer: Writer, message: Message): void {
  switch (message.kind) {
    case "read":
    case "read-reply":
    case "write":
    case "write-reply":
    case "forward":
    case "forward-reply":
    case "list":
    case "list-reply":
      writeReplica(writer, message);
      break;
    case "request":
    case "result":
    case "watch-ring":
    case "ring-news":
    case "go-away":
      writeClient(writer, message);
      break;
    case "hints":
    case "hints-reply":
    case "no-hints":
      writeHint(writer, message);
      break;
    case "tree-open":
    case "tree-nodes":
    case "tree-leaves":
    case "tree-pull":
    case "tree-push":
    case "tree-close":
      writeTree(writer, message);
      break;
    case "transfer-ask":
    case "transfer-chunk":
    case "transfer-close":
    case "filled-ask":
    case "filled":
      writeTransfer(writer, message);
      break;
    default:
      writeUpkeep(writer, message);
  }
}

/** What keeps the cluster together. */
function writeUpkeep(writer: Writer, message: Upkeep): void {
  switch (message.kind) {
    case "cut-ask":
    case "cut":
    case "loose-ask":
    case "loose":
    case "seal":
    case "sealed":
    case "floor":
    case "rounds":
      writeCleanup(writer, message);
      break;
    case "prepare":
    case "promise":
    case "accept":
    case "accepted":
    case "rejected":
    case "ring-ask":
    case "ring":
      writeEpoch(writer, message);
      break;
    case "gossip":
    case "gossip-reply":
    case "ping":
    case "pong":
    case "ping-for":
    case "pong-for":
    case "lives-ask":
    case "lives":
      writeGossip(writer, message);
      break;
    case "survey":
    case "survey-reply":
      writeSurvey(writer, message);
      break;
    case "context-keys":
      writeKeys(writer, message);
      break;
    default:
      unreachable(message);
  }
}

/** The high digit of the kind is the group; each group refuses the kinds that it has not. */
function readMessage(reader: Reader): Message {
  const code = reader.u8();
  switch (code >> 4) {
    case 0:
      return readReplica(reader, code);
    case 1:
      return readHint(reader, code);
    case 2:
      return readTree(reader, code);
    case 3:
      return readEpoch(reader, code);
    case 4:
      return readGossip(reader, code);
    case 5:
      return code === kinds["context-keys"] ? readKeys(reader) : readSurvey(reader, code);
    case 6:
      return readClient(reader, code);
    case 7:
      return readTransfer(reader, code);
    case 8:
      return readCleanup(reader, code);
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}
