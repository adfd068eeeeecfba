/**
 * An authority of one's own and what it signs: certificates of nodes and of clients. A node's says
 * everwrite://node/NAME and serves both as a server and towards its peers; a client's says
 * everwrite://client/NAME, its role stands as its organization, and it opens no peer's door.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import { usage } from "../exit.ts";
import {
  makeCertificate,
  nameOf,
  type Pair,
  type Purpose,
  type Signer,
  subjectOf,
} from "./certificate.ts";

export type Role = "admin" | "write" | "read";

export type Holder =
  | { readonly kind: "node"; readonly name: string; readonly hosts: readonly string[] }
  | { readonly kind: "client"; readonly name: string; readonly role: Role };

export interface Validity {
  readonly from: Date;
  readonly until: Date;
}

const renewal = "make another with kvctl cert create-ca --dir NEW; --tls-ca may hold both";
const dayMs = 86_400_000;
/** Clocks of other machines may be behind, and would take a new certificate for a future one. */
const headStartMs = 300_000;

export function validFor(days: number, now = Date.now()): Validity {
  return { from: new Date(now - headStartMs), until: new Date(now + days * dayMs) };
}

export function createAuthority(validity: Validity): Pair {
  // Two authorities are never called the same, so that one can follow the other.
  const commonName = `Everwrite CA ${randomBytes(4).toString("hex")}`;
  const { publicKey, privateKey } = newKeys();
  const signer = { name: nameOf({ commonName }), publicKey, privateKey };
  const purpose: Purpose = { commonName, use: "authority", ...validity };
  return {
    certificate: makeCertificate(purpose, { publicKey, signer }),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** A certificate never outlives the authority that signs it. */
export function issue(authority: Pair, holder: Holder, validity: Validity): Pair {
  const { end, ...signer } = openAuthority(authority);
  if (end <= validity.from) {
    throw usage(`the authority's certificate ended at ${end.toISOString()}`, renewal);
  }
  const { publicKey, privateKey } = newKeys();
  const purpose: Purpose = {
    commonName: holder.name,
    organization: holder.kind === "client" ? holder.role : undefined,
    uri: `everwrite://${holder.kind}/${holder.name}`,
    hosts: holder.kind === "node" ? holder.hosts : [],
    use: holder.kind,
    from: validity.from,
    until: end < validity.until ? end : validity.until,
  };
  return {
    certificate: makeCertificate(purpose, { publicKey, signer }),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

export function checkName(name: string): string {
  if (/^[A-Za-z0-9._-]{1,64}$/.test(name) && !name.startsWith(".")) return name;
  throw usage(`a name has 1 to 64 letters, digits, "-", "_" or ".", got ${JSON.stringify(name)}`);
}

/** `HOST,IP,…` without ports, as others dial the node. */
export function parseHosts(list: string): readonly string[] {
  const hosts = list.split(",").map((host) => host.trim().replace(/^\[(.*)\]$/, "$1"));
  const label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
  const name = new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`);
  for (const host of hosts) {
    if (isIP(host) !== 0) continue;
    const isName = name.test(host) && host.length <= 253 && !/^[\d.]+$/.test(host);
    if (!isName) {
      throw usage(
        `a host is a name or an IP address, got ${JSON.stringify(host)}`,
        "name all under which others dial the node, without ports: node1.example.com,10.0.0.1",
      );
    }
  }
  return [...new Set(hosts)];
}

function newKeys() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

interface Authority extends Signer {
  readonly end: Date;
}

function openAuthority(pair: Pair): Authority {
  const authority = parsedAuthority(pair);
  if (authority === undefined) {
    throw usage(
      "ca.crt and ca.key are not the two halves of an authority on P-256",
      "kvctl cert create-ca makes both, in an empty directory",
    );
  }
  return authority;
}

/** Undefined when the texts are anything else. */
function parsedAuthority({ certificate, key }: Pair): Authority | undefined {
  try {
    const parsed = new X509Certificate(certificate);
    const privateKey = createPrivateKey(key);
    const name = subjectOf(parsed.raw);
    const isOurs = privateKey.asymmetricKeyDetails?.namedCurve === "prime256v1";
    if (!parsed.ca || !isOurs || !parsed.checkPrivateKey(privateKey)) return undefined;
    if (name === undefined) return undefined;
    const publicKey = createPublicKey(privateKey);
    return { name, publicKey, privateKey, end: new Date(parsed.validTo) };
  } catch {
    return undefined;
  }
}
