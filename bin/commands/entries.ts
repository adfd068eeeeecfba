/** get, put and del: one entry at a time. */
import { keyOf, readValue } from "../arguments.ts";
import { encodingOf, show } from "../bytes.ts";
import { readDirectory, writeDirectory } from "../directory.ts";
import { entryObject } from "../entry-lines.ts";
import { CommandError, exits } from "../exit.ts";
import { type Invocation, isForCluster } from "../invocation.ts";
import { parseDuration } from "../units.ts";

export async function get(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) return (await import("../cluster/entries.ts")).get(invocation);
  const key = keyOf(invocation);
  return readDirectory(invocation, "get", async (engine) => {
    const value = await engine.get(key);
    if (value === undefined) throw new CommandError("NOT_FOUND", `not found: ${show(key)}`);
    return print(invocation, key, value);
  });
}

async function print(invocation: Invocation, key: Uint8Array, value: Uint8Array): Promise<number> {
  const { output, options } = invocation;
  if (output.json) {
    await output.result(entryObject(key, value, encodingOf(options)), "");
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
  await writeDirectory(invocation, "create", (engine) => engine.put(key, value, { ttlMs, sync }));
  await output.result({ put: true, keyBytes: key.length, valueBytes: value.length }, "");
  return exits.ok;
}

export async function del(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) return (await import("../cluster/entries.ts")).del(invocation);
  const { options, output } = invocation;
  const key = keyOf(invocation);
  const sync = options["sync"] === true ? true : undefined;
  await writeDirectory(invocation, "write", (engine) => engine.delete(key, { sync }));
  await output.result({ deleted: true, keyBytes: key.length }, "");
  return exits.ok;
}

async function valueFrom(invocation: Invocation): Promise<Uint8Array> {
  const { valueBytesMax } = await import("../../native-free-engine/index.ts");
  return readValue(invocation, valueBytesMax);
}
