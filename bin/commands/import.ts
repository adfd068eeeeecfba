/**
 * import: lines of text into a database. Lines are parsed in blocks and written in batches of
 * which several are in flight, in the order of the file: of two lines with one key the later one
 * wins. What stands before a bad line, an interrupt or a failure is kept.
 */
import { formatOf } from "../arguments.ts";
import { BatchWriter } from "../batch-writer.ts";
import { encodingOf } from "../bytes.ts";
import { writeDirectory } from "../directory.ts";
import { type EntryLine, lineParser } from "../entry-lines.ts";
import { CommandError, exits, usage } from "../exit.ts";
import { type Input, openInput } from "../files.ts";
import { type Invocation, isForCluster } from "../invocation.ts";
import { linesOf } from "../line-reader.ts";
import type { Output } from "../output.ts";
import { bar, createProgress } from "../progress.ts";
import { count, duration, plural, rate, size } from "../units.ts";

/** More bad lines than this are counted, not shown. */
const shownBadLines = 10;

interface Imported {
  lines: number;
  imported: number;
  skipped: number;
  bytes: number;
  interrupted: boolean;
}

export async function importEntries(invocation: Invocation): Promise<number> {
  const { args, options, output } = invocation;
  const onError = options["onError"] ?? "stop";
  if (onError !== "stop" && onError !== "skip") {
    throw usage(`--on-error is stop or skip, got ${String(onError)}`);
  }
  const form = { format: formatOf(options), encoding: encodingOf(options) };
  const limits = await limitsFor(invocation);
  const input = await openInput(args[0] ?? "-");
  const progress: Imported = { lines: 0, imported: 0, skipped: 0, bytes: 0, interrupted: false };
  invocation.onInterrupt(() => {
    progress.interrupted = true;
    input.stop();
  });
  const started = performance.now();
  const job = { input, parse: lineParser(form, limits), limits, skips: onError === "skip" };
  try {
    await withWriter(invocation, progress, (writer) => copyLines(writer, job, progress, output));
  } catch (error) {
    if (progress.imported > 0) {
      output.note(`kept ${plural(progress.imported, "entry", "entries")} from before the failure`);
    }
    throw error;
  } finally {
    input.stop();
  }
  await report(progress, performance.now() - started, output);
  if (progress.interrupted) return exits.interrupted;
  return progress.skipped > 0 ? exits.partial : exits.ok;
}

/** Where entries go: a database in batches, or a cluster one by one. */
interface Writer {
  /** True when the caller is to wait for `settled` before it adds more. */
  add(entry: EntryLine): boolean;
  settled(): Promise<void>;
  finish(): Promise<void>;
}

async function withWriter(
  invocation: Invocation,
  progress: Imported,
  use: (writer: Writer) => Promise<void>,
): Promise<void> {
  if (!isForCluster(invocation)) {
    return writeDirectory(invocation, "create", (engine) => use(new BatchWriter(engine, progress)));
  }
  const { bucketOf, quorumOf, withClient } = await import("../cluster/connection.ts");
  const { ClusterWriter } = await import("../cluster/writer.ts");
  const isBlind = invocation.options["blind"] === true;
  const options = { isBlind, ...quorumOf(invocation) };
  return withClient(
    invocation,
    (client) => use(new ClusterWriter(bucketOf(client, invocation), progress, options)),
    "aware",
  );
}

/** A cluster takes shorter keys and values than an embedded database. */
async function limitsFor(invocation: Invocation) {
  const { keyBytesMax, valueBytesMax } = isForCluster(invocation)
    ? await import("../../src/core/limits.ts")
    : await import("../../native-free-engine/index.ts");
  return { keyBytesMax, valueBytesMax };
}

interface Job {
  readonly input: Input;
  readonly parse: ReturnType<typeof lineParser>;
  readonly limits: { readonly keyBytesMax: number; readonly valueBytesMax: number };
  /** Whether bad lines are skipped. */
  readonly skips: boolean;
}

async function copyLines(
  writer: Writer,
  job: Job,
  progress: Imported,
  output: Output,
): Promise<void> {
  const shown = createProgress(output);
  const started = performance.now();
  // A character takes at most six bytes in a line, as in \u0000.
  const lineBytesMax = 6 * (job.limits.keyBytesMax + job.limits.valueBytesMax) + 1024;
  try {
    for await (const lines of linesOf(counted(job.input, progress), lineBytesMax)) {
      for (const line of lines) {
        progress.lines += 1;
        const entry = typeof line === "string" ? job.parse(line) : line;
        if (entry === undefined) continue;
        if ("problem" in entry) {
          if (!job.skips) throw badLine(progress.lines, entry.problem);
          noteSkipped(progress, entry.problem, output);
        } else if (writer.add(entry)) await writer.settled();
      }
      shown.update(() => progressLine(progress, job.input.bytes, performance.now() - started));
      if (progress.interrupted) break;
    }
  } catch (error) {
    // An interrupt ends the input in the middle, which its stream takes for an error.
    if (!progress.interrupted) throw error;
  } finally {
    shown.finish();
    await writer.finish();
  }
}

function badLine(line: number, problem: string): CommandError {
  return new CommandError("BAD_LINE", `line ${line}: ${problem}`, {
    hint: "--on-error skip goes on without such lines",
  });
}

function noteSkipped(progress: Imported, problem: string, output: Output): void {
  progress.skipped += 1;
  if (progress.skipped > shownBadLines) return;
  output.redraw("");
  output.note(`line ${progress.lines} skipped: ${problem}`);
  if (progress.skipped === shownBadLines) output.note("further bad lines are only counted");
}

async function* counted(input: Input, progress: Imported): AsyncIterable<Uint8Array> {
  for await (const chunk of input.chunks) {
    progress.bytes += chunk.length;
    yield chunk;
  }
}

function progressLine(progress: Imported, bytes: number | undefined, ms: number): string {
  const { imported } = progress;
  const done = `${count(imported)} entries, ${size(progress.bytes)}, ${rate(imported, ms)}`;
  if (bytes === undefined || bytes === 0) return done;
  const share = progress.bytes / bytes;
  return `${bar(share, 24)} ${Math.floor(share * 100)} %  ${done}`;
}

async function report(progress: Imported, ms: number, output: Output): Promise<void> {
  const { interrupted, lines, imported, skipped, bytes } = progress;
  if (output.json) {
    await output.result({ imported, skipped, lines, bytes, ms: Math.round(ms), interrupted }, "");
    return;
  }
  const skips = skipped === 0 ? "" : `, skipped ${plural(skipped, "line")}`;
  const what = `${plural(imported, "entry", "entries")}${skips}`;
  const pace = `${duration(ms)}, ${rate(imported, ms)}`;
  output.note(`${interrupted ? "interrupted: kept" : "imported"} ${what} in ${pace}`);
}
