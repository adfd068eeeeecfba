/**
 * The names of the files in a database directory, and what a name says. Numbers come from one
 * counter, are written with at least six digits, and are compared as numbers: as text, 1000000
 * would sort before 999999. A name counts as ours only if we would write it exactly so, because
 * opening a database removes those of our files that it no longer needs.
 */

export type NameKind = "table" | "log" | "manifest" | "current" | "lock" | "temporary" | "other";

export interface ParsedName {
  readonly kind: NameKind;
  /** Of tables, logs and manifests (temporary ones too); 0 for all others. */
  readonly number: number;
}

export const currentName = "CURRENT";
export const lockName = "LOCK";
/** Behind the name of a file that becomes real by a rename. */
export const temporarySuffix = ".tmp";

export function tableName(number: number): string {
  return `${digits(number)}.sst`;
}

export function logName(number: number): string {
  return `${digits(number)}.log`;
}

export function manifestName(number: number): string {
  return `MANIFEST-${digits(number)}`;
}

export function pathIn(directory: string, name: string): string {
  return `${directory}/${name}`;
}

export function parseName(name: string): ParsedName {
  if (name === currentName) return { kind: "current", number: 0 };
  if (name === lockName) return { kind: "lock", number: 0 };
  if (name.endsWith(temporarySuffix)) return parseTemporary(name);
  const found = /^(?:MANIFEST-)?(\d{6,16})(?:\.sst|\.log)?$/.exec(name);
  const number = Number(found?.[1] ?? 0);
  if (number === 0 || !Number.isSafeInteger(number)) return { kind: "other", number: 0 };
  if (name === tableName(number)) return { kind: "table", number };
  if (name === logName(number)) return { kind: "log", number };
  if (name === manifestName(number)) return { kind: "manifest", number };
  return { kind: "other", number: 0 };
}

function parseTemporary(name: string): ParsedName {
  const target = parseName(name.slice(0, -temporarySuffix.length));
  if (target.kind === "other" || target.kind === "temporary") return { kind: "other", number: 0 };
  return { kind: "temporary", number: target.number };
}

function digits(number: number): string {
  return String(number).padStart(6, "0");
}
