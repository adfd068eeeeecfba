/** checkpoint of a cluster: each node copies its own directory, where it was told to. */
import { CommandError, exits } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";
import { count, plural, size } from "../units.ts";
import { timeoutOf, withClient } from "./connection.ts";

/** The logs of all that is in memory are written out, which may take long on a slow disk. */
const patienceMs = 60_000;

interface Made {
  readonly name: string;
  readonly nodes: readonly { node: number; path: string; bytes: number; keys: number }[];
  readonly missing: readonly { node: number; code: string; message: string }[];
}

export async function checkpoint(invocation: Invocation): Promise<number> {
  const { args, options, output } = invocation;
  const name = args[0] ?? "";
  const timeoutMs = timeoutOf(invocation) ?? patienceMs;
  const node = nodeOf(options["node"]);
  const made = (await withClient(invocation, (client) =>
    client.admin("checkpoint", { name, node }, { timeoutMs }),
  )) as Made;
  const [first] = made.missing;
  // Nothing was made: what went wrong is the answer.
  if (made.nodes.length === 0 && first !== undefined) {
    throw new CommandError(first.code, first.message, { exit: await exitOf(first.code) });
  }
  await output.result(made, textOf(made));
  return made.missing.length === 0 ? exits.ok : exits.partial;
}

async function exitOf(code: string): Promise<number> {
  const { clusterCodes, isClusterCode } = await import("../../src/errors.ts");
  return isClusterCode(code) ? clusterCodes[code].exit : exits.failure;
}

function nodeOf(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(String(text))) return Number(text);
  const message = `--node is the number of a node, got ${JSON.stringify(text)}`;
  throw new CommandError("NODE_UNKNOWN", message, { exit: exits.usage });
}

function textOf({ nodes, missing }: Made): string {
  const rows = nodes.map(({ node, path, bytes, keys }) => [
    String(node),
    count(keys),
    size(bytes),
    path,
  ]);
  const lines = missing.map(({ node, code, message }) => {
    return `! node ${node} has none: ${message} (${code})\n`;
  });
  const done = `${plural(nodes.length, "checkpoint")} made\n`;
  return `${table(["node", "keys", "bytes", "path on its machine"], rows)}${lines.join("")}${done}`;
}
