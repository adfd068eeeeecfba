/**
 * Nodes that let nobody in unproved: TLS, tokens, and the secret or certificates among themselves.
 * All keys are made when the test runs.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issue, type Role, validFor } from "../../bin/certificates/authority.ts";
import type { Pair } from "../../bin/certificates/certificate.ts";
import type { Client, ConnectOptions } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";

export interface TokenLine {
  readonly name: string;
  readonly token: string;
  readonly role: Role;
  readonly prefixes?: readonly string[];
  readonly expires?: string;
}

/** What a test may switch off, to attack what remains. */
export interface TownOptions {
  readonly hasTls?: boolean;
  readonly hasSecret?: boolean;
  readonly hasTokens?: boolean;
}

export class ClosedTown {
  readonly base = mkdtempSync(join(tmpdir(), "everwrite-closed-"));
  readonly authority: Pair = createAuthority(validFor(30));
  readonly secret = randomBytes(32).toString("base64url");
  readonly tokens: readonly TokenLine[] = [
    { name: "root", token: newToken(), role: "admin" },
    { name: "writer", token: newToken(), role: "write" },
    { name: "reader", token: newToken(), role: "read" },
    { name: "carts", token: newToken(), role: "write", prefixes: [":cart/", "shop:user/"] },
    { name: "late", token: newToken(), role: "admin", expires: "2020-01-01T00:00:00Z" },
  ];
  readonly #options: TownOptions;
  readonly #closers: (() => Promise<unknown>)[] = [];

  constructor(options: TownOptions = {}) {
    this.#options = options;
    const node = issue(
      this.authority,
      { kind: "node", name: "n", hosts: ["127.0.0.1", "localhost"] },
      validFor(10),
    );
    this.#write("ca.crt", this.authority.certificate);
    this.#write("node.crt", node.certificate);
    this.#write("node.key", node.key);
    this.#write("secret", `${this.secret}\n`);
    const entries = this.tokens.map(({ token, ...entry }) => ({ ...entry, sha256: hashOf(token) }));
    this.#write("tokens.json", JSON.stringify({ tokens: entries }));
  }

  get protection(): Partial<NodeConfig> {
    const { hasTls = true, hasSecret = true, hasTokens = true } = this.#options;
    const path = (name: string): string => join(this.base, name);
    return {
      ...(hasTls
        ? { tlsCert: path("node.crt"), tlsKey: path("node.key"), tlsCa: path("ca.crt") }
        : {}),
      ...(hasSecret ? { peerSecretFile: path("secret") } : {}),
      ...(hasTokens ? { tokenFile: path("tokens.json") } : {}),
    };
  }

  /** Small and quick: few partitions, no wait for the disk. */
  async start(name: string, more: Partial<NodeConfig> = {}): Promise<RunningNode> {
    const node = await startNode({
      ...{ data: join(this.base, name), listen: "127.0.0.1:0", durability: "os" },
      ...{ memtableBytes: 1 << 20, cacheBytes: 1 << 20 },
      ...(more.join === undefined ? { partitions: 16 } : {}),
      ...this.protection,
      ...more,
    });
    this.#closers.push(() => node.close().catch(() => undefined));
    return node;
  }

  token(name: string): string {
    return this.tokens.find((entry) => entry.name === name)?.token ?? "";
  }

  client(name: string, role: Role): Pair {
    return issue(this.authority, { kind: "client", name, role }, validFor(10));
  }

  get tls(): ConnectOptions["tls"] {
    return this.#options.hasTls === false ? undefined : { ca: this.authority.certificate };
  }

  /** As the holder of this token. */
  async connect(node: RunningNode, name: string, more: ConnectOptions = {}): Promise<Client> {
    const client = await connect(node.address, { token: this.token(name), tls: this.tls, ...more });
    this.#closers.push(() => client.close());
    return client;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    rmSync(this.base, { recursive: true, force: true });
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.base, name), text, { mode: 0o600 });
  }
}

export function newToken(): string {
  return randomBytes(32).toString("base64url");
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
