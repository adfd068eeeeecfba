/** What closes a cluster to strangers: certificates, tokens, the secret of its nodes. */
import { type CommandSpec, timeout } from "./spec.ts";

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
  {
    name: "token",
    summary: "the tokens of a node's clients: create, list, revoke NAME; secret FILE for nodes",
    arguments: [
      ["<action>", "create, list, revoke or secret"],
      ["[subject]", "the name of the token to take back, or the file of the nodes' secret"],
    ],
    options: [
      ["--role <role>", "what its holder may: read, write or admin"],
      ["--name <name>", "what the token is called (default: its role and a number)"],
      ["--prefix <scopes...>", "only keys that begin so, each BUCKET:PREFIX or :PREFIX"],
      ["--expires <when>", "until then: 90d, or a date"],
      ["--out <file>", "write the token into this new file, and do not print it"],
    ],
    examples: [
      "kvctl token create --role admin --name ada --token-file tokens.json --out ada.token",
      "kvctl token create --role write --prefix :cart/ orders: --token-file tokens.json",
      "kvctl token revoke ada --token-file tokens.json",
      "kvctl token secret peer.secret",
    ],
    load: async () => (await import("../commands/token.ts")).token,
  },
  {
    name: "rotate-context-key",
    summary: "seal contexts with a new key from now on; those of the last one are still taken",
    options: [timeout],
    examples: ["kvctl -e localhost:7400 rotate-context-key"],
    load: async () => (await import("../cluster/context-key.ts")).rotateContextKey,
  },
];
