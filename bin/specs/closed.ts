/** What closes a cluster to strangers: certificates. */
import type { CommandSpec } from "./spec.ts";

export const closedCommands: readonly CommandSpec[] = [
  {
    name: "cert",
    summary: "make certificates: create-ca, create-node HOST,IP…, create-client NAME",
    arguments: [
      ["<action>", "create-ca, create-node or create-client"],
      ["[subject]", "hosts and addresses of a node with commas, or the name of a client"],
    ],
    options: [
      ["--dir <dir>", "where they are kept; made by create-ca (default certs)"],
      ["--days <n>", "valid for so long (default 3650 of the authority, 825 of others)"],
      ["--role <role>", "what a client may: read (default), write or admin"],
      ["--name <name>", "what a node's files are called (default node)"],
    ],
    examples: [
      "kvctl cert create-ca --dir certs",
      "kvctl cert create-node localhost,127.0.0.1 --dir certs",
      "kvctl cert create-client ada --role admin --dir certs",
    ],
    load: async () => (await import("../certificates/cert.ts")).cert,
  },
];
