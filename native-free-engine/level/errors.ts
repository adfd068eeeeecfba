/**
 * The engine's errors as users of abstract-level know them: an error with a LEVEL_ code, and the
 * EngineError, which names file and offset where there is damage, as its cause.
 */
import { type EngineCode, EngineError } from "../errors.ts";

const levelCodes = {
  CLOSED: "LEVEL_DATABASE_NOT_OPEN",
  CORRUPTION: "LEVEL_CORRUPTION",
  DATABASE_EXISTS: "LEVEL_DATABASE_EXISTS",
  DATABASE_MISSING: "LEVEL_DATABASE_MISSING",
  DIRECTORY_INVALID: "LEVEL_IO_ERROR",
  DISK_FULL: "LEVEL_IO_ERROR",
  FORMAT_TOO_NEW: "LEVEL_NOT_SUPPORTED",
  IO: "LEVEL_IO_ERROR",
  KEY_ENCODING: "LEVEL_INVALID_KEY",
  KEY_TOO_LARGE: "LEVEL_INVALID_KEY",
  VALUE_TOO_LARGE: "LEVEL_INVALID_VALUE",
  BATCH_TOO_LARGE: "LEVEL_INVALID_BATCH",
  TTL_INVALID: "LEVEL_INVALID_OPTION",
  LOCKED: "LEVEL_LOCKED",
  OPTION_INVALID: "LEVEL_INVALID_OPTION",
  LOG_FAILED: "LEVEL_IO_ERROR",
  READ_ONLY: "LEVEL_READONLY",
  WORKER: "LEVEL_IO_ERROR",
} as const satisfies Record<EngineCode, string>;

export type LevelCode = (typeof levelCodes)[EngineCode] | "LEVEL_ABORTED";

export class LevelError extends Error {
  readonly code: LevelCode;

  constructor(code: LevelCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    // The web's name for it, which callers compare with.
    if (code === "LEVEL_ABORTED") this.name = "AbortError";
  }
}

/** What to throw instead of `error`: itself, unless it is the engine's. */
export function levelError(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  return new LevelError(levelCodes[error.code], error.message, error);
}

/** For the rejected side of the engine's promises. */
export function rethrow(error: unknown): never {
  throw levelError(error);
}

export function abortError(reason: unknown): LevelError {
  return new LevelError("LEVEL_ABORTED", "the operation was aborted", reason);
}

export function notOpen(): LevelError {
  return new LevelError("LEVEL_DATABASE_NOT_OPEN", "the database is not open");
}
