/**
 * One port for peers, clients and curious people. Who may connect is judged from the headers of
 * the upgrade, before a single frame is read. Web pages are refused always.
 */
import { createServer, type IncomingMessage, STATUS_CODES } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { ClusterError } from "../errors.ts";
import { type Address, formatAddress } from "./address.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { type Admitted, handshakeMsMax, type Protocol, subprotocols, Upgrades } from "./sockets.ts";

export interface Incoming {
  readonly protocol: Protocol;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly remote: string;
}

export type Admission =
  | ({ readonly kind: "admitted" } & Admitted)
  | ({ readonly kind: "refused" } & Refusal);

export interface ListenOptions extends Address {
  readonly connectionsMax?: number | undefined;
  admit(incoming: Incoming): Admission;
}

export interface Listener {
  /** Where it listens, with the real port if 0 was asked for. */
  readonly address: Address;
  /** No new connections. Those that are open stay. */
  stopAccepting(): void;
  /** Ends what is left, and resolves once the port is free. */
  close(): Promise<void>;
}

const connectionsMaxDefault = 10_000;
const protocols: readonly Protocol[] = ["peer", "client"];

const greeting =
  "This is a node of an Everwrite cluster. It speaks WebSocket, not plain HTTP:\n" +
  "try kvctl -e HOST:PORT status, or connect() of the npm package everwrite.\n";

export function listen(options: ListenOptions): Promise<Listener> {
  const server = createServer(
    {
      maxHeaderSize: 8192,
      headersTimeout: handshakeMsMax,
      requestTimeout: 2 * handshakeMsMax,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 1000,
    },
    (request, response) => {
      const isGet = request.method === "GET" || request.method === "HEAD";
      const status = request.headers.origin !== undefined ? 403 : isGet ? 200 : 405;
      response.writeHead(status, { "content-type": "text/plain", connection: "close" });
      response.end(status === 200 ? greeting : `${STATUS_CODES[status]}\n`);
    },
  );
  server.maxConnections = options.connectionsMax ?? connectionsMaxDefault;
  const upgrades = { peer: new Upgrades("peer"), client: new Upgrades("client") };
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const protocol = protocolOf(request);
    if (typeof protocol !== "string") return refuse(socket, protocol);
    const remote = request.socket.remoteAddress ?? "";
    const admission = options.admit({ protocol, headers: request.headers, remote });
    if (admission.kind === "refused") refuse(socket, admission);
    else upgrades[protocol].accept({ request, socket, head }, admission);
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(unavailable(options, error)));
    server.listen({ host: options.host, port: options.port }, () => {
      // Later ones, such as too many open files at an accept, pass: the next accept may work.
      server.on("error", () => undefined);
      const { address, port } = server.address() as AddressInfo;
      const stopped = new Promise<void>((done) => server.once("close", done));
      const stopAccepting = (): void => {
        if (server.listening) server.close();
      };
      resolve({
        address: { host: address, port },
        stopAccepting,
        close: () => {
          stopAccepting();
          server.closeAllConnections();
          upgrades.peer.terminate();
          upgrades.client.terminate();
          return stopped;
        },
      });
    });
  });
}

function offered(request: IncomingMessage): readonly string[] {
  const header = String(request.headers["sec-websocket-protocol"] ?? "");
  return header.split(",").map((name) => name.trim());
}

/** What holds for everyone; the rest is for the node itself to judge. */
function protocolOf(request: IncomingMessage): Protocol | Refusal {
  if (request.headers.origin !== undefined) {
    const message = "web pages may not connect: the request has an Origin";
    return { status: 403, code: "ORIGIN_REFUSED", message };
  }
  const names = offered(request);
  const protocol = protocols.find((known) => names.includes(subprotocols[known]));
  if (protocol !== undefined) return protocol;
  const known = Object.values(subprotocols).join(" and ");
  const other = JSON.stringify(names.join(", ").slice(0, 64));
  const message = `this node speaks ${known}, not ${other}`;
  return { status: 400, code: "PROTOCOL_UNSUPPORTED", message };
}

function unavailable(address: Address, error: NodeJS.ErrnoException): ClusterError {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "something else listens there already",
    EADDRNOTAVAIL: "this machine has no such address",
    EACCES: "the system does not allow it",
    ENOTFOUND: "no such host",
  };
  const why = reasons[error.code ?? ""] ?? error.message;
  const message = `cannot listen on ${formatAddress(address)}: ${why}`;
  return new ClusterError("ADDRESS_UNAVAILABLE", message, { cause: error });
}
