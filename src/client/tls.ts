/** What a caller says of TLS, checked as a whole before anything is dialled. */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { describe } from "../../native-free-engine/base/text.ts";
import { ClusterError } from "../errors.ts";
import type { DialTls } from "../runtime/sockets.ts";
import type { BytesInput, ConnectOptions } from "./api.ts";

const certificates = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const known = ["ca", "cert", "key", "servername"];

/** Undefined: in the clear. */
export function tlsFrom(given: ConnectOptions["tls"]): DialTls | undefined {
  if (given === undefined) return undefined;
  if (given === true) return {};
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`tls is true or { ca, cert, key, servername }, not ${describe(given)}`);
  }
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid(`tls has no ${JSON.stringify(unknown)}`);
  const { servername } = given;
  if (servername !== undefined && !/^[\w.:-]{1,253}$/.test(servername)) {
    throw invalid(`tls.servername is the name of a host, not ${JSON.stringify(servername)}`);
  }
  const ca = pemOf("ca", given.ca, "CERTIFICATE");
  const cert = pemOf("cert", given.cert, "CERTIFICATE");
  const key = pemOf("key", given.key, "KEY");
  if ((cert === undefined) !== (key === undefined)) {
    throw invalid(`tls.${cert === undefined ? "key" : "cert"} is given without the other half`);
  }
  try {
    // OpenSSL passes over authorities that it cannot read, and would then believe nobody.
    for (const [block] of (ca ?? "").matchAll(certificates)) new X509Certificate(block);
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`tls does not hold what TLS can use: ${said}`, cause);
  }
  return { ca, cert, key, servername };
}

/** OpenSSL would take a file without any certificate for no file at all. */
function pemOf(name: string, given: BytesInput | undefined, label: string): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== "string" && !(given instanceof Uint8Array)) {
    throw new TypeError(`tls.${name} is a string or a Uint8Array, not ${describe(given)}`);
  }
  const text = typeof given === "string" ? given : Buffer.from(given).toString("latin1");
  if (new RegExp(`-----BEGIN [A-Z ]*${label}-----`).test(text)) return text;
  throw invalid(`tls.${name} holds no ${label === "KEY" ? "private key" : "certificate"} in PEM`);
}

function invalid(message: string, cause?: unknown): ClusterError {
  return new ClusterError("INVALID_ARGUMENT", message, cause === undefined ? {} : { cause });
}
