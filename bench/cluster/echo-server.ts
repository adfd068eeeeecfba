/** The process that sends back every frame; prints where it listens. */
import { createRequire } from "node:module";

/** As far as it is used here. */
interface Server {
  on(event: string, listener: (...args: never[]) => void): void;
  address(): { readonly port: number };
}

interface Library {
  readonly WebSocketServer: new (options: object) => Server;
}

const { WebSocketServer } = createRequire(import.meta.url)("ws") as Library;
const options = { host: "127.0.0.1", port: 0, perMessageDeflate: false };
const server = new WebSocketServer(options);
server.on("listening", () => {
  process.stdout.write(`127.0.0.1:${server.address().port}\n`);
});
server.on("connection", (socket: { on: Server["on"]; send(bytes: Buffer): void }) => {
  socket.on("message", (frame: Buffer) => socket.send(frame));
  socket.on("error", () => undefined);
});
