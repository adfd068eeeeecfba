/**
 * A set of strings from which items can be taken (observed-remove set): the shopping cart. Each
 * adding has a tag of its own; removing an item removes the tags that were seen. So an item that
 * was removed stays removed, and one that somebody adds at the same time stays in.
 *
 *     {"type":"or-set","items":{"milk":["5f0c…"]},"removed":["91ab…"]}
 */
import { type Crdt, encodeJson, fieldsOf, sorted, stringSetOf } from "./crdt.ts";

type Tags = ReadonlySet<string>;

export interface OrSet {
  /** What is in it, by the tags that put it there; never without a tag. */
  readonly items: ReadonlyMap<string, Tags>;
  readonly removed: Tags;
}

interface OrSetType extends Crdt<OrSet> {
  /** The tag must never have been used before; left out, it is drawn. */
  add(set: OrSet, item: string, tag?: string): OrSet;
  remove(set: OrSet, item: string): OrSet;
  /** In alphabetical order. */
  items(set: OrSet): readonly string[];
}

export const orSet: OrSetType = {
  empty: { items: new Map(), removed: new Set() },

  add: ({ items, removed }, item, tag = newTag()) => ({
    items: new Map(items).set(item, new Set(items.get(item)).add(tag)),
    removed,
  }),

  remove: ({ items, removed }, item) => {
    const left = new Map(items);
    left.delete(item);
    return { items: left, removed: new Set([...removed, ...(items.get(item) ?? [])]) };
  },

  items: ({ items }) => sorted(items.keys()),

  merge: (a, b) => {
    const removed = new Set([...a.removed, ...b.removed]);
    const items = new Map<string, Tags>();
    for (const item of new Set([...a.items.keys(), ...b.items.keys()])) {
      const all = [...(a.items.get(item) ?? []), ...(b.items.get(item) ?? [])];
      const tags = all.filter((tag) => !removed.has(tag));
      if (tags.length > 0) items.set(item, new Set(tags));
    }
    return { items, removed };
  },

  encode: ({ items, removed }) =>
    encodeJson({
      type: "or-set",
      items: Object.fromEntries(
        sorted(items.keys()).map((item) => [item, sorted(items.get(item) ?? [])]),
      ),
      removed: sorted(removed),
    }),

  decode: (bytes) => {
    const fields = fieldsOf(bytes, "or-set", ["items", "removed"]);
    const removed = stringSetOf(fields?.["removed"]);
    const items = itemsOf(fields?.["items"]);
    return items === undefined || removed === undefined ? undefined : { items, removed };
  },
};

function itemsOf(value: unknown): ReadonlyMap<string, Tags> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const items = new Map<string, Tags>();
  for (const [item, list] of Object.entries(value)) {
    const tags = stringSetOf(list);
    if (tags === undefined || tags.size === 0) return undefined;
    items.set(item, tags);
  }
  return items;
}

/** 64 bits of chance. */
function newTag(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
