/** A node from a settings file, the environment and flags: what `kvctl serve` runs. Flags win. */
import { gatherConfig, type NodeConfig } from "./runtime/config.ts";
import { readConfigFile } from "./runtime/files.ts";
import { type RunningNode, startNode } from "./runtime/server.ts";

export interface ServeSources {
  /** The path of a file that holds one JSON object. */
  readonly file: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, unknown>>;
}

/** A server logs unless told not to; a node inside another program does not. */
const defaults = { logLevel: "info" } as const;

/** Rejects with CONFIG_INVALID, which names everything that is wrong, and as `startNode` does. */
export async function serveNode(sources: ServeSources): Promise<RunningNode> {
  const { environment, flags } = sources;
  const file = sources.file === undefined ? {} : readConfigFile(sources.file);
  const gathered = gatherConfig({ file: { ...defaults, ...file }, environment, flags });
  // Whatever it is: startNode checks it before it uses any of it.
  return startNode(gathered as unknown as NodeConfig);
}
