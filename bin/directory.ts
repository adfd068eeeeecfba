/**
 * What --db names is an embedded database, or the directory of a cluster's node: the verbs that
 * read find out which, and those that write refuse the latter.
 */
import type { Engine } from "../native-free-engine/index.ts";
import type { NodeVerb } from "./commands/node-directory.ts";
import { CommandError } from "./exit.ts";
import { type Invocation, withDatabase } from "./invocation.ts";

/** Reads an embedded database, or a node's directory by the same verb. */
export function readDirectory(
  invocation: Invocation,
  verb: NodeVerb,
  use: (engine: Engine) => Promise<number>,
): Promise<number> {
  return withDatabase(invocation, "read", async (engine) => {
    const { isNodeDirectory } = await import("../src/store/store-format.ts");
    if (!(await isNodeDirectory(engine))) return use(engine);
    const { runOnNode } = await import("./commands/node-directory.ts");
    return runOnNode(verb, invocation, engine);
  });
}

/** Writes to an embedded database; around the versions of a node's nobody may. */
export function writeDirectory<T>(
  invocation: Invocation,
  mode: "write" | "create",
  use: (engine: Engine) => Promise<T>,
): Promise<T> {
  return withDatabase(invocation, mode, async (engine) => {
    const { isNodeDirectory } = await import("../src/store/store-format.ts");
    if (!(await isNodeDirectory(engine))) return use(engine);
    throw new CommandError("NODE_DIRECTORY", "the directory belongs to a node of a cluster", {
      hint: "start the node with kvctl serve, and write with -e HOST:PORT",
    });
  });
}
