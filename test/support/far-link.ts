/**
 * A long way on one machine: a port that passes everything on to another, both ways, after a delay,
 * and that can be cut and mended. Data centres far apart are tested over it on real sockets.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export class FarLink {
  readonly address: string;
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  /** One way. */
  delayMs: number;
  #isCut = false;

  /** `target` is HOST:PORT. */
  static async open(target: string, delayMs: number): Promise<FarLink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FarLink(server, target, delayMs);
  }

  private constructor(server: Server, target: string, delayMs: number) {
    this.#server = server;
    this.delayMs = delayMs;
    const [host = "", port = ""] = target.split(":");
    this.#target = { host, port: Number(port) };
    const bound = server.address();
    const number = bound !== null && typeof bound === "object" ? bound.port : 0;
    this.address = `127.0.0.1:${number}`;
    server.on("connection", (near) => this.#join(near));
  }

  /** What is on its way is lost, and nobody gets through. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket): void {
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.#target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (bytes) => this.#later(() => to.write(bytes)));
      from.on("end", () => this.#later(() => to.end()));
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }

  /** Timers of one delay fire in the order in which they were set. */
  #later(act: () => void): void {
    setTimeout(act, this.delayMs);
  }
}
