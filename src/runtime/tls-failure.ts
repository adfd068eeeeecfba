/**
 * Why a connection failed before it was open, where TLS has to do with it: OpenSSL's reasons in
 * words that say what to do. Everything else keeps the words of the system.
 */

export interface DialFailure {
  readonly message: string;
  readonly code: "TLS_FAILED" | undefined;
}

/** By the code of the error, as Node names OpenSSL's verdicts on the other side's certificate. */
const verdicts: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "its certificate has ended: the node needs a new one",
  CERT_NOT_YET_VALID: "its certificate is not valid yet: compare the clocks of both machines",
  INVALID_PURPOSE: "its certificate is not a server's",
  CERT_REVOKED: "its certificate was revoked",
};

/** Nobody who is believed here signed it. */
const strangers =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_UNTRUSTED|CERT_SIGNATURE_|INVALID_CA)/;

/** Alerts of the other side, and what is no TLS at all, by what OpenSSL says. */
const remarks: readonly (readonly [RegExp, string])[] = [
  [/wrong version number|packet length too long|http request/, "it speaks no TLS; connect without"],
  [/alert protocol version|unsupported protocol/, "it speaks no TLS 1.3"],
  [
    /alert (certificate|bad certificate|unknown ca|unsupported certificate|access denied)/,
    "it does not take the certificate that it was shown, or misses one",
  ],
];

/** What TLS is there to notice. It says nothing of whom one speaks with: the next try may work. */
const spoilt = /bad record mac/;

export function dialFailureOf(
  error: NodeJS.ErrnoException,
  { isTls }: { isTls: boolean },
): DialFailure {
  const code = error.code ?? "";
  if (!isTls) {
    const isUnanswered = code === "ECONNRESET" && /hang up/.test(error.message);
    const message = "it ended the connection unanswered; if it speaks TLS only, connect with tls";
    return { message: isUnanswered ? message : error.message, code: undefined };
  }
  if (spoilt.test(error.message)) {
    return { message: "TLS: bytes were changed on the way", code: undefined };
  }
  const why = verdictOf(error) ?? remarks.find(([pattern]) => pattern.test(error.message))?.[1];
  if (why !== undefined) return { message: `TLS: ${why}`, code: "TLS_FAILED" };
  const isOfTls = code === "EPROTO" || /^ERR_(SSL|TLS)_/.test(code);
  if (!isOfTls) return { message: error.message, code: undefined };
  // What remains is for those who know OpenSSL, without its file names and addresses.
  const [, said = error.message] = /:([a-z][^:]*):[^:]*\.c:/.exec(error.message) ?? [];
  return { message: `TLS: ${said.trim()}`, code: "TLS_FAILED" };
}

function verdictOf(error: NodeJS.ErrnoException): string | undefined {
  const code = error.code ?? "";
  if (strangers.test(code)) {
    return "no authority that is believed here signed its certificate; name the right one as ca";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const { cert } = error as { cert?: { subjectaltname?: unknown } };
    const names = typeof cert?.subjectaltname === "string" ? ` (${cert.subjectaltname})` : "";
    return `its certificate is for other hosts${names}; dial one of them, or make a new one`;
  }
  return verdicts[code];
}
