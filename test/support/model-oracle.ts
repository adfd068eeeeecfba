/**
 * What an engine must answer, by the plainest means: a map from keys to values, copied for every
 * snapshot. Keys are strings of one char code per byte, so they compare as their bytes do.
 */

export interface Stored {
  readonly value: Uint8Array;
  /** When it disappears; infinity for never. */
  readonly expiry: number;
}

/** Nothing is ever changed in a map that was copied: a change makes a new entry. */
export type State = ReadonlyMap<string, Stored>;

/** A state and the time at which expiry is judged. */
export interface Sight {
  readonly state: State;
  readonly time: number;
}

/** One write; without a value it is a deletion. */
export interface Change {
  readonly key: string;
  readonly stored: Stored | undefined;
}

export interface ScanAsked {
  readonly gt?: string;
  readonly gte?: string;
  readonly lt?: string;
  readonly lte?: string;
  readonly reverse?: boolean;
}

export function applied(state: State, changes: readonly Change[]): State {
  const next = new Map(state);
  for (const { key, stored } of changes) {
    if (stored === undefined) next.delete(key);
    else next.set(key, stored);
  }
  return next;
}

export function valueIn({ state, time }: Sight, key: string): Uint8Array | undefined {
  const stored = state.get(key);
  return stored === undefined || stored.expiry <= time ? undefined : stored.value;
}

/** Visible entries within the bounds, in the direction of the scan. */
export function pairsIn(sight: Sight, asked: ScanAsked): [string, Uint8Array][] {
  const pairs: [string, Uint8Array][] = [];
  for (const key of [...sight.state.keys()].sort(byCodes)) {
    const value = valueIn(sight, key);
    if (value !== undefined && isWithin(key, asked)) pairs.push([key, value]);
  }
  return asked.reverse === true ? pairs.reverse() : pairs;
}

/** Where both gt and gte (or lt and lte) are given, gte (lte) holds. */
export function isWithin(key: string, { gt, gte, lt, lte }: ScanAsked): boolean {
  if (gte !== undefined ? key < gte : gt !== undefined && key <= gt) return false;
  return lte !== undefined ? key <= lte : lt === undefined || key < lt;
}

function byCodes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function bytesOf(key: string): Uint8Array {
  return new Uint8Array(Buffer.from(key, "latin1"));
}

export function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

/** Short enough for a message. */
export function shown(bytes: string | Uint8Array | undefined): string {
  if (bytes === undefined) return "nothing";
  const all = typeof bytes === "string" ? bytesOf(bytes) : bytes;
  const hex = Buffer.from(all.subarray(0, 24)).toString("hex");
  return all.length > 24 ? `${hex}… (${all.length} bytes)` : `${hex} (${all.length} bytes)`;
}
