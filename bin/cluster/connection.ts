/** How a command reaches the cluster it was told of, and the options that all verbs share. */
import type { Bucket, Client } from "../../src/client/api.ts";
import { connect } from "../../src/client/client.ts";
import { Context } from "../../src/client/context.ts";
import { CommandError, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { parseTimeout } from "../units.ts";
import { credentialsOf } from "./credentials.ts";

/**
 * One call needs one connection, so `any` of the nodes named passes it on; `aware` is for many,
 * which then go straight to the owners of their keys.
 */
export async function withClient<T>(
  invocation: Invocation,
  use: (client: Client) => Promise<T>,
  routing: "any" | "aware" = "any",
): Promise<T> {
  const { db, endpoints } = invocation;
  if (endpoints === undefined || endpoints === "") {
    const isMisplaced = db !== undefined && db !== "";
    throw usage(
      isMisplaced ? "this command works on a cluster, not on a directory" : "which cluster?",
      "name some of its nodes with -e HOST:PORT,… (KVCTL_ENDPOINTS)",
    );
  }
  const credentials = await credentialsOf(invocation);
  const dc = invocation.options["dc"] ?? process.env["KVCTL_DC"];
  const client = await connect(endpoints, {
    ...{ routing, timeoutMs: timeoutOf(invocation) },
    dc: typeof dc === "string" && dc !== "" ? dc : undefined,
    ...credentials,
  });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** What a node answers to an operator's command. Nodes of this version answer in this form. */
export async function askNode<T>(
  invocation: Invocation,
  client: Client,
  { name, args = {} }: { readonly name: string; readonly args?: object },
): Promise<T> {
  return (await client.admin(name, args, { timeoutMs: timeoutOf(invocation) })) as T;
}

/** The key space that --bucket names. */
export function bucketOf(client: Client, { options }: Invocation): Bucket {
  const name = options["bucket"];
  return typeof name === "string" ? client.bucket(name) : client;
}

export function timeoutOf({ options }: Invocation): number | undefined {
  const text = options["timeout"];
  return typeof text === "string" ? parseTimeout(text) : undefined;
}

/** What --r, --w, --strict and --context say. */
export function quorumOf({ options }: Invocation) {
  return {
    r: replicasOf(options["r"], "--r"),
    w: replicasOf(options["w"], "--w"),
    strict: options["strict"] === true,
  };
}

export function contextOf({ options }: Invocation): Context | undefined {
  const text = options["context"];
  return typeof text === "string" ? Context.parse(text) : undefined;
}

/** The cluster knows n, so it says whether the number is too high. */
function replicasOf(text: unknown, name: string): number | undefined {
  if (text === undefined) return undefined;
  const number = /^\d+$/.test(String(text)) ? Number(text) : 0;
  if (number > 0) return number;
  throw new CommandError(
    "QUORUM_INVALID",
    `${name} is a whole number from 1 to n, got ${JSON.stringify(text)}`,
  );
}
