/** dump: what stands in one file of a database, without opening the database. */
import { join } from "node:path";
import { limitOf } from "../arguments.ts";
import { CommandError, exits } from "../exit.ts";
import { exists } from "../files.ts";
import type { Invocation } from "../invocation.ts";
import { outline } from "../outline.ts";

/** Exits 1 where something is damaged, as `verify` does. */
export async function dump(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const path = pathOf(invocation);
  const limit = limitOf(options["limit"]);
  const { describeFile } = await import("../../native-free-engine/inspect.ts");
  const description = await describeFile(path, limit === undefined ? {} : { limit });
  if (description.kind === "other") {
    throw new CommandError("FILE", `${path} is no file of a database, by its name`, {
      hint: "databases hold 000001.log, 000002.sst, MANIFEST-000003 and CURRENT",
    });
  }
  await output.result(description, outline(description));
  const isDamaged = "damage" in description && description.damage.length > 0;
  return isDamaged ? exits.failure : exits.ok;
}

/** As given, or else in the directory of --db. */
function pathOf({ args, db }: Invocation): string {
  const path = args[0] ?? "";
  if (exists(path)) return path;
  const inside = db === undefined ? undefined : join(db, path);
  if (inside !== undefined && exists(inside)) return inside;
  throw new CommandError("FILE", `no such file: ${path}`);
}
