/**
 * The connections that peers have dialled to this node. A node number belongs to one process: a
 * second one that claims it (a copied directory, say) is turned away while the first one lives.
 */
import type { NodeId } from "../core/ids.ts";
import type { Lane } from "../core/message.ts";
import type { Hello } from "./handshake.ts";
import type { KeepAlive } from "./keep-alive.ts";
import type { Refusal } from "./refusal.ts";
import type { Socket } from "./sockets.ts";

/** A process that is alive answers a probe so soon. */
const answerMs = 1_000;

interface Visitor {
  readonly started: number;
  /** What it said of itself last. */
  hello: Hello;
  readonly sockets: Map<Lane, Socket>;
  isDoubted: boolean;
}

export class Visitors {
  readonly #keepAlive: KeepAlive;
  readonly #visitors = new Map<NodeId, Visitor>();

  constructor(keepAlive: KeepAlive) {
    this.#keepAlive = keepAlive;
  }

  /** A restarted node may come before its end was noticed: then what is left of it is probed. */
  refusalOf({ node, started }: Hello): Refusal | undefined {
    const visitor = this.#visitors.get(node);
    if (visitor === undefined || visitor.started === started) return undefined;
    this.#doubt(visitor);
    const message =
      `another process is connected as node ${node}, started ${visitor.started}: ` +
      "is a copy of its directory running?";
    return { status: 409, code: "NODE_ID_IN_USE", message };
  }

  add(hello: Hello, socket: Socket): void {
    const { node, started, lane } = hello;
    let visitor = this.#visitors.get(node);
    if (visitor?.started !== started) {
      visitor = { started, hello, sockets: new Map(), isDoubted: false };
      this.#visitors.set(node, visitor);
    }
    visitor.hello = hello;
    // The dialler gave the earlier one up, or it would not have dialled again.
    visitor.sockets.get(lane)?.terminate();
    visitor.sockets.set(lane, socket);
    this.#keepAlive.add(socket);
  }

  delete({ node, lane }: Hello, socket: Socket): void {
    this.#keepAlive.delete(socket);
    const visitor = this.#visitors.get(node);
    if (visitor?.sockets.get(lane) !== socket) return;
    visitor.sockets.delete(lane);
    if (visitor.sockets.size === 0) this.#visitors.delete(node);
  }

  /** Who would be refused by now dials again, and so hears why. */
  judgeAgain(refusalOf: (hello: Hello) => Refusal | undefined): void {
    for (const { hello, sockets } of this.#visitors.values()) {
      const refusal = refusalOf(hello);
      if (refusal === undefined) continue;
      for (const socket of sockets.values()) socket.close(1008, refusal.code);
    }
  }

  close(): void {
    for (const { sockets } of this.#visitors.values()) {
      for (const socket of sockets.values()) socket.close(1001, "the node is going away");
    }
  }

  #doubt(visitor: Visitor): void {
    if (visitor.isDoubted) return;
    visitor.isDoubted = true;
    for (const socket of visitor.sockets.values()) socket.probe();
    const timer = setTimeout(() => {
      visitor.isDoubted = false;
      for (const socket of visitor.sockets.values()) if (!socket.probe()) socket.terminate();
    }, answerMs);
    timer.unref();
  }
}
