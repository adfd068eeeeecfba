/**
 * One port for peers, clients and curious people, over TLS where the node has a certificate. Who
 * may connect is judged from the headers of the upgrade and the certificate shown, before a single
 * frame is read; until then a connection has little room and little time. Web pages are refused
 * always.
 */
import { constants } from "node:crypto";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  STATUS_CODES,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket, type TlsOptions } from "node:tls";
import { ClusterError } from "../errors.ts";
import { type Address, formatAddress, networkOf } from "./address.ts";
import { problemOf, type Shown } from "./certificates.ts";
import type { Knock } from "./gate.ts";
import { Lobby } from "./lobby.ts";
import type { NodeTls } from "./protection.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { type Admitted, handshakeMsMax, type Protocol, subprotocols, Upgrades } from "./sockets.ts";

export interface Incoming extends Knock {
  readonly protocol: Protocol;
}

export type Admission =
  | ({ readonly kind: "admitted" } & Admitted)
  | ({ readonly kind: "refused" } & Refusal);

export interface ListenOptions extends Address {
  readonly connectionsMax?: number | undefined;
  /** Absent: in the clear. */
  readonly tls?: NodeTls | undefined;
  admit(incoming: Incoming): Admission;
}

export interface Listener {
  /** Where it listens, with the real port if 0 was asked for. */
  readonly address: Address;
  /** For the connections to come. Only where it had one before. */
  setTls(tls: NodeTls): void;
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

const limits = {
  maxHeaderSize: 8192,
  headersTimeout: handshakeMsMax,
  requestTimeout: 2 * handshakeMsMax,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 1000,
};

export function listen(options: ListenOptions): Promise<Listener> {
  const tls = options.tls;
  const https = tls && createHttpsServer({ ...limits, ...tlsOptionsOf(tls) }, greet);
  const server = https ?? createHttpServer(limits, greet);
  server.maxConnections = options.connectionsMax ?? connectionsMaxDefault;
  const lobby = new Lobby();
  // What the server does at the beginning of a connection is done only for whom there is room:
  // to begin with TLS is most of what a connection costs that is ended at once.
  const beginnings = server.listeners("connection");
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const name = nameOf(socket);
    const address = networkOf(socket.remoteAddress ?? "");
    if (!lobby.enter(name, { address, socket })) {
      socket.destroy();
      return;
    }
    socket.once("close", () => lobby.leave(name));
    for (const begin of beginnings) begin.call(server, socket);
  });
  const upgrades = { peer: new Upgrades("peer"), client: new Upgrades("client") };
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const protocol = protocolOf(request);
    const verdict = typeof protocol === "string" ? judge(options, request, protocol) : protocol;
    if ("code" in verdict) {
      const { delayMs = 0 } = verdict;
      if (delayMs === 0) refuse(socket, verdict);
      else setTimeout(() => refuse(socket, verdict), delayMs).unref();
      return;
    }
    lobby.leave(nameOf(request.socket));
    upgrades[verdict.protocol].accept({ request, socket, head }, verdict);
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
        setTls: (next) => https?.setSecureContext(tlsOptionsOf(next)),
        stopAccepting,
        close: () => {
          stopAccepting();
          server.closeAllConnections();
          lobby.close();
          upgrades.peer.terminate();
          upgrades.client.terminate();
          return stopped;
        },
      });
    });
  });
}

const greet: RequestListener = (request, response) => {
  const isGet = request.method === "GET" || request.method === "HEAD";
  const status = request.headers.origin !== undefined ? 403 : isGet ? 200 : 405;
  response.writeHead(status, { "content-type": "text/plain", connection: "close" });
  response.end(status === 200 ? greeting : `${STATUS_CODES[status]}\n`);
};

/**
 * Certificates of clients are asked for and never demanded here: the gate judges them, and says
 * why. No session is resumed, since what was shown at its beginning may not hold any more.
 */
function tlsOptionsOf({ cert, key, ca }: NodeTls): TlsOptions {
  return {
    ...{ cert, key, ca, minVersion: "TLSv1.3", handshakeTimeout: handshakeMsMax },
    ...{ requestCert: ca !== undefined, rejectUnauthorized: false },
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Tells a connection from all others that are open. */
function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function judge(
  { admit }: ListenOptions,
  request: IncomingMessage,
  protocol: Protocol,
): Refusal | (Admitted & { readonly protocol: Protocol }) {
  const { headers, socket } = request;
  const remote = socket.remoteAddress ?? "";
  const admission = admit({ protocol, headers, remote, shown: shownBy(socket) });
  return admission.kind === "refused" ? admission : { ...admission, protocol };
}

function shownBy(socket: Socket): Shown | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const { authorized, authorizationError } = socket;
  return { certificate, problem: authorized ? undefined : problemOf(String(authorizationError)) };
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
