/**
 * How kvctl ends: the exit codes, one error for everything that is wrong with what was asked, and
 * the way from any error to its code. Errors of the engine and of the cluster have their exit codes
 * in registries of their own; kvctl's own codes are here.
 */
import { advice } from "./advice.ts";

export const exits = {
  ok: 0,
  /** A bug, damage, or the system refusing. */
  failure: 1,
  /** What was asked cannot be done as it was asked. */
  usage: 2,
  /** No such key. */
  missing: 3,
  /** Several values where one was asked for. */
  conflict: 4,
  /** Done in part: some lines were skipped, some data could not be saved. */
  partial: 9,
  interrupted: 130,
} as const;

export interface CommandErrorOptions {
  readonly exit?: number;
  /** What to do about it, as one sentence without a full stop. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** Codes that only kvctl itself gives. */
export const commandCodes = {
  USAGE: { exit: 2, applied: "no", meaning: "an unknown command or option, or one used wrongly" },
  FILE: { exit: 2, applied: "no", meaning: "a file to read that cannot be read" },
  FILE_EXISTS: { exit: 2, applied: "no", meaning: "a file to write that is there already" },
  NOT_FOUND: { exit: 3, applied: "no", meaning: "no value under that key" },
  BAD_LINE: { exit: 2, applied: "no", meaning: "a line to import that is no entry" },
  NOT_TEXT: { exit: 2, applied: "no", meaning: "bytes that do not fit in a line of text" },
  NOT_RESOLVED: { exit: 4, applied: "no", meaning: "values that are not of the resolver's form" },
  NODE_DIRECTORY: { exit: 2, applied: "no", meaning: "a node's own data, which only it may write" },
  DEMO_NODE: { exit: 1, applied: "no", meaning: "a node of the demo did not start" },
} as const;

/** A command that cannot be done, with a stable code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;
  readonly exit: number;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: CommandErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.exit = options.exit ?? (isCommandCode(code) ? commandCodes[code].exit : exits.usage);
    this.hint = options.hint ?? advice[code];
  }
}

function isCommandCode(code: string): code is keyof typeof commandCodes {
  return Object.hasOwn(commandCodes, code);
}

export function usage(message: string, hint?: string): CommandError {
  return new CommandError("USAGE", message, hint === undefined ? {} : { hint });
}

/** All that is printed of an error. */
export interface Failure {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Whether what failed took effect, where the error knows. */
  readonly applied: string | undefined;
  readonly file: string | undefined;
  readonly offset: number | undefined;
}

/** `exitByCode` is the registry of the engine or of the cluster, whichever knows the error. */
export function describeFailure(
  error: unknown,
  exitByCode: Readonly<Record<string, { readonly exit: number }>>,
): Failure {
  if (error instanceof CommandError) {
    const { exit, code, message, hint } = error;
    return { exit, code, message, hint, applied: undefined, file: undefined, offset: undefined };
  }
  const thrown = error instanceof Error ? (error as Error & Record<string, unknown>) : undefined;
  const code = typeof thrown?.["code"] === "string" ? thrown["code"] : "INTERNAL";
  const place = thrown?.["place"] as { file?: string; offset?: number } | undefined;
  const applied = thrown?.["applied"];
  return {
    exit: exitByCode[code]?.exit ?? exits.failure,
    code,
    message: thrown?.message ?? String(error),
    hint: advice[code],
    applied: typeof applied === "string" ? applied : undefined,
    file: place?.file,
    offset: place?.offset,
  };
}
