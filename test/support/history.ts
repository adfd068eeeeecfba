/**
 * What a script asked of an engine, in order, and what of it was promised. Contents are compared
 * whole and byte by byte: the contents after every number of units are kept as one string each.
 * A unit is what is all or nothing: one put, one delete, one batch.
 */

export interface Change {
  readonly key: Buffer;
  /** Undefined: deleted. */
  readonly value: Buffer | undefined;
}

/** Where a history stood at some moment. */
export interface Mark {
  /** Units asked for. */
  readonly issued: number;
  /** Units that a power cut must not lose, and units that a killed process must not lose. */
  readonly durable: number;
  readonly seen: number;
}

export class History {
  readonly #live = new Map<string, string>();
  readonly #contents: string[] = [""];
  readonly #keys = new Set<string>();
  #durable = 0;
  #seen = 0;

  /** Begins after so many units of another history, as if they had always been there. */
  static after(units: number, other: History): History {
    const history = new History();
    const contents = other.#contents[units] ?? "";
    for (const [key, value] of decodePairs(contents)) history.#live.set(key, value);
    history.#contents[0] = contents;
    for (const key of other.#keys) history.#keys.add(key);
    return history;
  }

  get issued(): number {
    return this.#contents.length - 1;
  }

  get mark(): Mark {
    return { issued: this.issued, durable: this.#durable, seen: this.#seen };
  }

  /** Opening found so many units and made them durable: the rest was refused, and is gone. */
  forgetAfter(units: number): void {
    this.#contents.length = units + 1;
    this.#live.clear();
    for (const [key, value] of decodePairs(this.#contents[units]!)) this.#live.set(key, value);
    this.#durable = units;
    this.#seen = units;
  }

  /** Every key ever written. */
  get keys(): Buffer[] {
    return [...this.#keys].map((key) => Buffer.from(key, "latin1"));
  }

  /** Notes a unit and returns its number, from 1. */
  issue(unit: readonly Change[]): number {
    for (const { key, value } of unit) {
      const name = latin1(key);
      this.#keys.add(name);
      if (value === undefined) this.#live.delete(name);
      else this.#live.set(name, latin1(value));
    }
    this.#contents.push(this.#now());
    return this.issued;
  }

  /** The engine has acknowledged this unit, and so all before it. */
  acknowledge(unit: number, how: { readonly durable: boolean }): void {
    this.#seen = Math.max(this.#seen, unit);
    if (how.durable) this.#durable = Math.max(this.#durable, unit);
  }

  /** The contents after so many units. */
  contentsAfter(units: number): string | undefined {
    return this.#contents[units];
  }

  /** How many units lead to these contents, within the bounds; the most if several do. */
  find(contents: string, bounds: { readonly from: number; readonly to: number }): number {
    for (let units = bounds.to; units >= bounds.from; units--) {
      if (this.#contents[units] === contents) return units;
    }
    return -1;
  }

  #now(): string {
    const pairs = [...this.#live].sort(([a], [b]) => (a < b ? -1 : 1));
    return pairs.map(([key, value]) => encodePair(key, value)).join("");
  }
}

/** Pairs in key order as one string: equal only if all bytes are. */
export function contentsOf(pairs: readonly (readonly [Uint8Array, Uint8Array])[]): string {
  return pairs.map(([key, value]) => encodePair(latin1(key), latin1(value))).join("");
}

function encodePair(key: string, value: string): string {
  return `${key.length}:${value.length}:${key}${value}`;
}

function* decodePairs(contents: string): Generator<readonly [string, string]> {
  for (let at = 0; at < contents.length; ) {
    const keyEnds = contents.indexOf(":", at);
    const headEnds = contents.indexOf(":", keyEnds + 1);
    const keyAt = headEnds + 1;
    const valueAt = keyAt + Number(contents.slice(at, keyEnds));
    at = valueAt + Number(contents.slice(keyEnds + 1, headEnds));
    yield [contents.slice(keyAt, valueAt), contents.slice(valueAt, at)];
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
