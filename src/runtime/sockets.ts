/**
 * WebSockets, and nothing above them. Only binary frames pass, and none that is too long or in too
 * many pieces. Nothing here throws at its user or emits an event that somebody must handle: a
 * connection ends with one call of `onClose`, which says why.
 */
import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import type * as Ws from "ws";
import { contextBytesMax, frameBytesAim, frameBytesMax, valueBytesMax } from "../core/limits.ts";
import { readRefusal } from "./refusal.ts";
import { type DialFailure, dialFailureOf } from "./tls-failure.ts";

// Required, since to import CommonJS Node first searches all of its text for what it exports: that
// took 38 ms of processor time, and every kvctl would begin with it.
const { WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws") as typeof Ws;

export type Protocol = "peer" | "client";
export type Headers = Readonly<Record<string, string>>;

export interface Socket {
  /** Bytes that were sent but have not left this process. */
  readonly bufferedBytes: number;
  /** The bytes belong to the socket from now on. Dropped unless the connection is open. */
  send(bytes: Uint8Array): void;
  /** Stops and starts reading: what the other side sends then waits with it. */
  pause(): void;
  resume(): void;
  /** Asks for a sign of life. False when none came since the last time. */
  probe(): boolean;
  close(code: number, reason: string): void;
  /** Without goodbye: for connections that answer nothing any more. */
  terminate(): void;
}

/** What the owner of a connection is told. Frames are views that die with the call. */
export interface SocketEvents {
  onMessage(bytes: Uint8Array): void;
  /**
   * Exactly once, also when it never opened. `code` is the other side's, if it gave one, or
   * TLS_FAILED where one side did not believe the other. `clock` is a refusing node's.
   */
  onClose(why: string, code: string | undefined, clock?: number): void;
}

/** Whom a dialler believes over TLS, and with what it proves itself; all of it PEM. */
export interface DialTls {
  /** Certificates of authorities; without any, those that the system knows. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name the certificate must hold, where it is not the host that is dialled. */
  readonly servername?: string | undefined;
}

export interface DialOptions extends SocketEvents {
  readonly address: string;
  readonly protocol: Protocol;
  readonly headers: Headers;
  /** Without it the connection is in the clear. */
  readonly tls?: DialTls | undefined;
  /** With the headers of the answer. */
  onOpen(headers: Readonly<Record<string, unknown>>): void;
}

export const subprotocols: Readonly<Record<Protocol, string>> = {
  peer: "everwrite.peer.1",
  client: "everwrite.client.1",
};

/** A frame of requests is cut at about frameBytesAim, so one message more may be in it. */
export const requestFrameBytesMax = frameBytesAim + valueBytesMax + contextBytesMax + 8192;

export const handshakeMsMax = 5_000;
const closeMsMax = 2_000;
/** Senders of ours never split a frame. */
const fragmentsMax = 4;

/** Up to here a frame is copied behind its header; two bytes hold its length. */
const wholeBytesMax = 16 << 10;

/** Received in so many pieces at most, which the smallest usual packet just allows. */
const chunksMax = { peer: 1 << 16, client: 1 << 12 } as const;

export function dial(options: DialOptions): Socket {
  const { address, protocol, headers, tls } = options;
  const scheme = tls === undefined ? "ws" : "wss";
  const socket = new WebSocket(`${scheme}://${address}/`, subprotocols[protocol], {
    headers,
    ...(tls === undefined ? {} : { ...tls, minVersion: "TLSv1.3", rejectUnauthorized: true }),
    perMessageDeflate: false,
    handshakeTimeout: handshakeMsMax,
    maxPayload: frameBytesMax,
    followRedirects: false,
    // Masks keep scripts in browsers from steering proxies, and no browser runs this.
    generateMask: (mask) => void mask.fill(0),
  });
  let answered: IncomingMessage | undefined;
  const explain = (error: Error): DialFailure =>
    answered === undefined ? dialFailureOf(error, { isTls: tls !== undefined }) : plainly(error);
  const connection = new Connection(socket, options, { remote: address, explain });
  socket.on("upgrade", (response) => {
    answered = response;
    connection.writesTo(response.socket, { isMasked: true });
  });
  socket.on("open", () => options.onOpen(answered?.headers ?? {}));
  socket.on("unexpected-response", (_request, response) => {
    void readRefusal(response).then(({ code, message, clock }) => {
      connection.end(`${address}: ${message}`, code, clock);
      socket.terminate();
    });
  });
  return connection;
}

/** An incoming connection that may be opened. */
export interface Admitted {
  /** Sent with the answer. */
  readonly headers: Headers;
  attach(socket: Socket): SocketEvents;
}

interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** The incoming connections of one subprotocol. */
export class Upgrades {
  readonly #server: Ws.WebSocketServer;
  readonly #answers = new WeakMap<IncomingMessage, Headers>();
  readonly #open = new Set<Connection>();

  constructor(protocol: Protocol) {
    const limits = {
      maxPayload: protocol === "peer" ? frameBytesMax : requestFrameBytesMax,
      maxFragments: fragmentsMax,
      maxBufferedChunks: chunksMax[protocol],
    };
    this.#server = new WebSocketServer({
      ...limits,
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      handleProtocols: () => subprotocols[protocol],
    });
    this.#server.on("headers", (lines, request) => {
      for (const [name, value] of Object.entries(this.#answers.get(request) ?? {})) {
        lines.push(`${name}: ${value}`);
      }
    });
  }

  accept({ request, socket, head }: UpgradeRequest, { attach, headers }: Admitted): void {
    this.#answers.set(request, headers);
    const remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      let events: SocketEvents | undefined;
      const connection = new Connection(
        opened,
        {
          onMessage: (bytes) => events?.onMessage(bytes),
          onClose: (why, code) => {
            this.#open.delete(connection);
            events?.onClose(why, code);
          },
        },
        { remote, explain: plainly },
      );
      connection.writesTo(socket, { isMasked: false });
      this.#open.add(connection);
      events = attach(connection);
    });
  }

  terminate(): void {
    for (const connection of [...this.#open]) connection.terminate();
  }
}

/** How a connection speaks of its end. */
interface Telling {
  readonly remote: string;
  explain(error: Error): DialFailure;
}

function plainly(error: Error): DialFailure {
  return { message: error.message, code: undefined };
}

class Connection implements Socket {
  readonly #socket: Ws.WebSocket;
  readonly #events: SocketEvents;
  /** What is below the WebSocket, once it is open. */
  #stream: Duplex | undefined;
  #isMasked = false;
  #isEnded = false;
  #isClosing = false;
  #wasHeard = true;

  constructor(socket: Ws.WebSocket, events: SocketEvents, { remote, explain }: Telling) {
    this.#socket = socket;
    this.#events = events;
    let failure: DialFailure | undefined;
    socket.on("message", (bytes: Buffer, isBinary: boolean) => {
      this.#wasHeard = true;
      // What still comes after this side has ended it is nobody's.
      if (this.#isEnded || this.#isClosing) return;
      // A plain array, since `slice` of a Buffer is a view that would pin the chunk it came in.
      if (isBinary) events.onMessage(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
      else this.close(1003, "binary frames only");
    });
    socket.on("pong", () => {
      this.#wasHeard = true;
    });
    socket.on("error", (error) => {
      failure ??= explain(error);
    });
    socket.on("close", (code, reason) => {
      const said = reason.length === 0 ? "" : ` (${reason.toString()})`;
      const why = failure?.message ?? `closed with ${code}${said}`;
      // The system's own messages often name the address already.
      this.end(why.includes(remote) ? why : `${remote}: ${why}`, failure?.code);
    });
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  writesTo(stream: Duplex, { isMasked }: { readonly isMasked: boolean }): void {
    this.#stream = stream;
    this.#isMasked = isMasked;
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (this.#stream === undefined || bytes.length > wholeBytesMax) this.#socket.send(bytes);
    else this.#stream.write(framed(bytes, { isMasked: this.#isMasked }));
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  probe(): boolean {
    const { readyState } = this.#socket;
    if (readyState !== WebSocket.OPEN) return readyState === WebSocket.CONNECTING;
    const wasHeard = this.#wasHeard;
    this.#wasHeard = false;
    this.#socket.ping();
    return wasHeard;
  }

  close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    // A paused socket would never read the other side's goodbye.
    this.#socket.resume();
    this.#socket.close(code, reason);
    setTimeout(() => this.#socket.terminate(), closeMsMax).unref();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Tells the owner, once. */
  end(why: string, code: string | undefined, clock?: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#events.onClose(why, code, clock);
  }
}

/**
 * A binary frame (RFC 6455, section 5.2) of up to 65,535 bytes, under a mask of zeros if any. ws
 * writes the header and the content as two pieces, which costs more than to copy few bytes.
 */
function framed(bytes: Uint8Array, { isMasked }: { readonly isMasked: boolean }): Buffer {
  const { length } = bytes;
  const lengthBytes = length < 126 ? 1 : 3;
  const start = 1 + lengthBytes + (isMasked ? 4 : 0);
  const frame = Buffer.allocUnsafe(start + length);
  frame[0] = 0x82;
  frame[1] = (isMasked ? 0x80 : 0) | (length < 126 ? length : 126);
  if (lengthBytes === 3) {
    frame[2] = length >>> 8;
    frame[3] = length;
  }
  if (isMasked) frame.fill(0, start - 4, start);
  frame.set(bytes, start);
  return frame;
}
