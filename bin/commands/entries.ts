/** get, put and del: one entry at a time. */
import { keyOf, readValue } from "../arguments.ts";
import { encodingOf, show } from "../bytes.ts";
import { entryObject } from "../entry-lines.ts";
import { CommandError, exits } from "../exit.ts";
import { type Invocation, isForCluster, withDatabase } from "../invocation.ts";
import { parseDuration } from "../units.ts";

export async function get(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) return (await import("../cluster/entries.ts")).get(invocation);
  const { output, options } = invocation;
  const encoding = encodingOf(options);
  const key = keyOf(invocation);
  const value = await withDatabase(invocation, "read", (engine) => engine.get(key));
  if (value === undefined) {
    throw new CommandError("NOT_FOUND", `not found: ${show(key)}`);
  }
  if (output.json) {
    await output.result(entryObject(key, value, encoding), "");
  } else {
    await output.write(value);
    // A prompt must not stand behind the value; a file must hold nothing but the value.
    if (output.isTerminal) await output.write("\n");
  }
  return exits.ok;
}

export async function put(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) return (await import("../cluster/entries.ts")).put(invocation);
  const { options, output } = invocation;
  const key = keyOf(invocation);
  const ttlMs = typeof options["ttl"] === "string" ? parseDuration(options["ttl"]) : undefined;
  const value = await valueFrom(invocation);
  const sync = options["sync"] === true ? true : undefined;
  await withDatabase(invocation, "create", (engine) => engine.put(key, value, { ttlMs, sync }));
  await output.result({ put: true, keyBytes: key.length, valueBytes: value.length }, "");
  return exits.ok;
}

export async function del(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) return (await import("../cluster/entries.ts")).del(invocation);
  const { options, output } = invocation;
  const key = keyOf(invocation);
  const sync = options["sync"] === true ? true : undefined;
  await withDatabase(invocation, "write", (engine) => engine.delete(key, { sync }));
  await output.result({ deleted: true, keyBytes: key.length }, "");
  return exits.ok;
}

async function valueFrom(invocation: Invocation): Promise<Uint8Array> {
  const { valueBytesMax } = await import("../../native-free-engine/index.ts");
  return readValue(invocation, valueBytesMax);
}
