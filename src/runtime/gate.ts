/**
 * Who may come in, and as whom. All of it is judged from an upgrade's headers and from the
 * certificate shown in the handshake of TLS, before a frame is read. What a node demands follows
 * from the files it was given: a secret or an authority closes it to other nodes, tokens or an
 * authority to clients. Without any it is open, for which reason it listens on the loopback.
 */
import type { ClusterCode } from "../errors.ts";
import type { Principal } from "./access.ts";
import { networkOf } from "./address.ts";
import { type Holder, holderOf, type Shown } from "./certificates.ts";
import { Failures } from "./failures.ts";
import { type Log, seldom } from "./log.ts";
import { type Proof, ProofJudge, prove } from "./peer-proof.ts";
import { type NodeTls, type Part, ProtectionFiles, type ProtectionPaths } from "./protection.ts";
import type { Refusal } from "./refusal.ts";
import type { DialTls, Headers } from "./sockets.ts";
import type { TokenEntry } from "./tokens.ts";

/** All that is known of who knocks. */
export interface Knock {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly remote: string;
  readonly shown: Shown | undefined;
}

/** A client that was let in: who it is, and by what, so that it can be judged again. */
export interface Pass {
  readonly principal: Principal;
  readonly entry?: TokenEntry | undefined;
  readonly holder?: Holder | undefined;
}

export type ClientVerdict =
  | ({ readonly kind: "pass" } & Pass)
  | ({ readonly kind: "refused" } & Refusal);

/** What a node proved itself by: a secret, a certificate of that authority, or nothing. */
export type Grounds = Buffer | string | undefined;

/** `name`: what the certificate calls it, where one was shown. */
export type PeerVerdict =
  | {
      readonly kind: "proved";
      readonly headers: Headers;
      readonly grounds: Grounds;
      readonly name?: string | undefined;
    }
  | ({ readonly kind: "refused" } & Refusal);

/** How a node shows others who it is. */
export interface Dialler {
  /** Undefined: in the clear. */
  tls(): DialTls | undefined;
  /** `ahead`: how far the other side's clock is ahead of this one's, as it said. */
  prove(claims: Headers, ahead: number): Proof;
}

export interface GateParts {
  readonly log: Log;
  now(): number;
}

const anyone: Principal = { name: "anyone", role: "admin", scopes: undefined };
const unproved: Proof = { headers: {}, isAnswered: () => true };

/** For a cluster that demands nothing. */
export const openDialler: Dialler = { tls: () => undefined, prove: () => unproved };

export class Gate implements Dialler {
  readonly #parts: GateParts;
  readonly #files: ProtectionFiles;
  readonly #failures = new Failures();
  readonly #proofs: ProofJudge;
  readonly #listeners: ((changed: ReadonlySet<Part>) => void)[] = [];
  readonly #sayRefused: (said: object) => void;

  /** Throws when one of the files is not as it should be. */
  constructor(paths: ProtectionPaths, parts: GateParts) {
    this.#parts = parts;
    this.#proofs = new ProofJudge(parts.now());
    this.#sayRefused = seldom((said, suppressed) =>
      parts.log.audit("auth.refused", { ...said, suppressed }),
    );
    this.#files = new ProtectionFiles(paths, {
      log: parts.log,
      onLook: (changed) => {
        for (const listener of this.#listeners) listener(changed);
      },
    });
  }

  /** For the listener. */
  get nodeTls(): NodeTls | undefined {
    return this.#files.current.tls;
  }

  /** Called every few seconds, with what has changed: passes can also end by themselves. */
  onLook(listener: (changed: ReadonlySet<Part>) => void): void {
    this.#listeners.push(listener);
  }

  /** Reads again the files that have changed. */
  reload(): void {
    this.#files.look();
  }

  close(): void {
    this.#files.close();
  }

  tls(): DialTls | undefined {
    const { tls, secrets } = this.#files.current;
    if (tls === undefined) return undefined;
    const { ca, cert, key } = tls;
    // Where the secret proves it, a certificate is for servers alone, and may be made so.
    return secrets === undefined && ca !== undefined ? { ca, cert, key } : { ca };
  }

  prove(claims: Headers, ahead: number): Proof {
    const { secrets } = this.#files.current;
    if (secrets === undefined) return unproved;
    return prove(claims, secrets, this.#parts.now() + ahead);
  }

  judgePeer(knock: Knock, claims: Headers): PeerVerdict {
    const { tls, secrets } = this.#files.current;
    const { shown } = knock;
    const isByCertificate = tls?.ca !== undefined;
    const holder = shown && isByCertificate ? holderOf(shown.certificate) : undefined;
    const name = holder?.name;
    if (shown !== undefined && isByCertificate) {
      const why = shown.problem ?? whyNoNode(holder);
      if (why !== undefined) return this.#refused(knock, "PEER_AUTH_FAILED", `certificate: ${why}`);
    }
    if (secrets !== undefined) {
      const now = this.#parts.now();
      const verdict = this.#proofs.judge(knock.headers, { claims, secrets, now });
      if (verdict.kind === "proved") return { ...verdict, grounds: verdict.secret, name };
      const refusal = this.#refused(knock, "PEER_AUTH_FAILED", verdict.why);
      // A member whose clock is off hears at once what the time is.
      return verdict.isStale ? { ...refusal, delayMs: 0 } : refusal;
    }
    if (!isByCertificate || shown !== undefined) {
      return { kind: "proved", headers: {}, grounds: tls?.ca, name };
    }
    const message = "a node must show a certificate of the cluster's authority";
    return this.#refused(knock, "PEER_AUTH_FAILED", message);
  }

  /** Whether what a node proved itself by would still do. */
  holds(grounds: Grounds): boolean {
    const { tls, secrets } = this.#files.current;
    if (secrets === undefined) return grounds === tls?.ca;
    return Buffer.isBuffer(grounds) && secrets.some((secret) => secret.equals(grounds));
  }

  judgeClient(knock: Knock): ClientVerdict {
    const { tls, tokens } = this.#files.current;
    const isByCertificate = tls?.ca !== undefined;
    const holder = isByCertificate && knock.shown ? holderOf(knock.shown.certificate) : undefined;
    if (isByCertificate && knock.shown !== undefined) {
      const why = knock.shown.problem ?? whyNoClient(holder);
      if (why !== undefined) return this.#refused(knock, "AUTH_FAILED", `certificate: ${why}`);
    }
    const token = tokens === undefined ? undefined : tokenIn(knock.headers);
    if (tokens !== undefined && token !== undefined) {
      const entry = tokens.find(token);
      const pass = entry === undefined ? undefined : this.#passOf({ entry });
      if (pass !== undefined) return { kind: "pass", ...pass };
      // The same words for an unknown one and an expired one: a stranger learns nothing.
      return this.#refused(knock, "AUTH_FAILED", "the token is not valid");
    }
    if (holder !== undefined) {
      const pass = this.#passOf({ holder });
      if (pass !== undefined) return { kind: "pass", ...pass };
      return this.#refused(knock, "AUTH_FAILED", `the certificate of ${holder.name} has no role`);
    }
    if (tokens === undefined && !isByCertificate) return { kind: "pass", principal: anyone };
    const ways = [
      ...(tokens === undefined ? [] : ["a token"]),
      ...(isByCertificate ? ["a client's certificate"] : []),
    ];
    return this.#refused(knock, "AUTH_REQUIRED", `this node demands ${ways.join(" or ")}`);
  }

  /** What the pass is worth now; undefined when it is void. */
  judgeAgain({ principal, entry, holder }: Pass): Pass | undefined {
    if (entry === undefined && holder === undefined) return { principal };
    if (holder !== undefined) return this.#passOf({ holder });
    const { tokens } = this.#files.current;
    const successor = entry === undefined ? undefined : tokens?.successorOf(entry);
    return successor === undefined ? undefined : this.#passOf({ entry: successor });
  }

  #passOf({ entry, holder }: Omit<Pass, "principal">): Pass | undefined {
    const now = this.#parts.now();
    if (holder !== undefined) {
      if (holder.kind !== "client" || holder.until <= now) return undefined;
      // The file rules over what the certificate says of itself, so that it can be revoked.
      const ruling = this.#files.current.tokens?.ofCertificate(holder.name);
      const role = ruling?.role ?? holder.role;
      if (role === undefined || (ruling !== undefined && ruling.expires <= now)) return undefined;
      const name = `certificate ${holder.name}`;
      return { holder, principal: { name, role, scopes: ruling?.scopes } };
    }
    if (entry === undefined || entry.expires <= now) return undefined;
    const { name, role, scopes } = entry;
    return { entry, principal: { name: `token ${name}`, role, scopes } };
  }

  #refused(
    { remote }: Knock,
    code: ClusterCode,
    message: string,
  ): { readonly kind: "refused" } & Refusal {
    const delayMs = this.#failures.delayOf(networkOf(remote), performance.now());
    this.#sayRefused({ remote, code, why: message });
    const status = delayMs > 0 ? 429 : code === "AUTH_REQUIRED" ? 401 : 403;
    const clock = code === "PEER_AUTH_FAILED" ? Math.floor(this.#parts.now()) : undefined;
    return { kind: "refused", status, code, message, delayMs, clock };
  }
}

function whyNoNode(holder: Holder | undefined): string | undefined {
  if (holder?.kind === "node") return undefined;
  return holder === undefined ? "it is no node's" : "a client's opens no door for nodes";
}

function whyNoClient(holder: Holder | undefined): string | undefined {
  if (holder?.kind === "client") return undefined;
  return holder === undefined ? "it is no client's" : "a node's opens no door for clients";
}

/** Undefined when there is none. What is no bearer's token is an empty one: it fails. */
function tokenIn(headers: Readonly<Record<string, unknown>>): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(String(authorization))?.[1] ?? "";
}
