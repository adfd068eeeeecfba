/**
 * Ways to make one value of several without asking the application. Pure functions: whoever
 * resolves the same siblings comes to the same bytes, so that it does not matter who does it.
 */
import { counter } from "./counter.ts";
import { lww } from "./lww.ts";
import type { Resolver } from "./sibling.ts";
import { union } from "./union.ts";

export const resolvers = { lww, union, counter } as const satisfies Record<string, Resolver>;

export type ResolverName = keyof typeof resolvers;
