/** PN-Counters (../crdt/pn-counter.ts) become their sum: nothing that anybody counted is lost. */
import { fromSiblings } from "../crdt/crdt.ts";
import { pnCounter } from "../crdt/pn-counter.ts";
import type { Resolver } from "./sibling.ts";

export const counter: Resolver = (siblings) => {
  const values = siblings.map(({ value }) => value);
  const merged = fromSiblings(pnCounter, values);
  return merged === undefined || values.length === 0 ? undefined : pnCounter.encode(merged);
};
