/** Heartbeats, probes, past lives, and what an administrator asks of everybody. */
import { unreachable } from "../../../native-free-engine/base/assert.ts";
import { membersMax, ownLivesMax } from "../limits.ts";
import type { LivesMessage } from "../members/lives-message.ts";
import type { GossipMessage, Heartbeat, SurveyMessage } from "../message.ts";
import { kinds } from "./kinds.ts";
import { readLives, writeLives } from "./lives.ts";
import type { Reader } from "./reader.ts";
import { readNodes, writeNodes } from "./replica.ts";
import type { Writer } from "./writer.ts";

const heartbeatBytesMin = 7;

export function writeGossip(writer: Writer, message: GossipMessage | LivesMessage): void {
  writer.u8(kinds[message.kind]);
  switch (message.kind) {
    case "gossip":
    case "gossip-reply":
      writer.count(message.heartbeats.length);
      for (const heartbeat of message.heartbeats) writeHeartbeat(writer, heartbeat);
      break;
    case "ping":
      writer.varint(message.sequence);
      break;
    case "pong":
      writer.varint(message.sequence);
      writer.millis(message.load);
      break;
    case "ping-for":
    case "pong-for":
      writer.varint(message.sequence);
      writer.varint(message.target);
      break;
    case "lives-ask":
      writer.varint(message.started);
      writeLives(writer, message.lives);
      break;
    case "lives":
      writer.varint(message.started);
      writeLives(writer, message.forgotten);
      break;
    default:
      unreachable(message);
  }
}

export function readGossip(reader: Reader, code: number): GossipMessage | LivesMessage {
  switch (code) {
    case kinds.gossip:
      return { kind: "gossip", heartbeats: readHeartbeats(reader) };
    case kinds["gossip-reply"]:
      return { kind: "gossip-reply", heartbeats: readHeartbeats(reader) };
    case kinds.ping:
      return { kind: "ping", sequence: reader.varint() };
    case kinds.pong:
      return { kind: "pong", sequence: reader.varint(), load: reader.varint() };
    case kinds["ping-for"]:
      return { kind: "ping-for", sequence: reader.varint(), target: reader.varint() };
    case kinds["pong-for"]:
      return { kind: "pong-for", sequence: reader.varint(), target: reader.varint() };
    case kinds["lives-ask"]: {
      const started = reader.varint();
      return { kind: "lives-ask", started, lives: readLives(reader, ownLivesMax) };
    }
    case kinds.lives: {
      const started = reader.varint();
      return { kind: "lives", started, forgotten: readLives(reader, ownLivesMax) };
    }
    default:
      return reader.fail(`${code} is no kind of message`);
  }
}

export function writeSurvey(writer: Writer, message: SurveyMessage): void {
  writer.u8(kinds[message.kind]);
  writer.varint(message.request);
  writer.text(message.kind === "survey" ? message.question : message.answer);
}

export function readSurvey(reader: Reader, code: number): SurveyMessage {
  const request = reader.varint();
  if (code === kinds.survey) return { kind: "survey", request, question: reader.text() };
  if (code === kinds["survey-reply"]) {
    return { kind: "survey-reply", request, answer: reader.text() };
  }
  return reader.fail(`${code} is no kind of message`);
}

function writeHeartbeat(writer: Writer, heartbeat: Heartbeat): void {
  writer.varint(heartbeat.node);
  writer.varint(heartbeat.started);
  writer.varint(heartbeat.heartbeat);
  writer.varint(heartbeat.epoch);
  writer.varint(heartbeat.hints);
  writer.varint(heartbeat.filling);
  writeNodes(writer, heartbeat.suspects);
}

function readHeartbeats(reader: Reader): readonly Heartbeat[] {
  const heartbeats: Heartbeat[] = [];
  for (let left = reader.count(heartbeatBytesMin, membersMax); left > 0; left--) {
    heartbeats.push({
      node: reader.varint(),
      started: reader.varint(),
      heartbeat: reader.varint(),
      epoch: reader.varint(),
      hints: reader.varint(),
      filling: reader.varint(),
      suspects: readNodes(reader),
    });
  }
  return heartbeats;
}
