/**
 * One connection to one node: requests out, answers in, many of them in one frame. What is sent
 * within one turn of the event loop leaves together. Late answers to forgotten requests are
 * dropped; when the connection ends, whoever waits on it is told. It is used from when the node
 * has told the ring, so that nothing is ever sent into another cluster.
 */
import { assert } from "../../native-free-engine/base/assert.ts";
import { deadlineMsMax } from "../core/limits.ts";
import type { ClientMessage, Command, Message, Result } from "../core/message.ts";
import { NumberTable } from "../core/number-table.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { decodeFrame, FrameWriter } from "../core/wire/codec.ts";
import type { KeepAlive } from "../runtime/keep-alive.ts";
import { type DialTls, dial, type Socket } from "../runtime/sockets.ts";

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

export interface ConnectionParts {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: DialTls | undefined;
  readonly keepAlive: KeepAlive;
  /** `code` is the node's, or TLS_FAILED; undefined where only the connection broke. */
  closed(why: string, code: string | undefined): void;
  ringNews(connection: Connection, state: RingState, down: readonly number[]): void;
}

/** Bytes waiting in the socket beyond which a connection takes no more for now. */
const bufferedBytesMax = 8 << 20;
/** A node takes so many and some more on one connection (src/runtime/client-link.ts). */
export const inFlightMax = 1_000;
/** A node that is not asked is thought twice as fast after so long, and so is asked again. */
const forgetMs = 1_000;

export class Connection {
  readonly address: string;
  readonly #parts: ConnectionParts;
  readonly #waiters = new NumberTable<Waiter>();
  readonly #frame = new FrameWriter();
  readonly #socket: Socket;
  #last = 0;
  #isFlushDue = false;
  #isOpen = false;
  #isClosed = false;
  /** It has told the ring. */
  #isWelcome = false;
  /** The node said that it is about to stop, or is no member any more. */
  #isLeaving = false;
  #isRetired = false;
  #latencyMs = 1;
  #tookAt = performance.now();
  #openedAt = 0;
  #distanceMs = Number.POSITIVE_INFINITY;
  heardAt = 0;
  avoidUntil = 0;
  mutedAt = 0;

  constructor(address: string, parts: ConnectionParts) {
    this.address = address;
    this.#parts = parts;
    this.#socket = dial({
      address,
      protocol: "client",
      headers: parts.headers,
      tls: parts.tls,
      onOpen: () => {
        this.#isOpen = true;
        this.#openedAt = performance.now();
        parts.keepAlive.add(this.#socket);
        this.#queue({ kind: "watch-ring" });
      },
      onMessage: (bytes) => this.#receive(bytes),
      onClose: (why, code) => this.#closed(why, code),
    });
  }

  /** Whether the node serves, whatever it has to do now. */
  get isUp(): boolean {
    return this.#isWelcome && !this.#isClosed && !this.#isLeaving;
  }

  get isUsable(): boolean {
    if (!this.isUp || this.#waiters.size >= inFlightMax) return false;
    return this.#socket.bufferedBytes + this.#frame.bytesHeld <= bufferedBytesMax;
  }

  /** A running mean of how long answers take; until there are some, no less than the way there. */
  get latencyMs(): number {
    const isFar = this.#distanceMs > this.#latencyMs && Number.isFinite(this.#distanceMs);
    return isFar ? this.#distanceMs : this.#latencyMs;
  }

  /** How far away the node is: the soonest that it has answered anything. */
  get distanceMs(): number {
    return this.#distanceMs;
  }

  /** What one more request is likely to take; what was learnt long ago counts little. */
  costAt(now: number): number {
    const age = Math.max(0, now - this.#tookAt) / forgetMs;
    const latencyMs = age < 1 ? this.#latencyMs : this.#latencyMs * 2 ** -age;
    return latencyMs * (1 + this.#waiters.size);
  }

  /** The number by which `forget` knows it. */
  send(command: Command, token: Uint8Array | undefined, waiter: Waiter): number {
    this.#last = (this.#last % 0xffffffff) + 1;
    this.#queue({ kind: "request", request: this.#last, command, token });
    this.#waiters.add(this.#last, waiter);
    return this.#last;
  }

  forget(request: number): void {
    this.#waiters.take(request);
    this.#closeWhenIdle();
  }

  took(ms: number): void {
    this.#latencyMs += 0.1 * (Math.min(ms, deadlineMsMax) - this.#latencyMs);
    this.#distanceMs = Math.min(this.#distanceMs, ms);
    this.#tookAt = performance.now();
  }

  /** Takes no more requests, and closes once those under way are answered. */
  retire(): void {
    this.#isLeaving = true;
    this.#isRetired = true;
    this.#closeWhenIdle();
  }

  close(): void {
    this.#flush();
    this.#socket.close(1000, "the client closed");
  }

  /** Ends it at once: the other side is not what it should be. */
  refuse(why: string): void {
    this.#socket.close(1002, "this is not what the client expects");
    this.#closed(why);
  }

  #closeWhenIdle(): void {
    if (this.#isRetired && !this.#isClosed && this.#waiters.size === 0) this.close();
  }

  #queue(message: ClientMessage): void {
    const isAdded = this.#frame.add(message);
    assert(isAdded, "a request that was checked fits in a frame");
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
    this.heardAt = performance.now();
    if (this.mutedAt !== 0) {
      this.mutedAt = 0;
      this.avoidUntil = 0;
    }
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") {
      this.refuse(`${this.address} sent a frame that cannot be read: ${frame.why}`);
      return;
    }
    for (const message of frame.messages) {
      this.#take(message);
      if (this.#isClosed) return;
    }
  }

  #take(message: Message): void {
    switch (message.kind) {
      case "result": {
        this.#waiters.take(message.request)?.answered(message);
        this.#closeWhenIdle();
        break;
      }
      case "ring-news":
        this.#isWelcome = true;
        this.#distanceMs = Math.min(this.#distanceMs, performance.now() - this.#openedAt);
        this.#parts.ringNews(this, message.state, message.down);
        break;
      case "go-away":
        this.#isLeaving = true;
        break;
      default:
        this.refuse(`${this.address} sent ${message.kind}, which is nothing for a client`);
    }
  }

  #closed(why: string, code?: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.keepAlive.delete(this.#socket);
    const waiters = this.#waiters.numbers().map((request) => this.#waiters.take(request));
    this.#parts.closed(why, code);
    for (const waiter of waiters) waiter?.lost(why);
  }
}
