/** A line of the log for a person at a terminal: time, level, event, and fields as name=value. */

export function lineForPeople(json: string): string {
  const { time, level, event, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  const head = `${clock} ${String(level).padEnd(5)} ${String(event).padEnd(16)}`;
  return `${[head, ...facts].join(" ").trimEnd()}\n`;
}

/** Quoted where nobody could tell its end. */
function shown(value: unknown): string {
  if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
  return JSON.stringify(value);
}
