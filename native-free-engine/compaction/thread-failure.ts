/**
 * Errors on their way out of a thread. A structured clone keeps of an error its message and stack
 * only; but by code and place the engine tells a full disk, which passes, from damage, which does
 * not. So failures travel as plain data and are made errors again on arrival.
 */
import {
  type Applied,
  type EngineCode,
  EngineError,
  type EngineErrorOptions,
  engineCodes,
  type Place,
} from "../errors.ts";

/** An error as plain data. */
export interface Failure {
  readonly message: string;
  readonly stack: string | undefined;
  /** Of the engine, or of the operating system. */
  readonly code: string | undefined;
  readonly applied: Applied | undefined;
  readonly place: Place | undefined;
  readonly cause: Failure | undefined;
}

/** Causes of causes beyond this many say nothing more. */
const causesMax = 4;

export function describeFailure(error: unknown, causes = causesMax): Failure {
  if (!(error instanceof Error)) {
    const nothing = { stack: undefined, code: undefined, applied: undefined, place: undefined };
    return { message: String(error), ...nothing, cause: undefined };
  }
  const { code } = error as { code?: unknown };
  const cause =
    error.cause === undefined || causes === 0
      ? undefined
      : describeFailure(error.cause, causes - 1);
  return {
    message: error.message,
    stack: error.stack,
    code: typeof code === "string" ? code : undefined,
    applied: error instanceof EngineError ? error.applied : undefined,
    place: error instanceof EngineError ? error.place : undefined,
    cause,
  };
}

/** The error that was described, with the stack of the thread that threw it. */
export function restoreError(failure: Failure): Error {
  const error = isEngineCode(failure.code)
    ? new EngineError(failure.code, failure.message, optionsOf(failure))
    : plainError(failure);
  if (failure.stack !== undefined) error.stack = failure.stack;
  return error;
}

function optionsOf({ applied, place, cause }: Failure): EngineErrorOptions {
  return {
    ...(applied === undefined ? {} : { applied }),
    ...(place === undefined ? {} : { place }),
    ...(cause === undefined ? {} : { cause: restoreError(cause) }),
  };
}

/** A refusal of the operating system keeps its code; what else a job threw is a broken program. */
function plainError({ message, code, cause }: Failure): Error {
  const options = cause === undefined ? {} : { cause: restoreError(cause) };
  const error = new Error(message, options);
  return code === undefined ? error : Object.assign(error, { code });
}

function isEngineCode(code: string | undefined): code is EngineCode {
  return code !== undefined && Object.hasOwn(engineCodes, code);
}
