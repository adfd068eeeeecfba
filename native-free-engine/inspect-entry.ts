/** How entries are shown to people: keys as text where they are text, of values the beginning. */
import { kindExpiring, kindTombstone } from "./cursor.ts";

/** A key or the beginning of a value: text where the bytes are UTF-8, else hexadecimal digits. */
export type Shown = { readonly text: string } | { readonly hex: string };

export interface DescribedEntry {
  /** In a log: where in the file the operation stands. */
  readonly offset?: number;
  readonly sequence?: number;
  readonly kind: "put" | "delete" | "expiring put";
  readonly key: Shown;
  readonly valueBytes: number;
  /** The first bytes of it. */
  readonly value?: Shown;
  readonly expires?: string;
}

/** Damage that was met on the way; reading goes on behind it where that is possible. */
export interface DescribedDamage {
  readonly offset: number;
  readonly what: string;
}

const previewBytes = 32;
const keyPreviewBytes = 256;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function describeEntry(entry: {
  readonly kind: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expiry: number;
  readonly offset?: number;
  readonly sequence?: number;
}): DescribedEntry {
  const { kind, key, value, expiry, offset, sequence } = entry;
  return {
    ...(offset === undefined ? {} : { offset }),
    ...(sequence === undefined || sequence === 0 ? {} : { sequence }),
    kind: kind === kindTombstone ? "delete" : kind === kindExpiring ? "expiring put" : "put",
    key: show(key, keyPreviewBytes),
    valueBytes: value.length,
    ...(kind === kindTombstone ? {} : { value: show(value, previewBytes) }),
    ...(kind === kindExpiring ? { expires: timeOf(expiry) } : {}),
  };
}

/** At most that many bytes, cut between two characters. */
export function show(bytes: Uint8Array, bytesMax: number): Shown {
  const isCut = bytes.length > bytesMax;
  // A character has at most four bytes, so one of four cuts is between two of them.
  for (let end = Math.min(bytes.length, bytesMax), tries = 0; tries < 4 && end >= 0; tries++) {
    try {
      const text = decoder.decode(bytes.slice(0, end - tries));
      return { text: isCut ? `${text}…` : text };
    } catch {
      // Cut inside of a character, or not text at all: the next try, or the digits, tell.
      if (!isCut) break;
    }
  }
  const hex = Buffer.from(bytes.slice(0, bytesMax)).toString("hex");
  return { hex: isCut ? `${hex}…` : hex };
}

function timeOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
