/**
 * A long way on one machine: a port that passes everything on to another, both ways, after a delay,
 * and that can be cut and mended. Connections that the first bytes show to be near ones are passed
 * on at once, and never cut: so the nodes of one address are near for some and far for others.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

type IsFar = (head: string) => boolean;

export class FarLink {
  readonly address: string;
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #isFar: IsFar;
  readonly #far = new Set<Socket>();
  readonly #all = new Set<Socket>();
  readonly #delayMs: number;
  #isCut = false;

  /** `target` is HOST:PORT; `delayMs` is for one way. */
  static async open(target: string, delayMs: number, isFar: IsFar = () => true): Promise<FarLink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new FarLink(server, { target, delayMs, isFar });
  }

  private constructor(
    server: Server,
    { target, delayMs, isFar }: { target: string; delayMs: number; isFar: IsFar },
  ) {
    this.#server = server;
    this.#delayMs = delayMs;
    this.#isFar = isFar;
    const [host = "", port = ""] = target.split(":");
    this.#target = { host, port: Number(port) };
    const bound = server.address();
    const number = bound !== null && typeof bound === "object" ? bound.port : 0;
    this.address = `127.0.0.1:${number}`;
    server.on("connection", (socket) => {
      this.#follow(socket);
      // The head of a request fits in its first packet.
      socket.once("data", (head: Buffer) => this.#join(socket, head));
    });
  }

  /** What is on its way is lost, and nobody from afar gets through. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#far) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    for (const socket of this.#all) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(here: Socket, head: Buffer): void {
    const isFar = this.#isFar(head.toString("latin1"));
    if (isFar && this.#isCut) {
      here.destroy();
      return;
    }
    const there = connect(this.#target);
    this.#follow(there);
    const delayMs = isFar ? this.#delayMs : 0;
    // Timers of one delay fire in the order in which they were set.
    const later = (act: () => void): void => {
      if (delayMs === 0) act();
      else setTimeout(act, delayMs);
    };
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      if (isFar) this.#far.add(from);
      from.on("data", (bytes: Buffer) => later(() => to.write(bytes)));
      from.on("end", () => later(() => to.end()));
      from.on("close", () => later(() => to.destroy()));
    }
    later(() => there.write(head));
  }

  #follow(socket: Socket): void {
    this.#all.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#all.delete(socket);
      this.#far.delete(socket);
    });
  }
}
