/**
 * The transport between nodes. To each member this node dials three connections (control, data,
 * bulk) and sends on them; what members send arrives on connections that they dial. Addresses come
 * from the ring in force. Loss is allowed: whatever cannot go out is dropped and counted.
 */
import type { MacKey } from "../core/context-token.ts";
import type { NodeId } from "../core/ids.ts";
import type { Lane, Message } from "../core/message.ts";
import type { RingState } from "../core/ring/ring-state.ts";
import { decodeFrame, FrameWriter, laneOf } from "../core/wire/codec.ts";
import { parseAddress } from "./address.ts";
import type { Dialler, Grounds, Knock, PeerVerdict } from "./gate.ts";
import { decodeHello, encodeHello, type Hello, refusalOfHello, skewMsMax } from "./handshake.ts";
import type { KeepAlive } from "./keep-alive.ts";
import { LaneLink } from "./lane.ts";
import type { Admission, Incoming } from "./listener.ts";
import { type Log, seldom } from "./log.ts";
import type { Turn } from "./outbox.ts";
import type { Refusal } from "./refusal.ts";
import type { Headers, Socket } from "./sockets.ts";
import { Visitors } from "./visitors.ts";

/** Who may send to this node as a member, and how it shows others that it is one. */
export interface PeerGate extends Dialler {
  judgePeer(knock: Knock, claims: Headers): PeerVerdict;
  holds(grounds: Grounds): boolean;
}

export interface PeersParts {
  readonly self: NodeId;
  readonly started: number;
  readonly ring: RingState;
  readonly turn: Turn;
  readonly keepAlive: KeepAlive;
  readonly log: Log;
  readonly gate: PeerGate;
  now(): number;
  deliver(from: NodeId, message: Message): void;
  /** A member refuses this node: it does not know it, or not any more. */
  doubted(by: NodeId, address: string): void;
  /** All lanes to the peer are open, or one of them is not (any more). */
  linkChanged(peer: NodeId, up: boolean): void;
  /** A peer told the keys that seal contexts. */
  contextKeys(keys: readonly MacKey[]): void;
}

const lanes: readonly Lane[] = ["control", "data", "bulk"];
const bytesMaxOf: Readonly<Record<Lane, number>> = {
  control: 4 << 20,
  data: 32 << 20,
  bulk: 8 << 20,
};

interface Peer {
  readonly address: string;
  readonly links: Readonly<Record<Lane, LaneLink>>;
  /** What the core was told last. */
  isUp: boolean | undefined;
}

export class Peers {
  readonly #parts: PeersParts;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #incoming: Visitors;
  readonly #grounds = new Map<Socket, Grounds>();
  /** What the certificate called each node that came first under its number. */
  readonly #names = new Map<NodeId, string>();
  readonly #sayDropped: (dropped: { readonly messages: number }) => void;
  #ring: RingState;
  #clusterTag: number;
  #isClosed = false;

  constructor(parts: PeersParts) {
    this.#parts = parts;
    this.#ring = parts.ring;
    this.#clusterTag = tagOf(parts.ring);
    this.#incoming = new Visitors(parts.keepAlive);
    this.#sayDropped = seldom((dropped) => parts.log.warn("peer.dropped", dropped));
    this.setRing(parts.ring);
  }

  /** Messages that never left, since the start. */
  get dropped(): number {
    let dropped = 0;
    for (const { links } of this.#peers.values()) {
      for (const lane of lanes) dropped += links[lane].dropped;
    }
    return dropped;
  }

  /** Dials new members and those that moved; hangs up on those that left. */
  setRing(ring: RingState): void {
    this.#ring = ring;
    this.#clusterTag = tagOf(ring);
    const wanted = new Map(
      ring.members
        .filter(({ id, state }) => id !== this.#parts.self && state !== "left")
        .map(({ id, address }) => [id, address]),
    );
    for (const [id, peer] of this.#peers) {
      if (wanted.get(id) === peer.address) wanted.delete(id);
      else this.#hangUp(id, peer);
    }
    // An address that nobody can dial is its member's mistake, and must not be this node's end.
    for (const [id, address] of wanted) if (parseAddress(address)) this.#dial(id, address);
    // Who belongs to it no more may not have heard so, and nobody dials it to say so any more.
    const { self } = this.#parts;
    this.#incoming.judgeAgain((hello) => refusalOfHello(hello, { ring, self }));
  }

  send(to: NodeId, message: Message): void {
    const peer = this.#peers.get(to);
    const link = peer?.links[laneOf(message.kind)];
    if (link === undefined) return;
    const before = link.dropped;
    link.send(message);
    if (link.dropped > before && link.isUp) this.#sayDropped({ messages: this.dropped });
  }

  /** Whether a dialler is a member that may send to this node. */
  admit(incoming: Incoming): Admission {
    const { headers, remote } = incoming;
    const { self, log, gate } = this.#parts;
    const hello = decodeHello(headers);
    const ring = this.#ring;
    // A stranger is told nothing of the cluster.
    const verdict = hello && gate.judgePeer(incoming, encodeHello(hello));
    if (verdict?.kind === "refused") return verdict;
    const refusal =
      refusalOfHello(hello, { ring, self }) ??
      (hello && (this.#refusalOfName(hello, verdict?.name) ?? this.#incoming.refusalOf(hello)));
    if (refusal !== undefined) {
      log.warn("peer.refused", { remote, node: hello?.node, why: refusal.message });
      return { kind: "refused", ...refusal };
    }
    const admitted = hello as Hello;
    this.#compareClocks(admitted.node, admitted.clock);
    return {
      kind: "admitted",
      headers: { ...this.#hello(admitted.node, admitted.lane), ...verdict?.headers },
      attach: (socket) => {
        this.#incoming.add(admitted, socket);
        this.#grounds.set(socket, verdict?.grounds);
        if (verdict?.name !== undefined) this.#names.set(admitted.node, verdict.name);
        for (const lane of lanes) this.#peers.get(admitted.node)?.links[lane].hurry();
        return {
          onMessage: (bytes) => {
            const why = this.#receive(admitted.node, bytes);
            if (why === undefined) return;
            log.error("peer.frame-invalid", { node: admitted.node, why });
            socket.close(1002, why.slice(0, 120));
          },
          onClose: () => {
            this.#grounds.delete(socket);
            this.#incoming.delete(admitted, socket);
          },
        };
      },
    };
  }

  /** To every member that can be reached. */
  tell(message: Message): void {
    for (const id of this.#peers.keys()) this.send(id, message);
  }

  /** Members that proved themselves by what does not hold any more dial again, and do it anew. */
  judgeAgain(): void {
    for (const [socket, grounds] of this.#grounds) {
      if (!this.#parts.gate.holds(grounds)) socket.close(1008, "PEER_AUTH_FAILED");
    }
  }

  flush(): void {
    for (const { links } of this.#peers.values()) for (const lane of lanes) links[lane].flush();
  }

  close(): void {
    this.#isClosed = true;
    for (const [id, peer] of this.#peers) this.#hangUp(id, peer);
    this.#incoming.close();
  }

  /** Why the frame is none of ours; undefined when all of it was delivered. */
  #receive(from: NodeId, bytes: Uint8Array): string | undefined {
    const frame = decodeFrame(bytes);
    if (frame.kind === "invalid") return `at byte ${frame.at}: ${frame.why}`;
    if (frame.clusterTag !== this.#clusterTag) return "a frame of another cluster";
    for (const message of frame.messages) {
      if (this.#isClosed) return undefined;
      switch (message.kind) {
        case "request":
        case "result":
        case "watch-ring":
        case "ring-news":
        case "go-away":
          return `${message.kind} is a message of clients`;
        case "context-keys":
          this.#parts.contextKeys(message.keys);
          break;
        default:
          this.#parts.deliver(from, message);
      }
    }
    return undefined;
  }

  /**
   * A certificate that was stolen from one node makes nobody another. Nodes may share one; under a
   * new name, a node is believed once the others have started again.
   */
  #refusalOfName({ node }: Hello, name: string | undefined): Refusal | undefined {
    const known = this.#names.get(node);
    if (known === undefined || known === name) return undefined;
    const shown = name === undefined ? "none" : `that of ${name}`;
    const message = `node ${node} came with the certificate of ${known} before, not with ${shown}`;
    return { status: 403, code: "PEER_AUTH_FAILED", message };
  }

  #dial(id: NodeId, address: string): void {
    const { turn, keepAlive, log, gate, now } = this.#parts;
    const sayRefused = seldom((fields: object) => log.warn("peer.refuses-us", fields));
    const link = (lane: Lane): LaneLink =>
      new LaneLink({
        address,
        turn,
        keepAlive,
        bytesMax: bytesMaxOf[lane],
        tls: () => gate.tls(),
        hello: () => this.#hello(id, lane),
        prove: (hello, ahead) => gate.prove(hello, ahead),
        now,
        newFrame: () => new FrameWriter(() => this.#mark()),
        onUp: (headers) => {
          const hello = decodeHello(headers);
          if (hello !== undefined) this.#compareClocks(id, hello.clock);
          this.#judgeLink(id);
        },
        onDown: (why, code) => {
          // A node that starts or stops says so to everybody, and is dialled again anyway.
          if (code === "NOT_READY") log.debug("peer.not-ready", { node: id });
          else if (code !== undefined) sayRefused({ node: id, code, why });
          if (code === "NODE_UNKNOWN") this.#parts.doubted(id, address);
          this.#judgeLink(id);
        },
      });
    const links = { control: link("control"), data: link("data"), bulk: link("bulk") };
    this.#peers.set(id, { address, links, isUp: undefined });
  }

  #judgeLink(id: NodeId): void {
    const peer = this.#peers.get(id);
    if (peer === undefined || this.#isClosed) return;
    const up = lanes.filter((lane) => peer.links[lane].isUp).length;
    const isUp = up === lanes.length;
    // While the first lanes of a link come up, there is nothing to say yet.
    if (isUp === peer.isUp || (!isUp && peer.isUp === undefined && up > 0)) return;
    peer.isUp = isUp;
    this.#parts.linkChanged(id, isUp);
  }

  #hangUp(id: NodeId, { links, isUp }: Peer): void {
    this.#peers.delete(id);
    for (const lane of lanes) links[lane].close();
    if (isUp === true && !this.#isClosed) this.#parts.linkChanged(id, false);
  }

  #hello(to: NodeId, lane: Lane) {
    const { self, started, now } = this.#parts;
    const { clusterId, epoch } = this.#ring;
    const clock = Math.floor(now());
    return encodeHello({ clusterId, node: self, to, started, epoch, lane, clock });
  }

  #mark() {
    return { clusterTag: this.#clusterTag, epoch: this.#ring.epoch };
  }

  /** A member is not refused for its clock: no version depends on it, only `lww` and expiry do. */
  #compareClocks(node: NodeId, theirs: number): void {
    const skewMs = Math.round(theirs - this.#parts.now());
    if (Math.abs(skewMs) > skewMsMax) this.#parts.log.error("peer.clock-skew", { node, skewMs });
  }
}

function tagOf({ clusterId }: RingState): number {
  return Number.parseInt(clusterId.slice(0, 8), 16);
}
