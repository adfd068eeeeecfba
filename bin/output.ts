/**
 * Everything kvctl prints: data on stdout, messages on stderr. Nothing else writes to either. A
 * reader that goes away (`| head`) is no error: `isClosed` turns true, and what is printed after
 * that goes nowhere.
 */
import type { Failure } from "./exit.ts";

export interface Output {
  /** Asked for JSON. */
  readonly json: boolean;
  /** stdout is a terminal, so a person reads it. */
  readonly isTerminal: boolean;
  /** Messages may be redrawn in place. */
  readonly canRedraw: boolean;
  readonly hasColor: boolean;
  /** Nobody reads stdout any more: a loop that prints may stop. */
  readonly isClosed: boolean;
  /** Data. Resolves when more may come; rejects when the data cannot be written. */
  write(data: string | Uint8Array): Promise<void>;
  /** The outcome of a command: one line of JSON, or the text for people. */
  result(value: unknown, text: string): Promise<void>;
  /** A message: one line on stderr. */
  note(text: string): void;
  /** A message that replaces the one before it; an empty one removes it. */
  redraw(text: string): void;
  /** Lines on stderr that replace those drawn before; none removes them. Where it can redraw. */
  draw(lines: readonly string[]): void;
  fail(failure: Failure): void;
}

/** Those of the process, or what a test reads. */
export interface Streams {
  readonly stdout: Stream;
  readonly stderr: Stream;
}

interface Stream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface OutputOptions {
  readonly json: boolean;
  readonly streams: Streams;
}

export function createOutput({ json, streams }: OutputOptions): Output {
  const { stdout, stderr } = streams;
  const state = { isClosed: false, failure: undefined as Error | undefined, drawn: 0 };
  stdout.on("error", (error: NodeJS.ErrnoException) => {
    state.isClosed = true;
    if (error.code !== "EPIPE") state.failure = error;
  });
  // A message that nobody can read is lost; the exit code still tells.
  stderr.on("error", () => {});
  const write = (data: string | Uint8Array): Promise<void> => {
    if (state.failure !== undefined) return Promise.reject(state.failure);
    if (state.isClosed || stdout.write(data)) return Promise.resolve();
    return drained(stdout, state);
  };
  const canRedraw = stderr.isTTY === true && process.env["TERM"] !== "dumb";
  return {
    json,
    isTerminal: stdout.isTTY === true,
    canRedraw,
    hasColor: stdout.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
    get isClosed() {
      return state.isClosed;
    },
    write,
    result: (value, text) => {
      const data = json ? `${JSON.stringify(value)}\n` : text;
      return data === "" ? Promise.resolve() : write(data);
    },
    note: (text) => void stderr.write(`${text}\n`),
    redraw: (text) => {
      if (canRedraw) stderr.write(`\r${text}\u001b[K`);
    },
    draw: (lines) => {
      if (!canRedraw) return;
      const up = state.drawn === 0 ? "" : `\u001b[${state.drawn}A`;
      state.drawn = lines.length;
      // Lines that the terminal would wrap take two rows, and the way back up would be too short.
      const cut = lines.map((line) => `${cutTo((stderr.columns ?? 80) - 1, line)}\n`);
      stderr.write(`${up}\u001b[J${cut.join("")}`);
    },
    fail: (failure) => {
      const { exit: _, ...said } = failure;
      if (json) stderr.write(`${JSON.stringify({ error: said })}\n`);
      else stderr.write(`${inWords(failure)}\n`);
    },
  };
}

/** So many characters of a line; colours take no room. */
function cutTo(columns: number, line: string): string {
  let left = columns;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one.
  return line.replace(/\u001b\[\d+m|./gsu, (part) => {
    if (part.length > 1 && part.startsWith("\u001b")) return part;
    left -= 1;
    return left < 0 ? "" : part;
  });
}

/** Resolves when stdout takes more, or never will. */
function drained(stdout: Stream, state: { readonly failure: Error | undefined }): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      stdout.off("drain", done).off("error", done).off("close", done);
      if (state.failure === undefined) resolve();
      else reject(state.failure);
    };
    stdout.on("drain", done).on("error", done).on("close", done);
  });
}

function inWords({ message, code, hint, applied }: Failure): string {
  const lines = [`kvctl: ${message} (${code})`];
  if (applied === "maybe") lines.push("It may have taken effect: read before trying again.");
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  return lines.join("\n");
}
