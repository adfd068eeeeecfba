/**
 * Last write wins: the value with the newest time, and on a tie that of the greater actor, then the
 * greater bytes. It loses all the others without a word, and which is the last depends on clocks:
 * good for caches, metrics and the like, where the newest is all that matters.
 */
import { compare } from "../../../native-free-engine/base/bytes.ts";
import type { Resolver, WrittenValue } from "./sibling.ts";

export const lww: Resolver = (siblings) => {
  let last: WrittenValue | undefined;
  for (const sibling of siblings) if (last === undefined || isLater(sibling, last)) last = sibling;
  return last?.value;
};

function isLater(a: WrittenValue, b: WrittenValue): boolean {
  if (a.time !== b.time) return a.time > b.time;
  if (a.actor !== b.actor) return a.actor > b.actor;
  return compare(a.value, b.value) > 0;
}
