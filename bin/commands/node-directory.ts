/**
 * get, scan and export where --db names the directory of a cluster's node: the user's keys in the
 * order of tokens, with all values and versions. Writing is the node's business alone.
 */
import type { Engine } from "../../native-free-engine/index.ts";
import { NodeDirectory, type UserEntry } from "../../src/store/node-directory.ts";
import { formatOf, keyOf, limitOf } from "../arguments.ts";
import { decodeArgument, encodingOf, show } from "../bytes.ts";
import { entryLine } from "../cluster/entry-line.ts";
import { formatEntry } from "../entry-lines.ts";
import { CommandError, exits, usage } from "../exit.ts";
import type { Invocation } from "../invocation.ts";

const chunkCharacters = 64 << 10;

export type NodeVerb = "get" | "scan" | "export";

const verbs = { get, scan, export: exportEntries } as const;

export async function runOnNode(
  verb: NodeVerb,
  invocation: Invocation,
  engine: Engine,
): Promise<number> {
  return verbs[verb](invocation, await NodeDirectory.open(engine, Date.now()));
}

async function get(invocation: Invocation, directory: NodeDirectory): Promise<number> {
  const { options, output } = invocation;
  const key = keyOf(invocation);
  const entry = await directory.get("", key);
  const [only] = entry?.values ?? [];
  if (entry === undefined || only === undefined) {
    throw new CommandError("NOT_FOUND", `not found: ${show(key)}`);
  }
  if (output.json) {
    await output.result(JSON.parse(lineOf(entry, options)), "");
    return entry.values.length > 1 ? exits.conflict : exits.ok;
  }
  if (entry.values.length > 1) {
    throw new CommandError("CONFLICT", `${entry.values.length} siblings for ${show(key)}`, {
      exit: exits.conflict,
      hint: "--json shows all of them",
    });
  }
  await output.write(only);
  if (output.isTerminal) await output.write("\n");
  return exits.ok;
}

async function scan(invocation: Invocation, directory: NodeDirectory): Promise<number> {
  const { options, output } = invocation;
  const keysOnly = options["keysOnly"] === true;
  if (options["count"] === true) {
    let count = 0;
    for await (const _ of chosen(invocation, directory)) count += 1;
    await output.result({ count }, `${count}\n`);
    return exits.ok;
  }
  await printAll(invocation, directory, (entry) => {
    if (output.json && !keysOnly) return lineOf(entry, options);
    if (output.json) return entryLine(entry.key, undefined, encodingOf(options));
    const values = keysOnly ? [] : entry.values.map((value) => `\t${show(value)}`);
    return `${show(entry.key)}${values.join("")}\n`;
  });
  return exits.ok;
}

/** Lines that are the same bytes wherever replicas agree. */
async function exportEntries(invocation: Invocation, directory: NodeDirectory): Promise<number> {
  const { options } = invocation;
  const form = { format: formatOf(options), encoding: encodingOf(options) };
  await printAll(invocation, directory, (entry) => {
    if (form.format === "ndjson") return lineOf(entry, options);
    if (entry.values.length === 1) return formatEntry(entry.key, entry.values[0], form);
    throw new CommandError("CONFLICT", `TSV has no place for siblings of ${show(entry.key)}`, {
      exit: exits.conflict,
      hint: "use --format ndjson",
    });
  });
  return exits.ok;
}

/** Members of a named bucket say so; `import` reads a key with one value back. */
function lineOf({ bucket, key, values, versions }: UserEntry, options: Options): string {
  const line = entryLine(key, values, encodingOf(options)).replace(/\}\n$/, "");
  const named = bucket === "" ? "" : `,"bucket":${JSON.stringify(bucket)}`;
  return `${line}${named},"versions":${JSON.stringify(versions)}}\n`;
}

type Options = Invocation["options"];

async function printAll(
  invocation: Invocation,
  directory: NodeDirectory,
  format: (entry: UserEntry) => string,
): Promise<void> {
  const { output } = invocation;
  let text = "";
  for await (const entry of chosen(invocation, directory)) {
    text += format(entry);
    if (text.length < chunkCharacters) continue;
    await output.write(text);
    text = "";
    if (output.isClosed) break;
  }
  if (text !== "") await output.write(text);
}

/** The order is that of tokens, so a range of keys is a sieve here. */
async function* chosen(
  { options }: Invocation,
  directory: NodeDirectory,
): AsyncGenerator<UserEntry, void, undefined> {
  const misplaced = ["gte", "lt", "reverse"].find((name) => options[name] !== undefined);
  if (misplaced !== undefined) {
    throw usage(`--${misplaced}: a node's directory has no order of keys`, "--prefix works");
  }
  const { prefix } = options;
  const start =
    typeof prefix === "string"
      ? decodeArgument(prefix, encodingOf(options), "--prefix")
      : new Uint8Array(0);
  let left = limitOf(options["limit"]) ?? Number.POSITIVE_INFINITY;
  if (left === 0) return;
  for await (const entry of directory.entries()) {
    if (Buffer.compare(entry.key.subarray(0, start.length), start) !== 0) continue;
    yield entry;
    left -= 1;
    if (left === 0) return;
  }
}
