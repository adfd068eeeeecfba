/**
 * One connection to one node: requests out, answers in, many of them in one frame. What is sent
 * within one turn of the event loop leaves together. Late answers to forgotten requests are
 * dropped; when the connection ends, whoever waits on it is told.
 */
import { deadlineMsMax } from "../core/limits.ts";
import type { ClientMessage, Command, Result } from "../core/message.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { decodeFrame, FrameWriter } from "../core/wire/codec.ts";
import { dial, type Socket } from "../runtime/sockets.ts";

export interface Answer {
  readonly result: Result;
  readonly token: Uint8Array | undefined;
}

/** Who waits for an answer. Exactly one of the two is called, at most once. */
export interface Waiter {
  answered(answer: Answer): void;
  /** The connection ended first: nobody knows whether the node acted. */
  lost(why: string): void;
}

export interface ConnectionEvents {
  opened(connection: Connection): void;
  closed(connection: Connection, why: string): void;
  ringNews(state: RingState, down: readonly number[]): void;
}

/** Bytes waiting in the socket beyond which a connection takes no more for now. */
const bufferedBytesMax = 8 << 20;

export class Connection {
  readonly address: string;
  readonly #events: ConnectionEvents;
  readonly #waiters = new Map<number, Waiter>();
  readonly #frame = new FrameWriter();
  readonly #socket: Socket;
  #last = 0;
  #isFlushDue = false;
  #isOpen = false;
  #isClosed = false;
  /** The node said that it is about to stop. */
  #isLeaving = false;
  /** A running mean of how long answers take. */
  latencyMs = 1;
  /** Until then other nodes are asked first, because this one let a request wait. */
  avoidUntil = 0;

  constructor(
    address: string,
    headers: Readonly<Record<string, string>>,
    events: ConnectionEvents,
  ) {
    this.address = address;
    this.#events = events;
    this.#socket = dial({
      address,
      protocol: "client",
      headers,
      onOpen: () => {
        this.#isOpen = true;
        this.#queue({ kind: "watch-ring" });
        events.opened(this);
      },
      onMessage: (bytes) => this.#receive(bytes),
      onClose: (why) => this.#closed(why),
    });
  }

  get isUsable(): boolean {
    return this.#isOpen && !this.#isClosed && !this.#isLeaving;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isFull(): boolean {
    return this.#socket.bufferedBytes + this.#frame.bytesHeld > bufferedBytesMax;
  }

  get inFlight(): number {
    return this.#waiters.size;
  }

  /** The number by which `forget` knows it. */
  send(command: Command, token: Uint8Array | undefined, waiter: Waiter): number {
    this.#last = (this.#last % 0xffffffff) + 1;
    this.#waiters.set(this.#last, waiter);
    this.#queue({ kind: "request", request: this.#last, command, token });
    return this.#last;
  }

  forget(request: number): void {
    this.#waiters.delete(request);
  }

  took(ms: number): void {
    this.latencyMs += 0.1 * (Math.min(ms, deadlineMsMax) - this.latencyMs);
  }

  close(): void {
    this.#flush();
    this.#socket.close(1000, "the client closed");
  }

  #queue(message: ClientMessage): void {
    this.#frame.add(message);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushDue = false;
    if (this.#isClosed || !this.#isOpen) return;
    for (const bytes of this.#frame.take()) this.#socket.send(bytes);
  }

  #receive(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") {
      this.#socket.close(1002, "a frame could not be read");
      this.#closed(`${this.address} sent a frame that cannot be read: ${frame.why}`);
      return;
    }
    for (const message of frame.messages) {
      if (message.kind === "result") {
        const waiter = this.#waiters.get(message.request);
        this.#waiters.delete(message.request);
        waiter?.answered(message);
      } else if (message.kind === "ring-news") {
        this.#events.ringNews(message.state, message.down);
      } else if (message.kind === "go-away") {
        this.#isLeaving = true;
      }
    }
  }

  #closed(why: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const waiters = [...this.#waiters.values()];
    this.#waiters.clear();
    this.#events.closed(this, why);
    for (const waiter of waiters) waiter.lost(why);
  }
}
