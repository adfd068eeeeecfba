/**
 * What a certificate says of its holder, once TLS has found it to be the authority's: a URI among
 * the subject's other names, everwrite://node/NAME or everwrite://client/NAME, and a client's role
 * as its organization. Never the common name, which any server's certificate has, too.
 */
import type { X509Certificate } from "node:crypto";
import { type Role, roles } from "./access.ts";

export type Holder =
  | { readonly kind: "node"; readonly name: string; readonly until: number }
  | {
      readonly kind: "client";
      readonly name: string;
      readonly role: Role | undefined;
      readonly until: number;
    };

/** What the other side showed in the handshake of TLS. */
export interface Shown {
  readonly certificate: X509Certificate;
  /** Why it does not hold: not of our authority, expired; undefined when it does. */
  readonly problem: string | undefined;
}

const ours = /^URI:everwrite:\/\/(node|client)\/([A-Za-z0-9._-]{1,64})$/;

/** Undefined when it is nobody's of ours. */
export function holderOf(certificate: X509Certificate): Holder | undefined {
  const names = certificate.subjectAltName ?? "";
  // Node quotes a name that holds anything unusual, such as a comma; ours never do.
  if (names.includes('"')) return undefined;
  const matches = names.split(", ").flatMap((name) => [ours.exec(name) ?? []].filter(isMatch));
  const [match, second] = matches;
  if (match === undefined || second !== undefined) return undefined;
  const [, kind, name = ""] = match;
  const until = Date.parse(certificate.validTo);
  if (kind === "node") return { kind, name, until };
  return { kind: "client", name, role: roleIn(certificate.subject), until };
}

function isMatch(match: readonly string[]): boolean {
  return match.length > 0;
}

/** Of one field a line, as Node shows a subject. */
function roleIn(subject: string | undefined): Role | undefined {
  const organizations = (subject ?? "").split("\n").filter((line) => line.startsWith("O="));
  const [only] = organizations;
  return organizations.length === 1 ? roles.find((role) => `O=${role}` === only) : undefined;
}

const reasons: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  INVALID_PURPOSE: "it is not made for that",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is not of this cluster's authority",
  SELF_SIGNED_CERT_IN_CHAIN: "it is not of this cluster's authority",
  UNABLE_TO_GET_ISSUER_CERT: "it is not of this cluster's authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "it is not of this cluster's authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "it is not of this cluster's authority",
  CERT_SIGNATURE_FAILURE: "it is not of this cluster's authority",
};

/** OpenSSL's reason in words. */
export function problemOf(reason: string): string {
  return reasons[reason] ?? `it was refused (${reason})`;
}
