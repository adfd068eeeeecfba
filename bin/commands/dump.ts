/** dump: what stands in one file of a database, without opening the database. */
import { join } from "node:path";
import { CommandError, exits } from "../exit.ts";
import { exists } from "../files.ts";
import type { Invocation } from "../invocation.ts";
import { outline } from "../outline.ts";

export async function dump(invocation: Invocation): Promise<number> {
  const { output } = invocation;
  const path = pathOf(invocation);
  const { describeFile } = await import("../../native-free-engine/inspect.ts");
  const description = await describeFile(path);
  await output.result(description, outline(description));
  return exits.ok;
}

/** As given, or else in the directory of --db. */
function pathOf({ args, db }: Invocation): string {
  const path = args[0] ?? "";
  if (exists(path)) return path;
  const inside = db === undefined ? undefined : join(db, path);
  if (inside !== undefined && exists(inside)) return inside;
  throw new CommandError("FILE", `no such file: ${path}`);
}
