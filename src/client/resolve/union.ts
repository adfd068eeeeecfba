/**
 * JSON arrays become one with every element of any of them, once, in the order of their JSON text.
 * Nothing that was added is lost; what one side took out comes back if another still had it. Where
 * that matters, an OR-Set (../crdt/or-set.ts) is the better value.
 */
import { decodeJson } from "../crdt/crdt.ts";
import type { Resolver } from "./sibling.ts";

/** Deeper ones are not looked into, so that nobody can exhaust the stack. */
const depthMax = 64;

const encoder = new TextEncoder();

export const union: Resolver = (siblings) => {
  const elements = new Set<string>();
  for (const { value } of siblings) {
    const array = decodeJson(value);
    if (!Array.isArray(array)) return undefined;
    for (const element of array) {
      const text = canonical(element, depthMax);
      if (text === undefined) return undefined;
      elements.add(text);
    }
  }
  if (siblings.length === 0) return undefined;
  return encoder.encode(`[${[...elements].sort().join()}]`);
};

/** One text for one value: keys sorted. Undefined where JavaScript would change the value. */
function canonical(value: unknown, depth: number): string | undefined {
  if (depth === 0) return undefined;
  if (typeof value === "number" && !isExact(value)) return undefined;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts: string[] = [];
  const entries = Object.entries(value);
  if (!Array.isArray(value)) entries.sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, element] of entries) {
    const text = canonical(element, depth - 1);
    if (text === undefined) return undefined;
    parts.push(Array.isArray(value) ? text : `${JSON.stringify(name)}:${text}`);
  }
  return Array.isArray(value) ? `[${parts.join()}]` : `{${parts.join()}}`;
}

function isExact(number: number): boolean {
  return Number.isFinite(number) && (Number.isSafeInteger(number) || !Number.isInteger(number));
}
