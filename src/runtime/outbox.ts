/**
 * What is sent within one turn of the event loop leaves together: messages are encoded at once into
 * the frame of their connection, and all frames go out when the turn ends, or when one is full. The
 * bytes that wait are bounded: beyond the bound a message is dropped and counted, never kept.
 */
import { frameBytesAim } from "../core/limits.ts";
import type { Message } from "../core/message.ts";
import type { FrameWriter } from "../core/wire/codec.ts";
import type { Socket } from "./sockets.ts";

/** Ends the turn for all outboxes of a process with one callback. */
export class Turn {
  #due: Outbox[] = [];
  readonly #end = (): void => {
    const due = this.#due;
    this.#due = [];
    for (const outbox of due) outbox.flush();
  };

  add(outbox: Outbox): void {
    if (this.#due.length === 0) setImmediate(this.#end);
    this.#due.push(outbox);
  }
}

export interface OutboxParts {
  readonly turn: Turn;
  readonly socket: Socket;
  /** Bytes that may wait in this process, with the frame in hand; one message may overshoot. */
  readonly bytesMax: number;
  readonly frame: FrameWriter;
}

export class Outbox {
  readonly #parts: OutboxParts;
  #isDue = false;
  /** What the socket held when it was last looked at, and what was added since. */
  #buffered = 0;
  #dropped = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Bytes that waited when last looked: at each flush. Cheap, where `waiting` asks the socket. */
  get buffered(): number {
    return this.#buffered;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** False when it was dropped: too much waits already, or no frame can hold it. */
  send(message: Message): boolean {
    const { frame, turn, bytesMax } = this.#parts;
    if (this.#buffered + frame.bytesHeld > bytesMax && this.waiting() > bytesMax) {
      this.#dropped += 1;
      return false;
    }
    if (!frame.add(message)) {
      this.#dropped += 1;
      return false;
    }
    if (frame.bytesHeld >= frameBytesAim) this.flush();
    else if (!this.#isDue) {
      this.#isDue = true;
      turn.add(this);
    }
    return true;
  }

  /** Bytes that wait now. */
  waiting(): number {
    this.#buffered = this.#parts.socket.bufferedBytes;
    return this.#buffered + this.#parts.frame.bytesHeld;
  }

  flush(): void {
    this.#isDue = false;
    const { frame, socket } = this.#parts;
    if (frame.bytesHeld === 0) return;
    for (const bytes of frame.take()) socket.send(bytes);
    this.#buffered = socket.bufferedBytes;
  }
}
