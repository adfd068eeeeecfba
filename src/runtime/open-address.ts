/** What an address that others can reach demands, before a node listens on it. */
import { ClusterError } from "../errors.ts";
import { isLoopback, parseAddress } from "./address.ts";

export interface Closing {
  readonly insecure: boolean;
  readonly tlsCert?: string | undefined;
  readonly tlsCa?: string | undefined;
  readonly peerSecretFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** The flags that are missing, each with what for; none on an address of this machine alone. */
export function lackingAt(listen: string, closing: Closing): readonly string[] {
  if (isLoopback(parseAddress(listen)?.host ?? "")) return [];
  const { tlsCert, tlsCa, peerSecretFile, tokenFile } = closing;
  return [
    ...(tlsCert === undefined ? ["--tls-cert and --tls-key, so that nobody listens in"] : []),
    ...((peerSecretFile ?? tlsCa) === undefined
      ? ["--peer-secret-file or --tls-ca, so that nodes prove themselves"]
      : []),
    ...((tokenFile ?? tlsCa) === undefined
      ? ["--token-file or --tls-ca, so that clients prove themselves"]
      : []),
  ];
}

/** Throws INSECURE_BIND for an address that others can reach, unless that is wanted. */
export function refuseOpenAddress(listen: string, closing: Closing): void {
  const lacking = lackingAt(listen, closing);
  if (closing.insecure || lacking.length === 0) return;
  throw new ClusterError(
    "INSECURE_BIND",
    `refusing to listen on ${listen}, which others can reach; missing: ${lacking.join("; ")}. ` +
      "Listen on 127.0.0.1, or say --insecure (insecure: true) if the network is yours alone",
  );
}
