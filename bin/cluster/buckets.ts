/** bucket create, list and set: named key spaces and their properties. */
import type { BucketProperties, Client } from "../../src/client/api.ts";
import type { BucketRecord } from "../../src/index.ts";
import { CommandError, exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { table } from "../table.ts";
import { parseDuration } from "../units.ts";
import { timeoutOf, withClient } from "./connection.ts";

const resolvers: readonly BucketRecord["resolver"][] = ["siblings", "lww", "union", "counter"];

export async function bucket(invocation: Invocation): Promise<number> {
  const [verb = "", name] = invocation.args;
  switch (verb) {
    case "list":
      if (name !== undefined) throw usage("bucket list takes no name");
      return list(invocation);
    case "create":
    case "set":
      if (name === undefined) throw usage(`which bucket? bucket ${verb} NAME`);
      return change(invocation, verb, name);
    default:
      throw usage(`bucket create, bucket set or bucket list, not bucket ${verb}`);
  }
}

async function change(
  invocation: Invocation,
  verb: "create" | "set",
  name: string,
): Promise<number> {
  const properties = propertiesOf(invocation);
  if (verb === "set" && Object.values(properties).every((value) => value === undefined)) {
    throw usage("what is to change? name --r, --w, --resolver or --ttl");
  }
  const options = { timeoutMs: timeoutOf(invocation) };
  const made = await withClient(invocation, async (client) => {
    if (verb === "create") await client.createBucket(name, properties, options);
    else await client.setBucket(name, properties, options);
    return (await client.buckets(options)).filter((one) => one.name === name);
  });
  await invocation.output.result(made[0], textOf(made));
  return exits.ok;
}

async function list(invocation: Invocation): Promise<number> {
  const timeoutMs = timeoutOf(invocation);
  const buckets = await withClient(invocation, (client: Client) => client.buckets({ timeoutMs }));
  await invocation.output.result({ buckets }, textOf(buckets));
  return exits.ok;
}

function propertiesOf({ options }: Invocation): BucketProperties {
  const { resolver } = options;
  const known = resolvers.find((one) => one === resolver);
  if (resolver !== undefined && known === undefined) {
    throw usage(`--resolver is one of ${resolvers.join(", ")}, got ${String(resolver)}`);
  }
  const { ttl } = options;
  const ttlMs = typeof ttl !== "string" ? undefined : ttl === "never" ? 0 : parseDuration(ttl);
  return {
    r: quorumOf(options["r"], "--r"),
    w: quorumOf(options["w"], "--w"),
    resolver: known,
    ttlMs,
  };
}

/** 0 takes the property back. */
function quorumOf(text: unknown, name: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(String(text))) return Number(text);
  const message = `${name} is 1 to n, or 0 for the cluster's own, got ${JSON.stringify(text)}`;
  throw new CommandError("QUORUM_INVALID", message);
}

function textOf(buckets: readonly BucketRecord[]): string {
  if (buckets.length === 0) return "no buckets were created\n";
  const own = (quorum: number): string => (quorum === 0 ? "cluster's" : String(quorum));
  const rows = buckets.map(({ name, r, w, resolver, ttlMs }) => [
    name,
    own(r),
    own(w),
    resolver,
    ttlMs === 0 ? "never" : lifeText(ttlMs),
  ]);
  return table(["bucket", "r", "w", "resolver", "expires after"], rows);
}

/** In the largest unit that says it exactly, as --ttl takes it. */
function lifeText(ms: number): string {
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1000],
  ];
  const [unit, size] = units.find(([, each]) => ms % each === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}
