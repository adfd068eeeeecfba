/**
 * Clusters that are closed to strangers, for tests: an authority and whom it certifies, a secret of
 * the nodes, tokens of clients. All of it is made when a test begins; no secret is kept anywhere.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { createAuthority, type Holder, issue, validFor } from "../../bin/certificates/authority.ts";
import type { Pair } from "../../bin/certificates/certificate.ts";
import type { Client, ConnectOptions } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import type { Role } from "../../src/runtime/access.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import type { RunningNode } from "../../src/runtime/server.ts";
import { startSmall } from "./open-world.ts";

/** Of another authority; 0 days: expired. */
interface More {
  readonly authority?: Pair;
  readonly days?: number;
}

const hourMs = 3_600_000;

/** Bound to all that a test opens; `close` takes it away again. */
export class ClosedWorld {
  readonly directory = mkdtempSync(join(tmpdir(), "everwrite-closed-"));
  readonly authority = createAuthority(validFor(30));
  readonly #closers: (() => unknown)[] = [];
  readonly #tokens: object[] = [];

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string, mode = 0o600): string {
    writeFileSync(this.path(name), text, { mode });
    return this.path(name);
  }

  /** The settings of a node with a certificate; by default of this world's authority. */
  tls(name = "node", authority: Pair = this.authority) {
    const { certificate, key } = issue(
      authority,
      { kind: "node", name, hosts: ["127.0.0.1", "localhost"] },
      validFor(30),
    );
    return {
      tlsCert: this.write(`${name}.crt`, certificate),
      tlsKey: this.write(`${name}.key`, key),
    };
  }

  get tlsCa(): string {
    return this.write("ca.crt", this.authority.certificate);
  }

  secret(name = "secret", text = randomBytes(32).toString("base64url")): string {
    return this.write(name, `${text}\n`);
  }

  /** The certificate of a client, as `connect` takes it. */
  clientTls(name: string, role: Role, more: More = {}) {
    return this.#shown({ kind: "client", name, role }, more);
  }

  /** The same of a node. */
  nodeTls(name: string, more: More = {}) {
    return this.#shown({ kind: "node", name, hosts: ["127.0.0.1"] }, more);
  }

  #shown(holder: Holder, { authority = this.authority, days = 30 }: More) {
    const past = { from: new Date(Date.now() - 2 * hourMs), until: new Date(Date.now() - hourMs) };
    const pair = issue(authority, holder, days > 0 ? validFor(days) : past);
    return { ca: this.authority.certificate, cert: pair.certificate, key: pair.key };
  }

  /** Adds an entry to the token file; what it returns is the token. */
  token(name: string, role: Role, more: object = {}): string {
    const token = randomBytes(32).toString("base64url");
    const sha256 = createHash("sha256").update(token).digest("hex");
    this.#tokens.push({ name, sha256, role, ...more });
    this.writeTokens();
    return token;
  }

  ruling(entry: object): void {
    this.#tokens.push(entry);
    this.writeTokens();
  }

  revoke(name: string): void {
    const at = this.#tokens.findIndex((entry) => (entry as { name: string }).name === name);
    this.#tokens.splice(at, 1);
    this.writeTokens();
  }

  writeTokens(): string {
    return this.write("tokens.json", JSON.stringify({ tokens: this.#tokens }));
  }

  async start(name: string, more: Partial<NodeConfig>): Promise<RunningNode> {
    const node = await startSmall(this.path(name), more);
    this.#closers.push(() => node.close().catch(() => undefined));
    return node;
  }

  async connect({ address }: RunningNode, options: ConnectOptions = {}): Promise<Client> {
    const client = await connect(address, { routing: "any", timeoutMs: 5_000, ...options });
    this.#closers.push(() => client.close());
    return client;
  }

  /** An upgrade as a stranger would try it: the status, and what the body says. */
  knock(
    { address }: Pick<RunningNode, "address">,
    options: {
      readonly protocol?: "everwrite.client.1" | "everwrite.peer.1";
      readonly headers?: Readonly<Record<string, string>>;
      readonly tls?: object | undefined;
    } = {},
  ): Promise<Knocked> {
    const { protocol = "everwrite.client.1", headers = {}, tls } = options;
    const scheme = tls === undefined ? "ws" : "wss";
    const socket = new WebSocket(`${scheme}://${address}/`, protocol, { headers, ...tls });
    this.#closers.push(() => socket.terminate());
    return new Promise((resolve) => {
      socket.on("error", (error) => resolve({ status: 0, code: error.message, socket }));
      socket.on("open", () => resolve({ status: 101, code: "", socket }));
      socket.on("unexpected-response", async (_request, response) => {
        let body = "";
        for await (const chunk of response) body += String(chunk);
        const { code } = JSON.parse(body) as { code: string };
        resolve({ status: response.statusCode ?? 0, code, socket });
      });
    });
  }

  later(close: () => unknown): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export interface Knocked {
  readonly status: number;
  /** Of our refusal, or what the socket says. */
  readonly code: string;
  readonly socket: WebSocket;
}
