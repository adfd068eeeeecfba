/** How a command reaches the cluster it was told of, and the options that all verbs share. */
import { connect } from "../../src/client/client.ts";
import type { Bucket, Client } from "../../src/client/api.ts";
import { Context } from "../../src/client/context.ts";
import { usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { parseDuration } from "../units.ts";

export async function withClient<T>(
  invocation: Invocation,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const { endpoints } = invocation;
  if (endpoints === undefined || endpoints === "") {
    throw usage("which cluster?", "name some of its nodes with -e HOST:PORT,… (KVCTL_ENDPOINTS)");
  }
  const client = await connect(endpoints, { timeoutMs: timeoutOf(invocation) });
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** The key space that --bucket names. */
export function bucketOf(client: Client, { options }: Invocation): Bucket {
  const name = options["bucket"];
  return typeof name === "string" ? client.bucket(name) : client;
}

export function timeoutOf({ options }: Invocation): number | undefined {
  const text = options["timeout"];
  return typeof text === "string" ? parseDuration(text) : undefined;
}

/** What --r, --w, --strict and --context say. */
export function quorumOf({ options }: Invocation) {
  return {
    r: wholeOf(options["r"], "--r"),
    w: wholeOf(options["w"], "--w"),
    strict: options["strict"] === true,
  };
}

export function contextOf({ options }: Invocation): Context | undefined {
  const text = options["context"];
  return typeof text === "string" ? Context.parse(text) : undefined;
}

function wholeOf(text: unknown, name: string): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isInteger(number)) return number;
  throw usage(`${name} is a whole number, got ${String(text)}`);
}
