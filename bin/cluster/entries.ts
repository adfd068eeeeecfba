/** get, put and del on a cluster. A value is written over what is there unless --blind says not. */
import type { Found, Stored } from "../../src/client/api.ts";
import { valueBytesMax } from "../../src/core/limits.ts";
import { keyOf, readValue } from "../arguments.ts";
import { type Encoding, encodingOf, show } from "../bytes.ts";
import { entryObject } from "../entry-lines.ts";
import { CommandError, exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import type { Output } from "../output.ts";
import { parseDuration, plural } from "../units.ts";
import { bucketOf, contextOf, quorumOf, withClient } from "./connection.ts";
import { resolvedValues, resolverNamed } from "./resolve.ts";
import { siblingTable } from "./siblings.ts";

export async function get(invocation: Invocation): Promise<number> {
  const { options } = invocation;
  const key = keyOf(invocation);
  const { r, strict } = quorumOf(invocation);
  const resolver = resolverNamed(options["resolve"]);
  const found = await withClient(invocation, (client) =>
    bucketOf(client, invocation).get(key, { r, strict }),
  );
  const values = await resolvedValues(found, resolver);
  if (resolver !== undefined && values.length > 1) {
    const what = `${plural(values.length, "sibling")} of ${show(key)}`;
    throw new CommandError("NOT_RESOLVED", `${what} are not all values for ${resolver}`);
  }
  // Who asks for the siblings wants to see those of a bucket with a resolver too.
  const isWhole = options["siblings"] === true && resolver === undefined;
  return print(invocation, key, { found, values: isWhole ? found.values : values });
}

export async function put(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const key = keyOf(invocation);
  const ttlMs = ttlOf(options["ttl"]);
  const value = await readValue(invocation, valueBytesMax);
  const { r, w, strict } = quorumOf(invocation);
  const given = contextOf(invocation);
  if (given !== undefined && options["blind"] === true) {
    throw usage("--context and --blind exclude each other");
  }
  const stored = await withClient(invocation, async (client) => {
    const bucket = bucketOf(client, invocation);
    const isBlind = options["blind"] === true;
    const context = given ?? (isBlind ? undefined : (await bucket.get(key, { r, strict })).context);
    return bucket.put(key, value, { context, w, strict, ttlMs });
  });
  const lengths = { keyBytes: key.length, valueBytes: value.length };
  await sayStored(output, { put: true, ...lengths }, stored);
  return exits.ok;
}

export async function del(invocation: Invocation): Promise<number> {
  const key = keyOf(invocation);
  const { w, strict } = quorumOf(invocation);
  const context = contextOf(invocation);
  const stored = await withClient(invocation, (client) =>
    bucketOf(client, invocation).delete(key, { context, w, strict }),
  );
  await sayStored(invocation.output, { deleted: true, keyBytes: key.length }, stored);
  return exits.ok;
}

/** `never` is for a bucket whose values expire. */
function ttlOf(text: unknown): number | undefined {
  if (typeof text !== "string") return undefined;
  return text === "never" ? Number.POSITIVE_INFINITY : parseDuration(text);
}

/** `values` is what became of those that were found. */
async function print(
  invocation: Invocation,
  key: Uint8Array,
  { found, values }: { readonly found: Found; readonly values: readonly Uint8Array[] },
): Promise<number> {
  const { output, options } = invocation;
  const encoding = encodingOf(options);
  const all = options["siblings"] === true;
  if (found.degraded === true) {
    output.note(
      "degraded: too few replicas with all their data answered, so a value may be missing",
    );
  }
  const [only] = values;
  if (only === undefined) throw new CommandError("NOT_FOUND", `not found: ${show(key)}`);
  if (output.json) {
    await output.result(
      jsonOf(entryObject(key, values.length > 1 ? undefined : only, encoding), {
        found,
        encoding,
        key,
      }),
      "",
    );
    return values.length > 1 && !all ? exits.conflict : exits.ok;
  }
  if (values.length > 1 && (all || output.isTerminal)) {
    await output.write(siblingTable(found, output.isTerminal));
  }
  if (values.length > 1) {
    if (all) return exits.ok;
    throw conflict(key, values.length);
  }
  await output.write(only);
  if (output.isTerminal) await output.write("\n");
  return exits.ok;
}

function conflict(key: Uint8Array, siblings: number): CommandError {
  const what = `${plural(siblings, "sibling")} for ${show(key)}`;
  return new CommandError("CONFLICT", `${what}, written without knowledge of each other`, {
    exit: exits.conflict,
  });
}

/** The entry, and all values that it was found or made of. */
function jsonOf(
  entry: unknown,
  {
    key,
    found,
    encoding,
  }: { readonly key: Uint8Array; readonly found: Found; readonly encoding: Encoding },
): unknown {
  const { values, written, context, degraded } = found;
  const siblings = values.map((value, i) => {
    const { key: _, keyBase64: __, ...only } = entryObject(key, value, encoding) as Plain;
    return { ...only, ...written[i] };
  });
  return { ...(entry as Plain), siblings, context, degraded: degraded === true };
}

type Plain = Readonly<Record<string, unknown>>;

/** A script is told nothing but the exit code, unless it asks for JSON. */
async function sayStored(output: Output, what: object, stored: Stored): Promise<void> {
  const { acks, context } = stored;
  await output.result({ ...what, acks, context }, "");
  if (!output.json && output.isTerminal) output.note(`OK  acks=${acks}  context=${context}`);
}
