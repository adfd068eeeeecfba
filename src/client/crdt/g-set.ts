/**
 * A set of strings that only grows. Merge is union.
 *
 *     {"type":"g-set","items":["x","y"]}
 */
import { type Crdt, encodeJson, fieldsOf, sorted, stringSetOf } from "./crdt.ts";

export type GSet = ReadonlySet<string>;

interface GSetType extends Crdt<GSet> {
  add(set: GSet, item: string): GSet;
}

export const gSet: GSetType = {
  empty: new Set(),
  add: (set, item) => new Set(set).add(item),
  merge: (a, b) => new Set([...a, ...b]),
  encode: (set) => encodeJson({ type: "g-set", items: sorted(set) }),
  decode: (bytes) => stringSetOf(fieldsOf(bytes, "g-set", ["items"])?.["items"]),
};
