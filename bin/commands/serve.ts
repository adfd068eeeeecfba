/** serve: one node of a cluster, until it is told to stop. */
import { CommandError, exits } from "../exit.ts";
import { readText } from "../files.ts";
import type { Invocation } from "../invocation.ts";

export async function serve(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const { serveNode } = await import("../../src/index.ts");
  const { config, json: _, ...flags } = options;
  const file = typeof config === "string" ? await settingsFrom(config) : undefined;
  const node = await serveNode({ file, environment: process.env, flags });
  const { address, id } = node;
  await output.result({ ready: true, address, id }, `node ${id} is ready at ${address}\n`);
  const signal = await new Promise<"SIGINT" | "SIGTERM">((resolve) => {
    invocation.onInterrupt(() => resolve("SIGINT"));
    process.once("SIGTERM", () => resolve("SIGTERM"));
  });
  // A second signal ends the process at once: its log is made to be cut off anywhere.
  process.once("SIGTERM", () => process.exit(exits.interrupted));
  output.note(`${signal}: finishing what is under way`);
  await node.close();
  return signal === "SIGINT" ? exits.interrupted : exits.ok;
}

async function settingsFrom(path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readText(path);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError("CONFIG_INVALID", `${path} is not JSON: ${said}`, { cause });
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
    return parsed as Readonly<Record<string, unknown>>;
  }
  throw new CommandError("CONFIG_INVALID", `${path} holds no JSON object`);
}
