/** What arguments and options mean that several verbs take, on a directory or on a cluster. */
import { decodeArgument, encodingOf } from "./bytes.ts";
import type { Format } from "./entry-lines.ts";
import { usage } from "./exit.ts";
import { readAll } from "./files.ts";
import type { Invocation } from "./invocation.ts";

export function keyOf({ args, options }: Invocation): Uint8Array {
  return decodeArgument(args[0] ?? "", encodingOf(options), "key");
}

/** From the argument, or raw from a file or standard input. */
export async function readValue(
  { args, options }: Invocation,
  valueBytesMax: number,
): Promise<Uint8Array> {
  const argument = args[1];
  const file = options["file"];
  if (typeof file === "string") {
    if (argument !== undefined) throw usage("give either VALUE or --file, not both");
    return readAll(file, valueBytesMax);
  }
  if (argument !== undefined && argument !== "-") {
    return decodeArgument(argument, encodingOf(options), "value");
  }
  if (argument === undefined && process.stdin.isTTY) {
    throw usage("which value?", "give VALUE, --file F, or - to read standard input");
  }
  return readAll("-", valueBytesMax);
}

export function formatOf(options: Invocation["options"]): Format {
  const { format = "ndjson" } = options;
  if (format === "ndjson" || format === "tsv") return format;
  throw usage(`--format is ndjson or tsv, got ${String(format)}`);
}

/** A whole number, or nothing where the option was not given. */
export function limitOf(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  const limit = Number(text);
  if (/^\d+$/.test(String(text)) && Number.isSafeInteger(limit)) return limit;
  throw usage(`--limit is a whole number, got ${String(text)}`);
}
