/**
 * One client's connection. A client that does not read its answers is not read either; if that
 * lasts, or if too much piles up, it is sent away (1013) before it costs others their memory. Bytes
 * that are no frame end the connection (1002): nothing after them can be trusted.
 */
import { failed } from "../core/failure.ts";
import type { RequestId } from "../core/ids.ts";
import type { Failed, Message, Result } from "../core/message.ts";
import { NumberTable } from "../core/number-table.ts";
import { decodeFrame, FrameWriter } from "../core/wire/codec.ts";
import { Outbox, type Turn } from "./outbox.ts";
import type { Socket } from "./sockets.ts";

export interface ClientLimits {
  /** Requests under way on one connection. */
  readonly inFlightMax: number;
  /** Unread answers beyond which a connection is not read any more … */
  readonly pauseBytes: number;
  /** … how long that may last, and how many bytes are too many at once. */
  readonly pauseMsMax: number;
  readonly bufferedBytesMax: number;
}

export const clientLimits: ClientLimits = {
  inFlightMax: 1024,
  pauseBytes: 8 << 20,
  pauseMsMax: 10_000,
  bufferedBytesMax: 128 << 20,
};

export interface ClientLinkParts {
  readonly socket: Socket;
  readonly turn: Turn;
  readonly limits: ClientLimits;
  /** Why the message should not have been sent; undefined when all is well. */
  receive(message: Message): string | undefined;
  /** This side ends it. */
  onEnd(why: string): void;
}

/** A result as it leaves: its context is in the token. */
export interface Sent {
  readonly result: Result;
  readonly token: Uint8Array | undefined;
}

const lookMs = 20;

export class ClientLink {
  readonly #parts: ClientLinkParts;
  readonly #outbox: Outbox;
  readonly #inFlight = new NumberTable<true>();
  /** Looks whether the client reads again; there only while it does not. */
  #timer: NodeJS.Timeout | undefined;
  #pausedAt = 0;
  #isClosed = false;
  isWatching = false;

  constructor(parts: ClientLinkParts) {
    this.#parts = parts;
    const { socket, turn } = parts;
    const bytesMax = Number.POSITIVE_INFINITY;
    this.#outbox = new Outbox({ socket, turn, bytesMax, frame: new FrameWriter() });
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** False when the number is in use. */
  begin(request: RequestId): boolean {
    if (this.#inFlight.get(request) !== undefined) return false;
    this.#inFlight.add(request, true);
    return true;
  }

  answer(request: RequestId, { result, token }: Sent): void {
    this.#inFlight.take(request);
    if (this.send({ kind: "result", request, result, token })) return;
    const tooLong = failed("INTERNAL", "the answer is longer than a frame may be");
    this.refuse(request, tooLong);
  }

  /** Answers a request that was never begun. */
  refuse(request: RequestId, result: Failed): void {
    this.send({ kind: "result", request, result, token: undefined });
  }

  /** False when no frame can hold it. */
  send(message: Message): boolean {
    if (this.#isClosed) return true;
    const isSent = this.#outbox.send(message);
    if (this.#outbox.buffered > this.#parts.limits.pauseBytes) this.#hold();
    return isSent;
  }

  onMessage(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") {
      this.#end(1002, `FRAME_INVALID at byte ${frame.at}: ${frame.why}`);
      return;
    }
    for (const message of frame.messages) {
      const why = this.#parts.receive(message);
      if (why !== undefined) this.#end(1002, `FRAME_INVALID: ${why}`);
      if (this.#isClosed) return;
    }
  }

  close(code: number, reason: string): void {
    this.#outbox.flush();
    this.closed();
    this.#parts.socket.close(code, reason);
  }

  /** Nothing can be sent any more; results to come are dropped. */
  closed(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#inFlight.clear();
  }

  #end(code: number, why: string): void {
    this.#parts.onEnd(why);
    this.close(code, why.slice(0, 120));
  }

  /** Reads no more from a client that does not read, until it does. */
  #hold(): void {
    const { limits, socket } = this.#parts;
    const waiting = this.#outbox.waiting();
    if (waiting > limits.bufferedBytesMax) this.#sendAway(waiting);
    else if (waiting > limits.pauseBytes && this.#timer === undefined) {
      socket.pause();
      this.#pausedAt = performance.now();
      this.#timer = setInterval(() => this.#look(), lookMs);
    }
  }

  #look(): void {
    const { limits, socket } = this.#parts;
    const waiting = this.#outbox.waiting();
    if (waiting < limits.pauseBytes / 2) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      socket.resume();
    } else if (performance.now() - this.#pausedAt > limits.pauseMsMax) this.#sendAway(waiting);
  }

  #sendAway(waiting: number): void {
    const why = `slow reader: ${waiting} bytes of answers were not read`;
    this.#parts.onEnd(why);
    this.closed();
    this.#parts.socket.close(1013, why);
  }
}
