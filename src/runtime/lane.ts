/**
 * One outgoing connection to a peer, made again whenever it breaks, with a growing and jittered
 * pause. What is sent while it is down is dropped: the protocol repeats what matters, and a queue
 * for an absent peer would only grow.
 */
import type { Message } from "../core/message.ts";
import type { FrameWriter } from "../core/wire/codec.ts";
import type { KeepAlive } from "./keep-alive.ts";
import { Outbox, type Turn } from "./outbox.ts";
import type { Proof } from "./peer-proof.ts";
import { type DialTls, dial, type Headers, type Socket } from "./sockets.ts";

export interface LaneParts {
  readonly address: string;
  readonly bytesMax: number;
  readonly turn: Turn;
  readonly keepAlive: KeepAlive;
  tls(): DialTls | undefined;
  hello(): Headers;
  /** `ahead`: by how much the peer's clock is ahead of this one's, as it said in a refusal. */
  prove(hello: Headers, ahead: number): Proof;
  now(): number;
  newFrame(): FrameWriter;
  /** It broke, or an attempt failed: `code` is the peer's, if it refused. */
  onDown(why: string, code: string | undefined): void;
  onUp(headers: Readonly<Record<string, unknown>>): void;
}

const pauseMsMin = 50;
const pauseMsMax = 2_000;
/** A connection that lived so long counts as good: the next attempt comes soon again. */
const goodMs = 1_000;

export class LaneLink {
  readonly #parts: LaneParts;
  #socket: Socket | undefined;
  #outbox: Outbox | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = pauseMsMin;
  #ahead = 0;
  #dialledAt = 0;
  #dropped = 0;
  #isClosed = false;

  constructor(parts: LaneParts) {
    this.#parts = parts;
    this.#dial();
  }

  get isUp(): boolean {
    return this.#outbox !== undefined;
  }

  get dropped(): number {
    return this.#dropped + (this.#outbox?.dropped ?? 0);
  }

  send(message: Message): void {
    if (this.#outbox === undefined) this.#dropped += 1;
    else this.#outbox.send(message);
  }

  /** The peer was just heard of: it is worth trying now, unless that was just done. */
  hurry(): void {
    if (this.#timer === undefined || performance.now() - this.#dialledAt < pauseMsMin) return;
    clearTimeout(this.#timer);
    this.#dial();
  }

  flush(): void {
    this.#outbox?.flush();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#outbox?.flush();
    this.#socket?.close(1001, "the node is going away");
  }

  #dial(): void {
    this.#timer = undefined;
    this.#dialledAt = performance.now();
    const { address, keepAlive, turn, bytesMax, now } = this.#parts;
    const hello = this.#parts.hello();
    const proof = this.#parts.prove(hello, this.#ahead);
    const socket = dial({
      address,
      protocol: "peer",
      tls: this.#parts.tls(),
      headers: { ...hello, ...proof.headers },
      onOpen: (headers) => {
        if (this.#isClosed) return;
        if (!proof.isAnswered(headers)) {
          socket.close(1008, "PEER_AUTH_FAILED");
          this.#lost(`${address} did not prove to be a node of ours`, "PEER_AUTH_FAILED");
          return;
        }
        this.#outbox = new Outbox({ turn, socket, bytesMax, frame: this.#parts.newFrame() });
        keepAlive.add(socket);
        this.#parts.onUp(headers);
      },
      // The other side sends on connections of its own.
      onMessage: () => undefined,
      onClose: (why, code, clock) => {
        if (clock !== undefined) this.#ahead = clock - now();
        keepAlive.delete(socket);
        if (this.#socket === socket) this.#lost(why, code);
      },
    });
    this.#socket = socket;
  }

  #lost(why: string, code: string | undefined): void {
    this.#dropped += this.#outbox?.dropped ?? 0;
    const wasGood = this.isUp && performance.now() - this.#dialledAt > goodMs;
    this.#outbox = undefined;
    this.#socket = undefined;
    if (this.#isClosed) return;
    this.#pauseMs = wasGood ? pauseMsMin : Math.min(pauseMsMax, 2 * this.#pauseMs);
    const pause = this.#pauseMs * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#dial(), pause);
    this.#parts.onDown(why, code);
  }
}
