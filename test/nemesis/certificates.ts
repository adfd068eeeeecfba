/** The certificates of a closed cluster, made by kvctl as a user would make them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsOptions } from "../../src/index.ts";
import { command } from "./commands.ts";

export interface Papers {
  readonly nodeFlags: readonly string[];
  readonly client: TlsOptions;
}

export function certify(
  directory: string,
  parts: { readonly hosts: readonly string[]; readonly package: string },
): Papers {
  const kvctl = join(parts.package, "bin", "kvctl.js");
  const cert = (...args: readonly string[]): void => {
    command(process.execPath, kvctl, "cert", ...args, "--dir", directory);
  };
  const file = (name: string): string => join(directory, name);
  const read = (name: string): string => readFileSync(file(name), "utf8");
  cert("create-ca");
  cert("create-node", parts.hosts.join(","));
  cert("create-client", "nemesis", "--role", "admin");
  return {
    nodeFlags: [
      ...["--tls-cert", file("node.crt"), "--tls-key", file("node.key")],
      ...["--tls-ca", file("ca.crt")],
    ],
    client: {
      ca: read("ca.crt"),
      cert: read("client.nemesis.crt"),
      key: read("client.nemesis.key"),
    },
  };
}
