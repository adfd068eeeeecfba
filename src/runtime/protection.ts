/**
 * The files that close a node: certificates, the secret of its cluster, the tokens of its clients.
 * They are read at the start, where a bad one is the end of it, and again whenever one changes:
 * then a bad one is logged, and what was good stays in force.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { ClusterError } from "../errors.ts";
import { invalidConfig, type NodeConfig } from "./config.ts";
import { markOfFile, readSecretFile, readSettingFile } from "./files.ts";
import type { Log } from "./log.ts";
import { type PeerSecrets, parseSecrets } from "./peer-proof.ts";
import { parseTokens, type TokenBook } from "./tokens.ts";

/** PEM texts. */
export interface NodeTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

export interface Protection {
  readonly tls: NodeTls | undefined;
  readonly secrets: PeerSecrets | undefined;
  readonly tokens: TokenBook | undefined;
}

export type ProtectionPaths = Pick<
  NodeConfig,
  "tlsCert" | "tlsKey" | "tlsCa" | "peerSecretFile" | "tokenFile"
>;

/** What changed. `authority`: whom certificates are believed from. */
export type Part = "tls" | "authority" | "secrets" | "tokens";

const lookMs = 2_000;
const dayMs = 86_400_000;
const warnDays = 14;

interface Watched {
  readonly paths: readonly string[];
  /** Throws, and then nothing has changed. */
  load(): readonly Part[];
  marks: string;
}

export class ProtectionFiles {
  readonly #log: Log;
  readonly #watched: readonly Watched[];
  readonly #onLook: (changed: ReadonlySet<Part>) => void;
  readonly #timer: NodeJS.Timeout;
  #current: Protection = { tls: undefined, secrets: undefined, tokens: undefined };

  /** Throws CONFIG_INVALID or INSECURE_PERMISSIONS. `onLook` is called at each look from now on. */
  constructor(
    paths: ProtectionPaths,
    { log, onLook }: { readonly log: Log; onLook(changed: ReadonlySet<Part>): void },
  ) {
    this.#log = log;
    this.#onLook = onLook;
    this.#watched = this.#watch(paths);
    for (const watched of this.#watched) {
      watched.marks = marksOf(watched.paths);
      watched.load();
    }
    this.#timer = setInterval(() => this.look(), lookMs).unref();
  }

  get current(): Protection {
    return this.#current;
  }

  /** Reads again what has changed. */
  look(): void {
    const changed = new Set<Part>();
    for (const watched of this.#watched) {
      const marks = marksOf(watched.paths);
      if (marks === watched.marks) continue;
      watched.marks = marks;
      for (const part of this.#reload(watched)) changed.add(part);
    }
    this.#onLook(changed);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #reload({ paths, load }: Watched): readonly Part[] {
    try {
      const parts = load();
      this.#log.info("protection.reloaded", { paths, parts });
      return parts;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.error("protection.kept", { paths, why });
      return [];
    }
  }

  #watch({ tlsCert, tlsKey, tlsCa, peerSecretFile, tokenFile }: ProtectionPaths): Watched[] {
    const watched: Watched[] = [];
    if (tlsCert !== undefined && tlsKey !== undefined) {
      const paths = [tlsCert, tlsKey, ...(tlsCa === undefined ? [] : [tlsCa])];
      const load = (): readonly Part[] => this.#loadTls({ tlsCert, tlsKey, tlsCa });
      watched.push({ paths, load, marks: "" });
    }
    if (peerSecretFile !== undefined) {
      const load = (): readonly Part[] => {
        this.#current = { ...this.#current, secrets: readSecrets(peerSecretFile) };
        return ["secrets"];
      };
      watched.push({ paths: [peerSecretFile], load, marks: "" });
    }
    if (tokenFile !== undefined) {
      const load = (): readonly Part[] => {
        const tokens = parseTokens(readSecretFile(tokenFile), tokenFile);
        this.#current = { ...this.#current, tokens };
        return ["tokens"];
      };
      watched.push({ paths: [tokenFile], load, marks: "" });
    }
    return watched;
  }

  #loadTls(paths: {
    readonly tlsCert: string;
    readonly tlsKey: string;
    readonly tlsCa: string | undefined;
  }): readonly Part[] {
    const { tlsCert, tlsKey, tlsCa } = paths;
    const cert = readSettingFile(tlsCert);
    const key = readSecretFile(tlsKey);
    const ca = tlsCa === undefined ? undefined : readSettingFile(tlsCa);
    checkTls({ cert, key, ca }, paths);
    this.#warnOfEnd(tlsCert, new X509Certificate(cert));
    const before = this.#current.tls;
    this.#current = { ...this.#current, tls: { cert, key, ca } };
    return before !== undefined && before.ca !== ca ? ["tls", "authority"] : ["tls"];
  }

  #warnOfEnd(path: string, { validTo }: X509Certificate): void {
    const days = Math.floor((Date.parse(validTo) - Date.now()) / dayMs);
    if (days < 0) this.#log.error("certificate.expired", { path, validTo });
    else if (days < warnDays) this.#log.warn("certificate.expires", { path, validTo });
  }
}

function readSecrets(path: string): PeerSecrets {
  const secrets = parseSecrets(readSecretFile(path));
  if (secrets !== undefined) return secrets;
  throw invalidConfig([
    `${path} must hold a secret of at least 16 characters, or several, one a line`,
  ]);
}

/** What OpenSSL does not take, said with the name of the file where that can be known. */
function checkTls(
  { cert, key, ca }: NodeTls,
  paths: {
    readonly tlsCert: string;
    readonly tlsKey: string;
    readonly tlsCa: string | undefined;
  },
): void {
  const steps: readonly (readonly [string, () => unknown])[] = [
    [`${paths.tlsCert} must hold a certificate in PEM`, () => new X509Certificate(cert)],
    [
      `${paths.tlsKey} must hold the private key of ${paths.tlsCert} in PEM`,
      () => createSecureContext({ cert, key }),
    ],
    [
      `${paths.tlsCa} must hold an authority's certificate in PEM`,
      () => ca === undefined || new X509Certificate(ca),
    ],
  ];
  for (const [must, attempt] of steps) {
    try {
      attempt();
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      throw new ClusterError("CONFIG_INVALID", `${must} (${said})`, { cause });
    }
  }
}

function marksOf(paths: readonly string[]): string {
  return paths.map(markOfFile).join("\n");
}
