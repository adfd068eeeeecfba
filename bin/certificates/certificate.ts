/**
 * One X.509 certificate (RFC 5280), signed with ECDSA on P-256: the form that every TLS 1.3 takes.
 * Who somebody is stands in a URI among the subject's other names, never in its common name, which
 * any server's certificate has too.
 */
import { createHash, type KeyObject, randomBytes, sign } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import {
  bits,
  identifier,
  integer,
  octets,
  part,
  partsOf,
  sequence,
  set,
  text,
  time,
  yes,
} from "./der.ts";

/** PEM: the certificate, and the private key that belongs to it. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

export interface Purpose {
  /** What the certificate is called among people. */
  readonly commonName: string;
  readonly organization?: string | undefined;
  readonly uri?: string | undefined;
  /** Names and addresses under which a server is dialled. */
  readonly hosts?: readonly string[];
  /** An authority signs others, and does nothing else. */
  readonly use: "authority" | "node" | "client";
  readonly from: Date;
  readonly until: Date;
}

export interface Signer {
  /** The signer's name, as its own certificate has it. */
  readonly name: Uint8Array;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const ids = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKey: "2.5.29.14",
  keyUsage: "2.5.29.15",
  alternativeNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKey: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuthentication: "1.3.6.1.5.5.7.3.1",
  clientAuthentication: "1.3.6.1.5.5.7.3.2",
} as const;

/** PEM. Without a signer it signs itself with the key it is for. */
export function makeCertificate(
  purpose: Purpose,
  { publicKey, signer }: { readonly publicKey: KeyObject; readonly signer: Signer },
): string {
  const algorithm = sequence(identifier(ids.ecdsaWithSha256));
  const content = sequence(
    part(0, integer(Uint8Array.of(2)), "explicit"),
    integer(serial()),
    algorithm,
    signer.name,
    sequence(time(purpose.from), time(purpose.until)),
    nameOf(purpose),
    publicKey.export({ type: "spki", format: "der" }),
    part(3, sequence(...extensionsOf(purpose, publicKey, signer.publicKey)), "explicit"),
  );
  const signature = sign("sha256", content, signer.privateKey);
  return pem("CERTIFICATE", sequence(content, algorithm, bits(signature)));
}

/** A subject's name: organization and common name, in this order. */
export function nameOf({
  commonName,
  organization,
}: Pick<Purpose, "commonName" | "organization">): Uint8Array {
  const field = (id: string, value: string) => set(sequence(identifier(id), text(value)));
  return sequence(
    ...(organization === undefined ? [] : [field(ids.organization, organization)]),
    field(ids.commonName, commonName),
  );
}

/** The name of a certificate's subject, byte for byte; it is after number, algorithm and times. */
export function subjectOf(certificate: Uint8Array): Uint8Array | undefined {
  const [content] = partsOf(certificate);
  return content === undefined ? undefined : partsOf(content)[5];
}

/** 127 random bits, not zero: nobody can foresee one, and no two are alike. */
function serial(): Uint8Array {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function extensionsOf(
  { use, uri, hosts = [] }: Purpose,
  publicKey: KeyObject,
  signerKey: KeyObject,
): readonly Uint8Array[] {
  const isAuthority = use === "authority";
  const uses = [
    ...(use === "node" ? [ids.serverAuthentication] : []),
    ...(isAuthority ? [] : [ids.clientAuthentication]),
  ];
  const names = [
    ...(uri === undefined ? [] : [part(6, ascii(uri), "implicit")]),
    ...hosts.map(hostName),
  ];
  return [
    // An authority's certificates sign no further authorities.
    extension(
      ids.basicConstraints,
      isAuthority ? sequence(yes(), integer(Uint8Array.of(0))) : sequence(),
      "critical",
    ),
    // Bit 0: signatures in handshakes; bits 5 and 6: signatures of certificates and their lists.
    extension(
      ids.keyUsage,
      isAuthority ? bits(Uint8Array.of(0x06), 1) : bits(Uint8Array.of(0x80), 7),
      "critical",
    ),
    ...(uses.length > 0
      ? [extension(ids.extendedKeyUsage, sequence(...uses.map(identifier)))]
      : []),
    ...(names.length > 0 ? [extension(ids.alternativeNames, sequence(...names))] : []),
    extension(ids.subjectKey, octets(keyIdentifier(publicKey))),
    extension(ids.authorityKey, sequence(part(0, keyIdentifier(signerKey), "implicit"))),
  ];
}

function extension(id: string, value: Uint8Array, weight?: "critical"): Uint8Array {
  return sequence(identifier(id), ...(weight === undefined ? [] : [yes()]), octets(value));
}

/** Tells keys apart; its length is the usual one, its way is nobody's business. */
function keyIdentifier(key: KeyObject): Uint8Array {
  const bytes = key.export({ type: "spki", format: "der" });
  return createHash("sha256").update(bytes).digest().subarray(0, 20);
}

function hostName(host: string): Uint8Array {
  const address = addressBytes(host);
  return address === undefined ? part(2, ascii(host), "implicit") : part(7, address, "implicit");
}

/** Undefined for a name. */
function addressBytes(host: string): Uint8Array | undefined {
  if (isIPv4(host)) return Uint8Array.from(host.split(".").map(Number));
  if (!isIPv6(host)) return undefined;
  // The form of a URL has hexadecimal groups only, with at most one gap of zeros.
  const plain = new URL(`http://[${host}]/`).hostname.slice(1, -1);
  const [head = "", tail] = plain.split("::");
  const groups = (side: string): string[] => (side === "" ? [] : side.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const gap = Array.from({ length: 8 - before.length - after.length }, () => "0");
  const all = [...before, ...gap, ...after].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

function ascii(content: string): Uint8Array {
  return Buffer.from(content, "ascii");
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
