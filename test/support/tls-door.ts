/** TLS in front of a port that speaks none: what arrives is decrypted and goes on to it. */
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type TlsOptions } from "node:tls";
import {
  createAuthority,
  issue,
  type Validity,
  validFor,
} from "../../bin/certificates/authority.ts";
import type { Pair } from "../../bin/certificates/certificate.ts";

export const authority = createAuthority(validFor(30));
export const stranger = createAuthority(validFor(30));

const dayMs = 86_400_000;
export const longAgo: Validity = {
  from: new Date(Date.now() - 20 * dayMs),
  until: new Date(Date.now() - 10 * dayMs),
};

export function nodePair(
  hosts: readonly string[] = ["127.0.0.1", "localhost"],
  more: { readonly from?: Pair; readonly validity?: Validity } = {},
): Pair {
  const holder = { kind: "node", name: "n1", hosts } as const;
  return issue(more.from ?? authority, holder, more.validity ?? validFor(10));
}

export interface TlsDoor {
  readonly address: string;
  /** Connections until now, also those whose handshake failed. */
  readonly tried: number;
  cut(): void;
  close(): void;
}

export async function openTlsDoor(
  address: string,
  pair: Pair = nodePair(),
  more: TlsOptions = {},
): Promise<TlsDoor> {
  const [host = "", port = ""] = address.split(":");
  const open = new Set<Socket>();
  let tried = 0;
  const server = createServer(
    { cert: pair.certificate, key: pair.key, minVersion: "TLSv1.3", ...more },
    (outside) => {
      const inside = connect(Number(port), host);
      outside.pipe(inside).pipe(outside);
      inside.on("error", () => outside.destroy());
      inside.on("close", () => outside.destroy());
      outside.on("error", () => inside.destroy());
      outside.on("close", () => inside.destroy());
    },
  );
  server.on("connection", (socket: Socket) => {
    tried += 1;
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get tried() {
      return tried;
    },
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}
