/**
 * What both disks say about a lock that somebody else holds.
 */
import { EngineError } from "../errors.ts";

export interface LockHolder {
  readonly pid: number;
  readonly hostname: string;
  /** Wall-clock milliseconds. */
  readonly since: number;
  /** Whether it is the process that asks. */
  readonly isSelf: boolean;
}

/** The refusal; `holder` is undefined where the lock is held but its record cannot be read. */
export function lockedError(
  directory: string,
  holder: LockHolder | undefined,
  advice = "",
): EngineError {
  return new EngineError("LOCKED", `${directory} is locked: ${describe(holder)}${advice}`);
}

function describe(holder: LockHolder | undefined): string {
  if (holder === undefined) return "another process has it open";
  const { pid, hostname, since, isSelf } = holder;
  const who = isSelf ? `this very process (${pid})` : `process ${pid}`;
  return `${who} on ${hostname} has had it open since ${isoTime(since)}`;
}

/** The number may come from a damaged LOCK file, and `toISOString` throws beyond its range. */
function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "an unknown time" : date.toISOString();
}
