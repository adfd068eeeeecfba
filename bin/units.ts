/** Numbers for people: durations in, counts, sizes and durations out. */
import { CommandError } from "./exit.ts";

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** "90s", "1.5h", "7d" as whole milliseconds. A number alone would not say of what. */
export function parseDuration(text: string): number {
  const ms = millisecondsIn(text);
  if (ms !== undefined) return ms;
  throw new CommandError("TTL_INVALID", `not a time to live: ${JSON.stringify(text)}`, {
    hint: "give a number above 0 and a unit: 500ms, 30s, 5m, 1h, 7d or 2w",
  });
}

/** The same for how long to wait. */
export function parseTimeout(text: string): number {
  const ms = millisecondsIn(text);
  if (ms !== undefined) return ms;
  throw new CommandError("DEADLINE_INVALID", `not a time to wait: ${JSON.stringify(text)}`, {
    hint: "give a number above 0 and a unit: 500ms, 5s or 1m",
  });
}

function millisecondsIn(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(text.trim());
  const ms = found === null ? Number.NaN : Math.round(Number(found[1]) * unitMs[found[2]!]!);
  return ms > 0 && Number.isSafeInteger(ms) ? ms : undefined;
}

/** "171,075" */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 table", "3 tables" */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** "0 B", "4.0 KiB", "16.2 MiB" */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 100 ? 1 : 0)} ${units[unit]}`;
}

/** "45 ms", "1.24 s", "2 min 5 s" */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** How many a second, in the three leading digits that mean something. */
export function rate(amount: number, ms: number): string {
  const perSecond = ms <= 0 ? 0 : (amount / ms) * 1000;
  const step = perSecond < 1000 ? 1 : 10 ** (Math.floor(Math.log10(perSecond)) - 2);
  return `${count(Math.round(perSecond / step) * step)}/s`;
}
