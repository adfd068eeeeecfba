/**
 * How kvctl ends: the exit codes, one error for everything that is wrong with what was asked, and
 * the way from any error to its code. The engine's errors bring their exit code in its registry.
 */

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

/** A command that cannot be done, with a stable code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code: string;
  readonly exit: number;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: CommandErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.exit = options.exit ?? exits.usage;
    this.hint = options.hint;
  }
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
  /** Whether what failed took effect; only the engine's errors know. */
  readonly applied: string | undefined;
  readonly file: string | undefined;
  readonly offset: number | undefined;
}

/** Advice for those codes of the engine that a person at a terminal can act on. */
const hints: Readonly<Record<string, string>> = {
  CORRUPTION: "kvctl verify lists all damage, kvctl salvage keeps what can still be read",
  DATABASE_MISSING: "check the path; kvctl put and kvctl import make a database",
  DISK_FULL: "free some space; reads still work",
  FORMAT_TOO_NEW: "use the version of kvctl that wrote it, or a newer one",
  LOCKED: "stop that process first; get, scan, export, stats and verify work beside it",
  LOG_FAILED: "the disk refused a write; look at it before trying again",
  CONFLICT: "--siblings shows all values, --resolve lww|union|counter makes one of them",
  NO_ENDPOINT: "check the address; kvctl serve starts a node",
  QUORUM_UNAVAILABLE: "kvctl status shows which nodes are away; --w 1 needs one replica only",
  TOO_MANY_SIBLINGS: "kvctl get KEY --siblings shows them; write over them without --blind",
  WRITE_TIMEOUT: "read the key before you write again",
};

/** `exitByCode` is the engine's registry, once the engine is loaded. */
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
    hint: hints[code],
    applied: typeof applied === "string" ? applied : undefined,
    file: place?.file,
    offset: place?.offset,
  };
}
