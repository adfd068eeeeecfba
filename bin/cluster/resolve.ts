/** One value made of several: by the resolver that --resolve names, else by that of the bucket. */
import type { Found } from "../../src/client/api.ts";
import { mergedValues, writtenValues } from "../../src/client/found.ts";
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

/** All values, where one of them is not of the resolver's form. */
export async function resolvedValues(
  found: Found,
  name: ResolverName | undefined,
): Promise<readonly Uint8Array[]> {
  if (name === undefined || found.values.length < 2) return mergedValues(found);
  const { resolvers } = await import("../../src/client/resolve/resolver.ts");
  const given = resolvers[name](writtenValues(found));
  return given === undefined ? found.values : [given];
}
