/**
 * Logs: one line on stderr with the name of what happened, JSON for programs, words on a terminal.
 * Embedded nodes are silent unless asked. pino is loaded only where something is logged.
 */
import { isatty } from "node:tty";
import { lineForPeople } from "./log-line.ts";

export type LogLevel = "silent" | "error" | "warn" | "info" | "debug";

/** `event` is one of a small set of names, in dots: member.down, client.refused. */
export interface Log {
  debug(event: string, fields?: object): void;
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
  /** Who did, or was refused, what. Written at any level but silent. */
  audit(event: string, fields?: object): void;
}

const nothing = (): void => undefined;

export const silentLog: Log = {
  ...{ debug: nothing, info: nothing, warn: nothing, error: nothing, audit: nothing },
};
/** Above all of pino's own. */
const auditLevel = 70;

const stderr = 2;

export async function openLog(level: LogLevel): Promise<Log> {
  if (level === "silent") return silentLog;
  const { pino } = await import("pino");
  // Nothing may be lost when the process ends, and there are few lines.
  const lines = pino.destination({ fd: stderr, sync: true });
  const inWords = { write: (line: string) => lines.write(lineForPeople(line)) };
  const logger = pino(
    {
      level,
      base: null,
      messageKey: "event",
      customLevels: { audit: auditLevel },
      formatters: { level: (label) => ({ level: label }) },
    },
    isatty(stderr) ? inWords : lines,
  );
  return {
    debug: (event, fields) => logger.debug({ ...fields }, event),
    info: (event, fields) => logger.info({ ...fields }, event),
    warn: (event, fields) => logger.warn({ ...fields }, event),
    error: (event, fields) => logger.error({ ...fields }, event),
    audit: (event, fields) => logger.audit({ audit: true, ...fields }, event),
  };
}

/** Says the same kind of thing at most once in so long, with how often it was held back. */
export function seldom<Said extends object>(
  say: (said: Said, suppressed: number) => void,
  everyMs = 10_000,
): (said: Said) => void {
  let next = 0;
  let suppressed = 0;
  return (said) => {
    const now = performance.now();
    if (now < next) {
      suppressed += 1;
      return;
    }
    next = now + everyMs;
    say(said, suppressed);
    suppressed = 0;
  };
}
