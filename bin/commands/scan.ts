/** scan and export: entries in the order of their keys' bytes. */
import type { Engine, Pair, ScanOptions } from "../../native-free-engine/index.ts";
import { formatOf, limitOf } from "../arguments.ts";
import { decodeArgument, type Encoding, encode, encodingOf, show } from "../bytes.ts";
import { readDirectory } from "../directory.ts";
import { formatEntry } from "../entry-lines.ts";
import { exits, usage } from "../exit.ts";
import { type Invocation, isForCluster } from "../invocation.ts";
import { createProgress } from "../progress.ts";
import { plural, rate } from "../units.ts";

const pairsAtOnce = 1000;
const chunkCharacters = 64 << 10;

/** For people, one entry a line with what is unprintable escaped; with --json, for programs. */
export async function scan(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) return (await import("../cluster/scan.ts")).scan(invocation);
  const { options, output } = invocation;
  const encoding = encodingOf(options);
  if (options["count"] === true) return countEntries(invocation);
  const keysOnly = options["keysOnly"] === true;
  const format = (key: Uint8Array, value: Uint8Array): string => {
    const shown = keysOnly ? undefined : value;
    if (output.json) return formatEntry(key, shown, { format: "ndjson", encoding });
    const second = shown === undefined ? "" : `\t${inEncoding(shown, encoding)}`;
    return `${inEncoding(key, encoding)}${second}\n`;
  };
  const range = { ...rangeOf(options), values: !keysOnly };
  return readDirectory(invocation, "scan", (engine) => printAll(engine, invocation, range, format));
}

/** What `import` reads back, to the byte. */
export async function exportEntries(invocation: Invocation): Promise<number> {
  if (isForCluster(invocation)) {
    return (await import("../cluster/scan.ts")).exportEntries(invocation);
  }
  const { options, output } = invocation;
  const form = { format: formatOf(options), encoding: encodingOf(options) };
  const range = rangeOf(options);
  return readDirectory(invocation, "export", async (engine) => {
    const started = performance.now();
    const progress = createProgress(output);
    let done = 0;
    await printAll(engine, invocation, range, (key, value) => {
      done += 1;
      if (done % pairsAtOnce === 0 && !output.isTerminal) {
        const ms = performance.now() - started;
        progress.update(() => `exported ${plural(done, "entry", "entries")}, ${rate(done, ms)}`);
      }
      return formatEntry(key, value, form);
    });
    progress.finish();
    return exits.ok;
  });
}

/** --prefix, or --gte and --lt; also for `compact`. */
export function rangeOf(options: Invocation["options"]): ScanOptions {
  const encoding = encodingOf(options);
  const bound = (name: string): Uint8Array | undefined => {
    const text = options[name];
    return typeof text === "string" ? decodeArgument(text, encoding, `--${name}`) : undefined;
  };
  const prefix = bound("prefix");
  const limits = { reverse: options["reverse"] === true, limit: limitOf(options["limit"]) };
  const gte = bound("gte");
  const lt = bound("lt");
  if (prefix === undefined) return { ...limits, gte, lt };
  if (gte !== undefined || lt !== undefined) throw usage("--prefix excludes --gte and --lt");
  return { ...limits, gte: prefix, lt: afterPrefix(prefix) };
}

function countEntries(invocation: Invocation): Promise<number> {
  const { options, output } = invocation;
  const range = { ...rangeOf(options), values: false };
  return readDirectory(invocation, "scan", async (engine) => {
    const found = engine.scan(range);
    let count = 0;
    for (;;) {
      const pairs = await found.nextMany(pairsAtOnce);
      if (pairs.length === 0) break;
      count += pairs.length;
    }
    await found.close();
    await output.result({ count }, `${count}\n`);
    return exits.ok;
  });
}

async function printAll(
  engine: Engine,
  { output }: Invocation,
  options: ScanOptions,
  format: (key: Uint8Array, value: Uint8Array) => string,
): Promise<number> {
  const found = engine.scan(options);
  let text = "";
  while (!output.isClosed) {
    const pairs: Pair[] = await found.nextMany(pairsAtOnce);
    if (pairs.length === 0) break;
    for (const [key, value] of pairs) {
      text += format(key, value);
      if (text.length < chunkCharacters) continue;
      await output.write(text);
      text = "";
    }
  }
  await found.close();
  if (text !== "") await output.write(text);
  return exits.ok;
}

function inEncoding(bytes: Uint8Array, encoding: Encoding): string {
  return encoding === "text" ? show(bytes) : encode(bytes, encoding);
}

/** The first key behind all that begin so; none when the prefix is all 0xff. */
function afterPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length -= 1;
  if (length === 0) return undefined;
  // A copy: slice() of a Buffer would be a view, and change the prefix itself.
  const after = Uint8Array.from(prefix.subarray(0, length));
  after[length - 1]! += 1;
  return after;
}
