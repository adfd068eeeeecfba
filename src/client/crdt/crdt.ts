/**
 * Values that merge by themselves (conflict-free replicated data types, Shapiro et al. 2011):
 * siblings become one, whatever the order and however often. They are kept as JSON, readable by
 * people, each with its type; equal states have equal bytes.
 *
 *     await client.update("cart", (values) => {
 *       const cart = fromSiblings(orSet, values) ?? orSet.empty;
 *       return orSet.encode(orSet.add(cart, "milk"));
 *     });
 */

export interface Crdt<State> {
  readonly empty: State;
  /** A join: commutative, associative, idempotent. */
  merge(a: State, b: State): State;
  encode(state: State): Uint8Array;
  /** Undefined when the bytes are not such a value: nothing is guessed and nothing repaired. */
  decode(bytes: Uint8Array): State | undefined;
}

/** The merge of all siblings of a key; undefined when one is not of the type. Empty for none. */
export function fromSiblings<State>(
  crdt: Crdt<State>,
  values: readonly Uint8Array[],
): State | undefined {
  let merged = crdt.empty;
  for (const value of values) {
    const state = crdt.decode(value);
    if (state === undefined) return undefined;
    merged = crdt.merge(merged, state);
  }
  return merged;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Undefined when the bytes are no JSON in UTF-8; no JSON text means undefined. */
export function decodeJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

/** The fields of an object of that type which has these fields and no other. */
export function fieldsOf(
  bytes: Uint8Array,
  type: string,
  names: readonly string[],
): Readonly<Record<string, unknown>> | undefined {
  const value = decodeJson(bytes);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const isExact =
    fields["type"] === type &&
    Object.keys(fields).length === names.length + 1 &&
    names.every((name) => Object.hasOwn(fields, name));
  return isExact ? fields : undefined;
}

/** A list of different strings as a set. */
export function stringSetOf(value: unknown): ReadonlySet<string> | undefined {
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) return undefined;
  const set = new Set<string>(value);
  return set.size === value.length ? set : undefined;
}

/** In one order, so that equal states have equal bytes. */
export function sorted(items: Iterable<string>): string[] {
  return [...items].sort();
}
