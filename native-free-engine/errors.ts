/**
 * Everything that can go wrong in the engine, by code. The registry below is the one source of
 * `err.code`, of kvctl's exit code and of what a caller may assume about the operation.
 */

/** Whether the failed operation took effect: a later read may (not) show it. */
export type Applied = "no" | "maybe" | "yes";

/** Each code: kvctl's exit code, and what is usually true of the operation. */
export const engineCodes = {
  CLOSED: { exit: 1, applied: "no", meaning: "the engine, snapshot or scan was closed before" },
  CORRUPTION: { exit: 1, applied: "no", meaning: "bytes on disk are not what was written" },
  DATABASE_EXISTS: { exit: 2, applied: "no", meaning: "errorIfExists, and it does" },
  DATABASE_MISSING: { exit: 2, applied: "no", meaning: "nothing to open at that location" },
  DIRECTORY_INVALID: { exit: 2, applied: "no", meaning: "the location cannot hold a database" },
  DISK_FULL: { exit: 6, applied: "no", meaning: "too little free space to accept writes safely" },
  FORMAT_TOO_NEW: { exit: 2, applied: "no", meaning: "written by a newer version of Everwrite" },
  IO: { exit: 1, applied: "maybe", meaning: "the operating system refused a file operation" },
  KEY_ENCODING: { exit: 2, applied: "no", meaning: "a string that has no UTF-8 form" },
  KEY_TOO_LARGE: { exit: 2, applied: "no", meaning: "longer than keyBytesMax" },
  VALUE_TOO_LARGE: { exit: 2, applied: "no", meaning: "longer than valueBytesMax" },
  BATCH_TOO_LARGE: { exit: 2, applied: "no", meaning: "longer than batchBytesMax" },
  TTL_INVALID: { exit: 2, applied: "no", meaning: "a time to live that is no positive number" },
  LOCKED: { exit: 2, applied: "no", meaning: "another process, or this one, has it open" },
  OPTION_INVALID: { exit: 2, applied: "no", meaning: "an option of the wrong type or range" },
  LOG_FAILED: { exit: 1, applied: "maybe", meaning: "a log write failed; reopen to write again" },
  READ_ONLY: { exit: 2, applied: "no", meaning: "the engine was opened to read" },
  WORKER: { exit: 1, applied: "no", meaning: "a flush or compaction thread died or hung" },
} as const;

export type EngineCode = keyof typeof engineCodes;

/** Where in which file the damage is; offsets count bytes from the start of the file. */
export interface Place {
  readonly file: string;
  readonly offset?: number;
}

export interface EngineErrorOptions {
  readonly cause?: unknown;
  readonly applied?: Applied;
  readonly place?: Place;
}

/** Every operational failure of the engine. Wrong argument types are plain `TypeError`s. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineCode;
  readonly applied: Applied;
  readonly place: Place | undefined;

  constructor(code: EngineCode, message: string, options: EngineErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.applied = options.applied ?? engineCodes[code].applied;
    this.place = options.place;
  }
}

/** Damage, named by file and offset, with the way out. */
export function corruption(place: Place, what: string): EngineError {
  const at = place.offset === undefined ? "" : ` at byte ${place.offset}`;
  return new EngineError("CORRUPTION", `${place.file}${at}: ${what}`, { place });
}

export function isEngineError(error: unknown, code?: EngineCode): error is EngineError {
  return error instanceof EngineError && (code === undefined || error.code === code);
}

/** A file operation that the operating system refused; `what` says which, as in "write". */
export function ioError(place: Place, what: string, cause: unknown): EngineError {
  const said = cause instanceof Error ? cause.message : String(cause);
  return new EngineError("IO", `${what} of ${place.file} failed: ${said}`, { cause, place });
}

/** System errors as ours, with their cause; `what` was being done. Anything else passes. */
export function coded(error: unknown, what: string): unknown {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (error instanceof EngineError || typeof code !== "string") return error;
  const said = error instanceof Error ? error.message : String(error);
  return new EngineError("IO", `${what} failed: ${said}`, { cause: error });
}
