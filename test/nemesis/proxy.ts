/**
 * A TCP proxy before each node: others know a node by the address of its proxy only. Whoever dials
 * is told apart, so each pair of nodes has two links (links.ts) that can be cut, slowed down or
 * spoilt one by one. What waits for a slow or cut link is held here up to a bound; beyond it the
 * sender is not read any more.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Random } from "../../src/core/random.ts";
import type { Link, Links, Passing, Place } from "./links.ts";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** Tells who dials from the other end of a connection that was just accepted. */
export type WhoDials = (remote: Endpoint, local: Endpoint) => Place;

export interface ProxyParts {
  readonly place: Place;
  readonly host: string;
  /** Where the node itself listens. */
  readonly target: Endpoint;
  readonly links: Links;
  readonly random: Random;
  readonly whoDials: WhoDials;
}

const heldBytesMax = 4 << 20;

export class NodeProxy {
  readonly #parts: ProxyParts;
  readonly #server: Server;
  readonly #open = new Set<Relay>();

  static async open(parts: ProxyParts): Promise<NodeProxy> {
    const proxy = new NodeProxy(parts);
    const { host } = parts;
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen({ host, port: 0 }, resolve);
    });
    proxy.#server.on("error", () => undefined);
    return proxy;
  }

  private constructor(parts: ProxyParts) {
    this.#parts = parts;
    this.#server = createServer({ noDelay: true }, (socket) => this.#take(socket));
  }

  get address(): string {
    const address = this.#server.address();
    if (typeof address !== "object" || address === null) return "";
    return `${address.address}:${address.port}`;
  }

  close(): void {
    this.#server.close();
    for (const relay of [...this.#open]) relay.reset();
  }

  #take(dialler: Socket): void {
    const { place, target, links, random, whoDials } = this.#parts;
    const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = dialler;
    const from = whoDials(
      { host: remoteAddress, port: remotePort },
      { host: localAddress, port: localPort },
    );
    const relay = new Relay({
      link: { from, to: place },
      ...{ dialler, target, links, random },
      onClose: () => {
        links.delete(relay);
        this.#open.delete(relay);
      },
    });
    links.add(relay);
    this.#open.add(relay);
    relay.look();
  }
}

interface RelayParts {
  readonly link: Link;
  readonly dialler: Socket;
  readonly target: Endpoint;
  readonly links: Links;
  readonly random: Random;
  onClose(): void;
}

/** One connection through a proxy. */
class Relay implements Passing {
  readonly link: Link;
  readonly #parts: RelayParts;
  #listener: Socket | undefined;
  #pipes: readonly Pipe[] = [];
  #isOver = false;

  constructor(parts: RelayParts) {
    this.link = parts.link;
    this.#parts = parts;
    parts.dialler.pause();
    parts.dialler.on("error", () => undefined);
    parts.dialler.once("close", () => this.#closed());
  }

  look(): void {
    // To be heard at all it has to pass both ways.
    const { from, to } = this.link;
    const { links } = this.#parts;
    if (this.#isOver || (this.#listener === undefined && links.isCut({ from, to }))) return;
    if (this.#listener === undefined) this.#connect();
    for (const pipe of this.#pipes) pipe.pump();
  }

  reset(): void {
    for (const socket of [this.#parts.dialler, this.#listener]) socket?.resetAndDestroy();
    this.#closed();
  }

  mute(): void {
    for (const pipe of this.#pipes) pipe.mute();
  }

  #connect(): void {
    const { dialler, target, links, random } = this.#parts;
    const { from, to } = this.link;
    const listener = connect({ ...target, noDelay: true });
    this.#listener = listener;
    // Nobody listens there: the dialler is told as if it had asked there itself.
    listener.on("error", () => {
      if (this.#pipes.length === 0) dialler.resetAndDestroy();
    });
    listener.once("close", () => this.#closed());
    listener.once("connect", () => {
      if (this.#isOver) return;
      this.#pipes = [
        new Pipe({ source: dialler, sink: listener, link: { from, to }, links, random }),
        new Pipe({ source: listener, sink: dialler, link: { from: to, to: from }, links, random }),
      ];
      dialler.resume();
    });
  }

  /** One of the two is gone. The other hears of it through its pipe, if it is to hear at all. */
  #closed(): void {
    const { dialler, onClose } = this.#parts;
    const isWaiting = this.#pipes.length === 0;
    if (isWaiting) this.#listener?.destroy();
    const listenerIsGone = this.#listener === undefined || this.#listener.destroyed;
    if (this.#isOver || !dialler.destroyed || !listenerIsGone) return;
    this.#isOver = true;
    onClose();
  }
}

interface PipeParts {
  readonly source: Socket;
  readonly sink: Socket;
  readonly link: Link;
  readonly links: Links;
  readonly random: Random;
}

interface Parcel {
  readonly dueAt: number;
  /** Undefined: the end. */
  readonly bytes: Buffer | undefined;
}

/** One direction of a connection. */
class Pipe {
  readonly #parts: PipeParts;
  readonly #queue: Parcel[] = [];
  #heldBytes = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #isMute = false;

  constructor(parts: PipeParts) {
    this.#parts = parts;
    const { source, sink } = parts;
    source.on("data", (bytes: Buffer) => this.#take(bytes));
    source.once("close", () => this.#take(undefined));
    if (source.destroyed) this.#take(undefined);
    sink.on("drain", () => this.pump());
    sink.once("close", () => clearTimeout(this.#timer));
  }

  mute(): void {
    this.#isMute = true;
    this.#queue.length = 0;
    this.#heldBytes = 0;
    clearTimeout(this.#timer);
    this.#parts.source.resume();
  }

  pump(): void {
    const { source, sink, link, links } = this.#parts;
    clearTimeout(this.#timer);
    if (links.isCut(link) || sink.destroyed) return;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const waitMs = first.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        return;
      }
      if (sink.writableNeedDrain) return;
      this.#queue.shift();
      if (first.bytes === undefined) sink.end();
      else {
        this.#heldBytes -= first.bytes.length;
        sink.write(first.bytes);
      }
    }
    if (source.isPaused()) source.resume();
  }

  #take(bytes: Buffer | undefined): void {
    if (this.#isMute) return;
    const { source, link, links, random } = this.#parts;
    const { delayMs, jitterMs, bytesPerSecond, corruptOneIn } = links.weatherOf(link);
    const length = bytes?.length ?? 0;
    const now = performance.now();
    const travelMs = delayMs + random.below(jitterMs + 1);
    const begunAt = Math.max(now, this.#lastDueAt - travelMs);
    const isCalm = travelMs === 0 && bytesPerSecond === Number.POSITIVE_INFINITY;
    this.#lastDueAt = isCalm
      ? Math.max(0, this.#lastDueAt)
      : Math.max(this.#lastDueAt, begunAt + (1_000 * length) / bytesPerSecond + travelMs);
    if (bytes !== undefined && corruptOneIn > 0 && random.below(corruptOneIn) === 0) {
      const at = random.below(length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    this.#queue.push({ dueAt: this.#lastDueAt, bytes });
    this.#heldBytes += length;
    if (this.#heldBytes > heldBytesMax) source.pause();
    this.pump();
  }
}
