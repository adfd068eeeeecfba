/** Clean-up rounds: what was seen, what is in the way, and the floors that come of it. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import type { CleanupMessage, PartitionRound } from "../cleanup/message.ts";
import type { Dot } from "../clock/versions.ts";
import { kinds } from "./kinds.ts";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

const eventBytesMin = 9;

export function writeCleanup(writer: Writer, message: CleanupMessage): void {
  writer.u8(kinds[message.kind]);
  if (message.kind === "rounds") {
    writer.count(message.rounds.length);
    for (const { partition, round } of message.rounds) {
      writer.varint(partition);
      writer.varint(round);
    }
    return;
  }
  writer.varint(message.partition);
  if (message.kind === "floor") {
    writer.varint(message.floor.round);
    writer.varint(message.floor.expiredBefore);
    writeEvents(writer, message.floor.events);
    return;
  }
  writer.varint(message.attempt);
  switch (message.kind) {
    case "cut-ask":
      writer.varint(message.epoch);
      writer.varint(message.expiredBefore);
      break;
    case "cut":
      writer.u8(Number(message.isReady));
      writer.varint(message.round);
      writer.varint(message.promised);
      writeEvents(writer, message.events);
      break;
    case "loose-ask":
      writer.varint(message.epoch);
      break;
    case "loose":
      writer.u8(Number(message.isFree));
      break;
    case "seal":
      writer.varint(message.epoch);
      writer.varint(message.round);
      break;
    case "sealed":
      writer.u8(Number(message.isSealed));
      break;
    default:
      unreachable(message);
  }
}

export function readCleanup(reader: Reader, code: number): CleanupMessage {
  if (code === kinds.rounds) return { kind: "rounds", rounds: readRounds(reader) };
  const partition = reader.varint();
  if (code === kinds.floor) {
    const [round, expiredBefore] = [reader.varint(), reader.varint()];
    const floor = { round, expiredBefore, events: readEvents(reader) };
    return { kind: "floor", partition, floor };
  }
  const about = { partition, attempt: reader.varint() };
  switch (code) {
    case kinds["cut-ask"]:
      return {
        kind: "cut-ask",
        ...{ ...about, epoch: reader.varint(), expiredBefore: reader.varint() },
      };
    case kinds.cut: {
      const isReady = reader.below(2, "answer to a cut") === 1;
      const [round, promised] = [reader.varint(), reader.varint()];
      return { kind: "cut", ...about, isReady, round, promised, events: readEvents(reader) };
    }
    case kinds["loose-ask"]:
      return { kind: "loose-ask", ...about, epoch: reader.varint() };
    case kinds.loose:
      return { kind: "loose", ...about, isFree: reader.below(2, "answer") === 1 };
    case kinds.seal:
      return { kind: "seal", ...about, epoch: reader.varint(), round: reader.varint() };
    case kinds.sealed:
      return { kind: "sealed", ...about, isSealed: reader.below(2, "answer to a seal") === 1 };
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

function writeEvents(writer: Writer, events: readonly Dot[]): void {
  writer.count(events.length);
  for (const { actor, counter } of events) {
    writer.hex(actor, 8);
    writer.varint(counter);
  }
}

function readEvents(reader: Reader): readonly Dot[] {
  const events: Dot[] = [];
  for (let left = reader.count(eventBytesMin); left > 0; left--) {
    const start = reader.place;
    const actor = reader.actor();
    const last = events.at(-1);
    if (last !== undefined && last.actor >= actor) reader.fail("events out of order", start);
    const counter = reader.varint();
    if (counter === 0) reader.fail("an event with the counter 0", start);
    events.push({ actor, counter });
  }
  return events;
}

function readRounds(reader: Reader): readonly PartitionRound[] {
  const rounds: PartitionRound[] = [];
  for (let left = reader.count(2); left > 0; left--) {
    rounds.push({ partition: reader.varint(), round: reader.varint() });
  }
  return rounds;
}
