/** --resolve: one value made of several, by the resolver of that name. */
import type { Found } from "../../src/client/api.ts";
import { withValues } from "../../src/client/found.ts";
import type { ResolverName } from "../../src/client/resolve/resolver.ts";
import { usage } from "../exit.ts";

const names: readonly ResolverName[] = ["lww", "union", "counter"];

/** Refuses a name that is none before anything is asked of the cluster. */
export function resolverNamed(text: unknown): ResolverName | undefined {
  if (text === undefined) return undefined;
  const name = names.find((known) => known === text);
  if (name === undefined) throw usage(`--resolve is lww, union or counter, got ${String(text)}`);
  return name;
}

/** All values, as they were, where one of them is not of the resolver's form. */
export async function resolved(found: Found, name: ResolverName): Promise<Found> {
  if (found.values.length < 2) return found;
  const { resolvers } = await import("../../src/client/resolve/resolver.ts");
  const siblings = found.values.map((value, i) => {
    const { time, actor } = found.written[i] ?? { time: 0, actor: "" };
    return { value, time, actor };
  });
  const value = resolvers[name](siblings);
  return value === undefined ? found : withValues(found, [value]);
}
