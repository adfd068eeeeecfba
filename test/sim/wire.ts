/** What passes between the nodes of a world: every message crosses as bytes, also the smallest. */
import type { NodeId } from "../../src/core/ids.ts";
import type { Message } from "../../src/core/message.ts";
import { decodeFrame, FrameWriter } from "../../src/core/wire/codec.ts";
import type { Network } from "./network.ts";
import type { Timeline } from "./timeline.ts";
import type { Trace } from "./trace.ts";

export interface WireParts {
  readonly timeline: Timeline;
  readonly network: Network;
  readonly trace: Trace;
}

export class Wire {
  readonly #parts: WireParts;
  readonly #writer = new FrameWriter();

  constructor(parts: WireParts) {
    this.#parts = parts;
  }

  /** `deliver` is called for each copy that arrives, and there may be none. */
  send(
    way: { readonly from: NodeId; readonly to: NodeId },
    message: Message,
    deliver: (message: Message) => void,
  ): void {
    const { timeline, network, trace } = this.#parts;
    const { from, to } = way;
    trace.say(timeline.now, from, () => `sends ${to} ${JSON.stringify(message).slice(0, 200)}`);
    this.#writer.add(message);
    for (const bytes of this.#writer.take()) {
      trace.frame(timeline.now, way, bytes);
      network.send(from, to, bytes, (arrived) => {
        const frame = decodeFrame(arrived);
        if (frame.kind === "invalid") throw new Error(`a frame of ours is invalid: ${frame.why}`);
        for (const each of frame.messages) deliver(each);
      });
    }
  }
}
