/** The byte that names each kind of message, and the lane on which it travels. */
import type { Lane, Message } from "../message.ts";

export type Kind = Message["kind"];

/** The high digit is the group. A number that was ever given away is never used for another. */
export const kinds = {
  read: 0x01,
  "read-reply": 0x02,
  write: 0x03,
  "write-reply": 0x04,
  forward: 0x05,
  "forward-reply": 0x06,
  list: 0x07,
  "list-reply": 0x08,
  hints: 0x10,
  "hints-reply": 0x11,
  "no-hints": 0x12,
  "tree-open": 0x20,
  "tree-nodes": 0x21,
  "tree-leaves": 0x22,
  "tree-pull": 0x23,
  "tree-push": 0x24,
  "tree-close": 0x25,
  prepare: 0x30,
  promise: 0x31,
  accept: 0x32,
  accepted: 0x33,
  rejected: 0x34,
  "ring-ask": 0x35,
  ring: 0x36,
  gossip: 0x40,
  "gossip-reply": 0x41,
  ping: 0x42,
  pong: 0x43,
  "ping-for": 0x44,
  "pong-for": 0x45,
  "lives-ask": 0x46,
  lives: 0x47,
  survey: 0x50,
  "survey-reply": 0x51,
  "context-keys": 0x52,
  request: 0x60,
  result: 0x61,
  "watch-ring": 0x62,
  "ring-news": 0x63,
  "go-away": 0x64,
  "transfer-ask": 0x70,
  "transfer-chunk": 0x71,
  "transfer-close": 0x72,
  "filled-ask": 0x73,
  filled: 0x74,
  "cut-ask": 0x80,
  cut: 0x81,
  "loose-ask": 0x82,
  loose: 0x83,
  seal: 0x84,
  sealed: 0x85,
  floor: 0x86,
  rounds: 0x87,
} as const satisfies Record<Kind, number>;

/** Whatever a client waits for is data; what keeps the cluster together is never behind it. */
const laneOfGroup: readonly Lane[] = [
  "data",
  "bulk",
  "bulk",
  "control",
  "control",
  "control",
  "data",
  "bulk",
  "bulk",
];

export function laneOf(kind: Kind): Lane {
  // Pages of a scan are long, and a get must not wait for them.
  if (kind === "list" || kind === "list-reply") return "bulk";
  return laneOfGroup[kinds[kind] >> 4] ?? "data";
}
