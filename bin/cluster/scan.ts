/**
 * scan and export of a cluster: every key once, partition after partition in the order of the ring,
 * which says nothing about the order of keys. Not a snapshot: what is written meanwhile may show.
 */
import type { Client } from "../../src/client/api.ts";
import { mergedValues } from "../../src/client/found.ts";
import { formatOf, limitOf } from "../arguments.ts";
import { decodeArgument, encode, encodingOf, show } from "../bytes.ts";
import { formatEntry } from "../entry-lines.ts";
import { CommandError, exits } from "../exit.ts";
import type { Invocation } from "../invocation.ts";
import { createProgress } from "../progress.ts";
import { plural, rate } from "../units.ts";
import { bucketOf, timeoutOf, withClient } from "./connection.ts";
import { entryLine } from "./entry-line.ts";

const chunkCharacters = 64 << 10;

export async function scan(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const encoding = encodingOf(options);
  const keysOnly = options["keysOnly"] === true;
  let total = 0;
  const inWords = (bytes: Uint8Array): string =>
    encoding === "text" ? show(bytes) : encode(bytes, encoding);
  await printAll(invocation, (key, values) => {
    total += 1;
    if (options["count"] === true) return "";
    if (output.json) return entryLine(key, keysOnly ? undefined : values, encoding);
    const shown = keysOnly ? [] : values.map(inWords);
    return `${[inWords(key), ...shown].join("\t")}\n`;
  });
  if (options["count"] === true) await output.result({ count: total }, `${total}\n`);
  return exits.ok;
}

export async function exportEntries(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const form = { format: formatOf(options), encoding: encodingOf(options) };
  const started = performance.now();
  const progress = createProgress(output);
  let done = 0;
  await printAll(invocation, (key, values) => {
    done += 1;
    progress.update(() => {
      const pace = rate(done, performance.now() - started);
      return `exported ${plural(done, "entry", "entries")}, ${pace}`;
    });
    const [only] = values;
    if (form.format === "ndjson") return entryLine(key, values, form.encoding);
    if (values.length === 1 && only !== undefined) return formatEntry(key, only, form);
    throw new CommandError("CONFLICT", `${show(key)} has siblings, which tsv cannot hold`, {
      exit: exits.conflict,
      hint: "use --format ndjson",
    });
  });
  progress.finish();
  return exits.ok;
}

async function printAll(
  invocation: Invocation,
  format: (key: Uint8Array, values: readonly Uint8Array[]) => string,
): Promise<void> {
  const { options, output } = invocation;
  const encoding = encodingOf(options);
  const given = options["prefix"];
  const prefix =
    typeof given === "string" ? decodeArgument(given, encoding, "--prefix") : undefined;
  const limit = limitOf(options["limit"]);
  const print = async (client: Client): Promise<void> => {
    let text = "";
    const found = bucketOf(client, invocation).scan({
      prefix,
      limit,
      timeoutMs: timeoutOf(invocation),
    });
    for await (const [key, entry] of found) {
      text += format(key, mergedValues(entry));
      if (output.isClosed) break;
      if (text.length < chunkCharacters) continue;
      await output.write(text);
      text = "";
    }
    if (text !== "") await output.write(text);
  };
  await withClient(invocation, print, "aware");
}
