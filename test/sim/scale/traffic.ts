/** What nodes say to each other, counted by kind: messages, and their bytes in a frame. */
import type { NodeId } from "../../../src/core/ids.ts";
import type { Message } from "../../../src/core/message.ts";
import { FrameWriter } from "../../../src/core/wire/codec.ts";

export interface Sum {
  readonly messages: number;
  readonly bytes: number;
}

type Kind = Message["kind"];

/** What a put or a get is made of, between nodes. */
export const requestKinds: readonly Kind[] = [
  ...(["read", "read-reply", "write", "write-reply", "forward", "forward-reply"] as const),
  ...(["list", "list-reply", "hints", "hints-reply"] as const),
];

/** What nodes tell and ask each other to know who is there. */
export const gossipKinds: readonly Kind[] = [
  ...(["gossip", "gossip-reply", "ping", "pong", "ping-for", "pong-for"] as const),
  ...(["lives-ask", "lives"] as const),
];

/** Of a frame that holds nothing: each message is one of many in a frame of a busy node. */
const headBytes = 10;

export class Traffic {
  #sums = new Map<Kind, { messages: number; bytes: number }>();

  sent(from: NodeId, to: NodeId, message: Message): void {
    if (from === to) return;
    const writer = new FrameWriter();
    writer.add(message);
    let sum = this.#sums.get(message.kind);
    if (sum === undefined) {
      sum = { messages: 0, bytes: 0 };
      this.#sums.set(message.kind, sum);
    }
    sum.messages += 1;
    for (const frame of writer.take()) sum.bytes += frame.length - headBytes;
  }

  /** Of these kinds, or of all, since `forget`. */
  sumOf(kinds?: readonly Kind[]): Sum {
    const sum = { messages: 0, bytes: 0 };
    for (const [kind, { messages, bytes }] of this.#sums) {
      if (kinds !== undefined && !kinds.includes(kind)) continue;
      sum.messages += messages;
      sum.bytes += bytes;
    }
    return sum;
  }

  forget(): void {
    this.#sums = new Map();
  }
}
